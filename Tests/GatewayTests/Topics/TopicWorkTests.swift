import Admission
import Reactor
import Testing

@testable import Gateway

/// Their arguments may be calls that change something, which those of macros may not.
private func isTrue(_ value: Bool, _ location: SourceLocation = #_sourceLocation) {
    #expect(value, sourceLocation: location)
}

private func isSame(
    _ step: TopicPacing.Step, _ expected: TopicPacing.Step,
    _ location: SourceLocation = #_sourceLocation
) {
    #expect(step == expected, sourceLocation: location)
}

private func some<Value>(_ value: Value?) throws -> Value { try #require(value) }

@Suite struct TopicWorkTests {
    static func message(_ partition: Int32, _ offset: Int64, key: String? = nil) -> KafkaMessage {
        KafkaMessage(
            partition: partition, offset: offset, key: key.map { Array($0.utf8) }, value: [])
    }

    static func result(_ text: String) -> TopicOutcome {
        .result(Array(text.utf8), isCompleted: true)
    }

    @Test func resultsAreWrittenInTheOrderOfTheirMessages() throws {
        var work = TopicWork(mostOpen: 8, keepsKeyOrder: false)
        work.given(3)
        for offset in [5, 6, 9] as [Int64] { isTrue(work.take(Self.message(3, offset)) == .taken) }
        let first = try some(work.next())
        let second = try some(work.next())
        isTrue(work.ended(second.id, Self.result("b")))
        #expect(work.batch(most: 10).isEmpty)
        isTrue(work.ended(first.id, Self.result("a")))
        let batch = work.batch(most: 10)
        #expect(batch.entries.map(\.message.offset) == [5, 6])
        #expect(work.offsets(of: batch) == [KafkaOffset(partition: 3, offset: 7)])
        work.written(batch)
        #expect(!work.isIdle)
        let third = try some(work.next())
        isTrue(work.ended(third.id, .dead(reason: "x")))
        #expect(work.offsets(of: work.batch(most: 10)) == [KafkaOffset(partition: 3, offset: 10)])
    }

    @Test func whatEndsAfterItsPartitionWentIsDropped() throws {
        var work = TopicWork(mostOpen: 8, keepsKeyOrder: false)
        work.given(0)
        isTrue(work.take(Self.message(0, 1)) == .taken)
        let late = try some(work.next())
        isTrue(work.take(Self.message(0, 2)) == .taken)
        isTrue(work.taken(0) == [late.id])
        work.given(0)
        isTrue(work.take(Self.message(0, 1)) == .taken)
        isTrue(!work.ended(late.id, Self.result("late")))
        #expect(work.batch(most: 10).isEmpty)
        let again = try some(work.next())
        isTrue(work.ended(again.id, Self.result("again")))
        #expect(work.batch(most: 10).entries.map(\.outcome) == [Self.result("again")])
    }

    @Test func aMessageIsTakenOnceAndOnlyOfItsPartitions() {
        var work = TopicWork(mostOpen: 8, keepsKeyOrder: false)
        isTrue(work.take(Self.message(0, 1)) == .elsewhere)
        work.given(0)
        isTrue(work.take(Self.message(0, 1)) == .taken)
        isTrue(work.take(Self.message(0, 1)) == .known)
        isTrue(work.take(Self.message(0, 0)) == .known)
    }

    @Test func roomIsEachPartitionsOwn() throws {
        var work = TopicWork(mostOpen: 4, keepsKeyOrder: false)
        work.given(0)
        work.given(1)
        for offset in 0..<4 { isTrue(work.take(Self.message(0, Int64(offset))) == .taken) }
        #expect(work.rooms == [0: .none, 1: .much])
        isTrue(work.take(Self.message(0, 4)) == .full)
        for offset in 0..<3 { isTrue(work.take(Self.message(1, Int64(offset))) == .taken) }
        #expect(work.rooms == [0: .none, 1: .some])
        for _ in 0..<2 { work.ended(try some(work.next()).id, Self.result("")) }
        work.written(work.batch(most: 1))
        #expect(work.rooms == [0: .some, 1: .some])
        work.written(work.batch(most: 1))
        #expect(work.rooms == [0: .much, 1: .some])
        // What was refused is read again.
        isTrue(work.take(Self.message(0, 4)) == .taken)
    }

    /// Of the bytes a partition takes no more than it leaves; one that is alone takes all.
    @Test func bytesAreLeftToOthers() {
        func long(_ partition: Int32, _ offset: Int64) -> KafkaMessage {
            KafkaMessage(
                partition: partition, offset: offset, key: nil,
                value: Array(repeating: 0, count: 100))
        }
        var work = TopicWork(mostOpen: 100, mostHeldBytes: 1000, keepsKeyOrder: false)
        work.given(0)
        var count: Int64 = 0
        while work.rooms[0] != TopicWork.Room.none {
            isTrue(work.take(long(0, count)) == .taken)
            count += 1
        }
        #expect(count == 10 && !work.hasRoomForBytes)
        _ = work.taken(0)
        work.given(0)
        work.given(1)
        count = 0
        while work.rooms[0] != TopicWork.Room.none {
            isTrue(work.take(long(0, count)) == .taken)
            count += 1
        }
        #expect(count == 5 && work.hasRoomForBytes)
        #expect(work.rooms == [0: .none, 1: .much])
        isTrue(work.take(long(1, 0)) == .taken)
        #expect(work.rooms == [0: .none, 1: .much])
        isTrue(work.take(long(1, 1)) == .taken)
        #expect(work.rooms == [0: .none, 1: .some])
    }

    /// However much the first one has: of what is more than fits, each partition has its turn.
    @Test(arguments: [true, false]) func allPartitionsAreWrittenInTurn(_ isSingle: Bool) throws {
        var work = TopicWork(mostOpen: 100, keepsKeyOrder: false)
        let value = [UInt8](repeating: 0, count: TopicWork.mostBatchBytes)
        for partition in 0..<3 as Range<Int32> {
            work.given(partition)
            for offset in 0..<5 as Range<Int64> {
                let message = KafkaMessage(
                    partition: partition, offset: offset, key: nil, value: isSingle ? [] : value)
                isTrue(work.take(message) == .taken)
                work.ended(try some(work.next()).id, Self.result("x"))
            }
        }
        var order: [Int32] = []
        for _ in 0..<7 {
            let batch = isSingle ? work.batch(most: 1, ofOne: true) : work.batch(most: 64)
            #expect(batch.entries.count == 1)
            order += batch.entries.map(\.message.partition)
            work.written(batch)
        }
        #expect(order == [0, 1, 2, 0, 1, 2, 0])
    }

    @Test func messagesOfAKeyGoOneAfterTheOther() throws {
        var work = TopicWork(mostOpen: 8, keepsKeyOrder: true)
        work.given(0)
        work.given(1)
        isTrue(work.take(Self.message(0, 0, key: "a")) == .taken)
        isTrue(work.take(Self.message(1, 0, key: "a")) == .taken)
        isTrue(work.take(Self.message(1, 1, key: "b")) == .taken)
        let first = try some(work.next())
        let other = try some(work.next())
        #expect(other.message == Self.message(1, 1, key: "b"))
        let none = work.next()
        #expect(none == nil)
        work.ended(first.id, Self.result(""))
        let last = try some(work.next()).message
        #expect(last == Self.message(1, 0, key: "a"))
    }

    @Test func whatIsGivenBackIsNeverWritten() throws {
        var work = TopicWork(mostOpen: 8, keepsKeyOrder: true)
        work.given(0)
        isTrue(work.take(Self.message(0, 0, key: "a")) == .taken)
        isTrue(work.take(Self.message(0, 1, key: "a")) == .taken)
        work.givenBack(try some(work.next()).id)
        let next = try some(work.next())
        isTrue(work.ended(next.id, Self.result("b")))
        #expect(work.batch(most: 10).isEmpty)
    }

    /// A broker, and what it was told to go on from.
    private struct Broker {
        var next: [Int64]
        var committed: [Int64]
        var written: [[Int64]]
        var mine: Set<Int32> = []
    }

    @Test(arguments: 0..<40) func everyMessageHasOneResultHoweverPartitionsMove(_ seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let count = 4
        let keepsKeyOrder = seed % 2 == 0
        let last: Int64 = 60
        let bound = 1 + seed % 7
        var work = TopicWork(mostOpen: bound, keepsKeyOrder: keepsKeyOrder)
        var broker = Broker(
            next: Array(repeating: 0, count: count), committed: Array(repeating: 0, count: count),
            written: Array(repeating: [], count: count))
        var running: [Int: KafkaMessage] = [:]
        for step in 0..<20_000 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                let place = Int32.random(in: 0..<Int32(count), using: &random)
                if broker.mine.remove(place) != nil {
                    _ = work.taken(place)
                } else {
                    broker.mine.insert(place)
                    broker.next[Int(place)] = broker.committed[Int(place)]
                    work.given(place)
                }
            case 1...7:
                guard let place = broker.mine.randomElement(using: &random),
                    work.rooms[place] != TopicWork.Room.none,
                    broker.next[Int(place)] < last
                else { continue }
                let offset = broker.next[Int(place)]
                broker.next[Int(place)] += 1
                let key = Int64.random(in: 0..<3, using: &random)
                isTrue(work.take(Self.message(place, offset, key: "\(key)")) == .taken)
            case 8...12:
                guard let next = work.next() else { continue }
                if keepsKeyOrder {
                    #expect(!running.values.contains { $0.key == next.message.key })
                }
                running[next.id] = next.message
            case 13...16:
                guard let id = running.keys.sorted().randomElement(using: &random) else { continue }
                running[id] = nil
                work.ended(id, Self.result("x"))
            default:
                let batch = work.batch(most: 1 + step % 5)
                for entry in batch.entries {
                    broker.written[Int(entry.message.partition)].append(entry.message.offset)
                }
                for offset in work.offsets(of: batch) {
                    broker.committed[Int(offset.partition)] = offset.offset
                }
                work.written(batch)
            }
            #expect(running.count <= count * bound + 200, "seed \(seed)")
        }
        for place in broker.written.indices {
            let written = broker.written[place]
            #expect(written == Array(0..<Int64(written.count)), "seed \(seed), \(place)")
            #expect(written.count > 5, "seed \(seed), \(place)")
        }
    }
}

@Suite struct TopicPacingTests {
    private typealias Step = TopicPacing.Step
    private let free: [Int32: TopicWork.Room] = [0: .some, 1: .much]

    private static func at(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test func aShortMomentWithoutDemandIsBridged() {
        var pacing = TopicPacing()
        isSame(pacing.look(free, wantsMore: true, now: Self.at(0)), Step())
        isSame(pacing.look(free, wantsMore: false, now: Self.at(10)), Step())
        isSame(pacing.look(free, wantsMore: false, now: Self.at(1009)), Step())
        isSame(pacing.look(free, wantsMore: true, now: Self.at(1010)), Step())
        isSame(pacing.look(free, wantsMore: false, now: Self.at(1020)), Step())
        isSame(pacing.look(free, wantsMore: false, now: Self.at(2020)), Step(pauses: [0, 1]))
        #expect(pacing.isPaused)
        isSame(pacing.look(free, wantsMore: false, now: Self.at(3000)), Step())
        isSame(pacing.look(free, wantsMore: true, now: Self.at(3001)), Step(resumes: [0, 1]))
        isSame(pacing.look(free, wantsMore: true, now: Self.at(3002)), Step())
    }

    @Test func aPartitionWithoutRoomIsPausedByItselfUntilItHasMuch() {
        var pacing = TopicPacing()
        isSame(pacing.look([0: .none, 1: .some], wantsMore: true, now: Self.at(0)), Step())
        isSame(pacing.look([0: .some, 1: .some], wantsMore: true, now: Self.at(40)), Step())
        isSame(pacing.look([0: .none, 1: .some], wantsMore: true, now: Self.at(60)), Step())
        isSame(pacing.look([0: .none, 1: .some], wantsMore: true, now: Self.at(109)), Step())
        isSame(
            pacing.look([0: .none, 1: .some], wantsMore: true, now: Self.at(110)),
            Step(pauses: [0]))
        #expect(pacing.isPaused(0) && !pacing.isPaused(1) && !pacing.isPaused)
        isSame(pacing.look([0: .some, 1: .some], wantsMore: true, now: Self.at(120)), Step())
        isSame(pacing.look(free, wantsMore: false, now: Self.at(200)), Step())
        isSame(pacing.look(free, wantsMore: false, now: Self.at(1200)), Step(pauses: [1]))
        isSame(pacing.look(free, wantsMore: true, now: Self.at(1300)), Step(resumes: [1]))
        isSame(
            pacing.look([0: .much, 1: .some], wantsMore: true, now: Self.at(1400)),
            Step(resumes: [0]))
    }

    /// The consumer has it resumed, and a partition that comes is never paused.
    @Test func aPartitionThatComesAgainIsRead() {
        var pacing = TopicPacing()
        isSame(pacing.look([0: .none, 1: .some], wantsMore: true, now: Self.at(0)), Step())
        isSame(
            pacing.look([0: .none, 1: .some], wantsMore: true, now: Self.at(100)),
            Step(pauses: [0]))
        pacing.forget(0)
        isSame(pacing.look([1: .some], wantsMore: true, now: Self.at(200)), Step())
        isSame(pacing.look(free, wantsMore: true, now: Self.at(300)), Step())
        #expect(!pacing.isPaused(0))
        isSame(pacing.look([0: .none, 1: .some], wantsMore: true, now: Self.at(400)), Step())
    }

    @Test func aPartitionThatComesWhileNothingIsReadIsPausedToo() {
        var pacing = TopicPacing()
        isSame(pacing.look([1: .some], wantsMore: false, now: Self.at(0)), Step())
        isSame(pacing.look([1: .some], wantsMore: false, now: Self.at(1000)), Step(pauses: [1]))
        isSame(pacing.look(free, wantsMore: false, now: Self.at(1100)), Step(pauses: [0]))
        isSame(pacing.look(free, wantsMore: true, now: Self.at(1200)), Step(resumes: [0, 1]))
    }
}

@Suite struct OffsetWindowTests {
    @Test func offsetsMayHaveGaps() {
        var window = OffsetWindow<Int>(bound: 3)
        isTrue(window.begin(10) == .taken)
        isTrue(window.begin(20) == .taken)
        isTrue(window.begin(21) == .taken)
        isTrue(window.begin(22) == .full)
        isTrue(window.begin(21) == .known)
        #expect(!window.hasRoom)
        isTrue(!window.finish(15, 1))
        isTrue(window.finish(20, 2))
        isTrue(!window.finish(20, 3))
        #expect(window.ready(most: 9).isEmpty)
        isTrue(window.finish(10, 1))
        #expect(window.ready(most: 9).map(\.offset) == [10, 20])
        #expect(window.ready(most: 1).map(\.offset) == [10])
        window.written(through: 20)
        #expect(window.count == 1)
        #expect(window.hasRoom)
    }
}
