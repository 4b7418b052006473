// A topic's thread, between brokers that librdkafka plays and a lane that is a test.

import Foundation
import Logging
import Policy
import Reactor
import Synchronization
import Testing

@testable import Gateway
@testable import Telemetry

/// What a topic's thread has handed over.
private final class Desk: Sendable {
    let channel = TopicChannel()
    private let requests = Mutex<[LaneRequest]>([])
    private let releasedBytes = Mutex(0)
    private let cancelled = Mutex<Set<Int>>([])
    private let answered = Mutex(0)

    var cancelledCount: Int { cancelled.withLock { $0.count } }

    var count: Int { requests.withLock { $0.count } }
    var released: Int { releasedBytes.withLock { $0 } }

    func take(_ request: LaneRequest) -> Bool {
        requests.withLock { $0.append(request) }
        channel.arrived()
        return true
    }

    func cancel(_ keys: Set<Int>) { cancelled.withLock { $0.formUnion(keys) } }

    /// Answers what came since the last call, but for those at the places of `exceptions`.
    func answerNew(except exceptions: Set<Int> = []) {
        let range = answered.withLock { done in
            let range = done..<count
            done = range.upperBound
            return range
        }
        for index in range where !exceptions.contains(index) { answer(index..<index + 1) }
    }

    func release(_ bytes: Int) { releasedBytes.withLock { $0 += bytes } }

    /// Answers those of the requests that `range` says, in another order.
    func answer(_ range: Range<Int>, status: Int = 200) {
        for request in requests.withLock({ Array($0[range]) }).reversed() {
            var result = LaneResult(key: request.key)
            result.status = status
            result.body = Array("{}".utf8)
            channel.give(result)
        }
    }
}

@Suite(.serialized) struct TopicReaderTests {
    private static func settings(_ addresses: String) -> TopicSettings {
        var settings = TopicSettings()
        settings.name = "questions"
        settings.brokers = addresses.split(separator: ",").map(String.init)
        settings.topic = "asked"
        settings.group = "gateways"
        settings.results = "answered"
        // These brokers forget members that leave no sooner than others.
        settings.properties = [
            SetField(name: "session.timeout.ms", value: FieldValue(text: "6000"))
        ]
        return settings
    }

    private static func write(
        _ count: Int, after bad: Int = 0, keyed: Bool = false, to addresses: String
    ) throws {
        let producer = try KafkaProducer([KafkaProperty("bootstrap.servers", addresses)])
        for index in 0..<bad + count {
            let line =
                index < bad
                ? "none" : #"{"custom_id":"r\#(index)","method":"POST","url":"/v1/x","body":{}}"#
            let key = keyed ? Array("k\(index)".utf8) : nil
            let record = KafkaRecord(topic: "asked", key: key, value: Array(line.utf8))
            #expect(producer.send(record, tag: 0) == nil)
        }
        #expect(producer.flush(milliseconds: 10_000))
        producer.close()
    }

    /// The results in a topic, when there are so many.
    private static func results(_ count: Int, in topic: String, of addresses: String) throws
        -> [String]
    {
        try messages(count, in: topic, of: addresses).map {
            String(decoding: $0.value, as: UTF8.self)
        }
    }

    private static func messages(_ count: Int, in topic: String, of addresses: String) throws
        -> [KafkaMessage]
    {
        let reader = try KafkaConsumer(
            topic: topic,
            [
                KafkaProperty("bootstrap.servers", addresses), KafkaProperty("group.id", "tests"),
                KafkaProperty("auto.offset.reset", "earliest"),
            ])
        defer { reader.close() }
        var found: [KafkaMessage] = []
        for _ in 0..<200 where found.count < count {
            if case .message(let message) = reader.poll(milliseconds: 100) {
                found.append(message)
            }
            _ = reader.changes()
            reader.applyChanges()
        }
        return found
    }

    private static func within(_ seconds: Int = 20, _ what: String, _ holds: () -> Bool) {
        for _ in 0..<seconds * 100 {
            if holds() { return }
            Thread.sleep(forTimeInterval: 0.01)
        }
        Issue.record("not within \(seconds) s: \(what)")
    }

    private static func ends(_ cluster: KafkaProducer, of topic: String) -> Int64 {
        (0..<4).reduce(0) {
            $0 + (cluster.offsets(of: topic, $1, milliseconds: 2000)?.upperBound ?? 0)
        }
    }

    private static func begin(_ settings: TopicSettings, _ desk: Desk) throws -> SystemThread {
        let reader = TopicReader(
            settings, desk.channel, identity: "test", finishNanoseconds: 5_000_000_000,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            submit: { desk.take($0) }, release: { desk.release($0) },
            cancel: { desk.cancel($0) })
        return try SystemThread(name: "topic") { reader.run() }
    }

    @Test func aTopicIsReadAsItsLaneHasDemand() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(40, to: addresses)
        let desk = Desk()
        let channel = desk.channel
        let thread = try Self.begin(Self.settings(addresses), desk)
        Thread.sleep(forTimeInterval: 1)
        #expect(desk.count == 0)
        channel.offer(4)
        Self.within(20, "four requests") { desk.count == 4 }
        Thread.sleep(forTimeInterval: 0.5)
        #expect(desk.count == 4)
        // One is in hand.
        #expect(channel.figures.readCount <= 5)
        desk.answer(0..<4)
        channel.offer(100)
        Self.within(20, "all requests") { desk.count == 40 }
        desk.answer(4..<40)
        Self.within(20, "all results") { channel.figures.completedCount == 40 }
        #expect(desk.released == 80)
        #expect(Self.ends(cluster, of: "answered") == 40)
        Self.within(20, "no lag") { channel.figures.lags == [0: 0, 1: 0, 2: 0, 3: 0] }
        channel.enter(.finishes)
        thread.join()
    }

    /// A lane has no part in what is no request, and gives no further demand for it.
    @Test func linesThatAreNoneTakeNoRoomFromOthers() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(3, after: 40, to: addresses)
        let desk = Desk()
        let channel = desk.channel
        channel.offer(4)
        let thread = try Self.begin(Self.settings(addresses), desk)
        Self.within(20, "three requests") { desk.count == 3 }
        desk.answer(0..<3)
        Self.within(20, "all results") {
            channel.figures.completedCount == 3 && channel.figures.failedCount == 40
        }
        channel.enter(.finishes)
        thread.join()
    }

    @Test func whatIsUnderWayIsWrittenAtTheEndAndTheRestIsReadAgain() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(20, to: addresses)
        let first = Desk()
        first.channel.offer(8)
        let thread = try Self.begin(Self.settings(addresses), first)
        Self.within(20, "eight requests") { first.count == 8 }
        first.channel.enter(.finishes)
        first.answer(0..<8)
        thread.join()
        #expect(first.channel.figures.completedCount == 8)
        let second = Desk()
        second.channel.offer(100)
        let other = try Self.begin(Self.settings(addresses), second)
        Self.within(40, "the others") { second.count == 12 }
        try #require(second.count == 12)
        second.answer(0..<11)
        second.answer(11..<12, status: 503)
        Self.within(20, "their results") {
            second.channel.figures.completedCount == 11 && second.channel.figures.deadCount == 1
        }
        second.channel.enter(.ends)
        other.join()
        #expect(Self.ends(cluster, of: "answered") == 19)
        #expect(Self.ends(cluster, of: "asked.dead") == 1)
    }

    /// A partition with a message that takes long is full; the others are not.
    @Test func oneSlowMessageHoldsUpItsPartitionOnly() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(200, keyed: true, to: addresses)
        let sizes = (0..<4).map {
            cluster.offsets(of: "asked", $0, milliseconds: 2000)?.upperBound ?? 0
        }
        #expect(sizes.min() ?? 0 > 20)
        var settings = Self.settings(addresses)
        settings.mostOpen = 4
        let desk = Desk()
        let channel = desk.channel
        channel.offer(16)
        let thread = try Self.begin(settings, desk)
        let others = 200 - Int(sizes.max() ?? 0)
        Self.within(30, "results of the other partitions") {
            desk.answerNew(except: [0])
            channel.offer(16)
            return channel.figures.completedCount >= others
        }
        desk.answer(0..<1)
        Self.within(20, "all results") {
            desk.answerNew()
            channel.offer(16)
            return channel.figures.completedCount == 200
        }
        #expect(channel.figures.errorCount == 0)
        #expect(desk.count == 200)
        #expect(Self.ends(cluster, of: "answered") == 200)
        channel.enter(.finishes)
        thread.join()
    }

    /// Brokers refuse a batch as a whole, and do not say for which of its messages.
    @Test func onlyWhatIsTooLargeIsToldSo() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(20, to: addresses)
        let desk = Desk()
        let channel = desk.channel
        channel.offer(20)
        let thread = try Self.begin(Self.settings(addresses), desk)
        Self.within(20, "all requests") { desk.count == 20 }
        cluster.playRefusals(of: 0, code: 10, count: 1)
        desk.answer(0..<1)
        Self.within(20, "the one that went by itself") { channel.figures.failedCount == 1 }
        cluster.playRefusals(of: 0, code: 10, count: 1)
        desk.answer(1..<20)
        Self.within(20, "those that went together") { channel.figures.completedCount == 19 }
        let results = try Self.results(20, in: "answered", of: addresses)
        #expect(results.count == 20)
        let told = results.filter { $0.contains("answer_too_large") }
        #expect(told.count == 1)
        #expect(told.allSatisfy { $0.contains(#""custom_id":"r"#) })
        channel.enter(.finishes)
        thread.join()
    }

    /// It says so in the end, and tries again after a while.
    @Test(arguments: [false, true])
    func whatIsTooLargeHoweverShortIsTold(_ isTransactional: Bool) throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(1, keyed: true, to: addresses)
        var settings = Self.settings(addresses)
        settings.isTransactional = isTransactional
        let desk = Desk()
        let channel = desk.channel
        channel.offer(20)
        let thread = try Self.begin(settings, desk)
        Self.within(20, "the request") { desk.count == 1 }
        // As it is, as an error, and that without its key.
        cluster.playRefusals(of: 0, code: 10, count: 3)
        desk.answer(0..<1)
        Self.within(20, "what is wrong") {
            channel.figures.refusal.hasPrefix("topic answered takes nothing: ")
        }
        Self.within(20, "the result") { channel.figures.failedCount == 1 }
        let found = try Self.messages(1, in: "answered", of: addresses)
        #expect(found.map(\.key) == [nil])
        #expect(found.allSatisfy { String(decoding: $0.value, as: UTF8.self).contains("r0") })
        Self.within(10, "nothing wrong") { channel.figures.refusal.isEmpty }
        channel.enter(.finishes)
        thread.join()
    }

    @Test func aTopicOfResultsThatIsNotThereIsTold() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(4, to: addresses)
        cluster.playFault(of: "answered", code: 3)
        let desk = Desk()
        let channel = desk.channel
        channel.offer(20)
        let thread = try Self.begin(Self.settings(addresses), desk)
        Self.within(20, "all requests") { desk.count == 4 }
        desk.answer(0..<4)
        Self.within(30, "what is wrong") {
            channel.figures.refusal.hasPrefix("topic answered takes nothing: ")
                && channel.figures.refusal.hasSuffix(
                    "; make the topic, or have brokers make it (auto.create.topics.enable)")
                && !channel.figures.isUp
        }
        cluster.playFault(of: "answered", code: 0)
        Self.within(40, "all results") { channel.figures.completedCount == 4 }
        Self.within(10, "nothing wrong") {
            channel.figures.refusal.isEmpty && channel.figures.isUp
        }
        // Nothing was asked anew.
        #expect(desk.count == 4)
        channel.enter(.finishes)
        thread.join()
    }

    /// It stays a member, says why it waits, and asks nothing anew.
    @Test func aTopicOfResultsWithoutReplicasIsWaitedFor() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(1, to: addresses)
        let desk = Desk()
        let channel = desk.channel
        channel.offer(20)
        let thread = try Self.begin(Self.settings(addresses), desk)
        Self.within(20, "the request") { desk.count == 1 }
        // Too few replicas, ten times a second.
        cluster.playRefusals(of: 0, code: 19, count: 190)
        desk.answer(0..<1)
        Self.within(30, "what is wrong") {
            channel.figures.refusal.contains("its brokers answer, and have taken nothing for 1")
                && !channel.figures.isUp
        }
        #expect(channel.figures.partitionCount == 4)
        Self.within(40, "the result") { channel.figures.completedCount == 1 }
        Self.within(10, "nothing wrong") {
            channel.figures.refusal.isEmpty && channel.figures.isUp
        }
        #expect(desk.count == 1)
        #expect(Self.ends(cluster, of: "answered") == 1)
        channel.enter(.finishes)
        thread.join()
    }

    /// Whoever gets the partition asks it anew.
    @Test func whatIsUnderWayOfAPartitionThatGoesIsEnded() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(40, keyed: true, to: addresses)
        let first = Desk()
        first.channel.offer(100)
        let thread = try Self.begin(Self.settings(addresses), first)
        Self.within(20, "all requests") { first.count == 40 }
        let second = Desk()
        second.channel.offer(100)
        let other = try Self.begin(Self.settings(addresses), second)
        Self.within(40, "some requests at the other") { second.count > 0 }
        Self.within(20, "those of the partitions that went, ended") {
            first.cancelledCount == second.count
        }
        #expect((1..<40).contains(second.count))
        #expect(first.channel.figures.lateCount == second.count)
        first.answerNew()
        second.answerNew()
        Self.within(20, "all results") {
            first.channel.figures.completedCount + second.channel.figures.completedCount == 40
        }
        #expect(Self.ends(cluster, of: "answered") == 40)
        for desk in [first, second] { desk.channel.enter(.finishes) }
        thread.join()
        other.join()
    }

    /// What could not be written of a partition before it went is its next owner's to write.
    @Test func whatWaitsToBeWrittenGoesWithItsPartition() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(40, keyed: true, to: addresses)
        cluster.playFault(of: "answered", code: 3)
        let first = Desk()
        first.channel.offer(100)
        let thread = try Self.begin(Self.settings(addresses), first)
        Self.within(20, "all requests") { first.count == 40 }
        first.answerNew()
        Self.within(30, "what is wrong") { !first.channel.figures.refusal.isEmpty }
        let second = Desk()
        second.channel.offer(100)
        let other = try Self.begin(Self.settings(addresses), second)
        Self.within(40, "some requests at the other") { second.count > 0 }
        Self.within(20, "partitions that went") { first.channel.figures.partitionCount == 2 }
        Self.within(20, "all requests at the other") {
            second.channel.figures.partitionCount == 2 && second.channel.figures.openCount > 5
        }
        cluster.playFault(of: "answered", code: 0)
        Self.within(40, "all results") {
            second.answerNew()
            return first.channel.figures.completedCount + second.channel.figures.completedCount
                == 40
        }
        #expect(Self.ends(cluster, of: "answered") == 40)
        for desk in [first, second] { desk.channel.enter(.finishes) }
        thread.join()
        other.join()
    }

    /// Its partitions are another's then, who tells of them.
    @Test func aMemberThatIsLostTellsNothingMore() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(4, to: addresses)
        let desk = Desk()
        let channel = desk.channel
        channel.offer(20)
        let thread = try Self.begin(Self.settings(addresses), desk)
        Self.within(20, "all requests") { desk.count == 4 }
        Self.within(20, "figures") { channel.figures.isUp && channel.figures.lag == 4 }
        // A heartbeat is answered with: another one has its name.
        cluster.playRefusals(of: 12, code: 82, count: 1)
        Self.within(20, "the loss") { channel.figures.lastError.hasPrefix("cannot read topic") }
        let figures = channel.figures
        #expect(!figures.isUp && figures.partitionCount == 0 && figures.openCount == 0)
        #expect(figures.lags.isEmpty && !figures.isPaused)
        channel.enter(.finishes)
        thread.join()
    }

    /// It waits in the library, which would write it when it can, beside what is asked anew.
    @Test func whatWaitsInTheLibraryGoesWithItsPartition() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(1, to: addresses)
        let desk = Desk()
        let channel = desk.channel
        channel.offer(20)
        let thread = try Self.begin(Self.settings(addresses), desk)
        Self.within(20, "the request") { desk.count == 1 }
        // Too few replicas, ten times a second.
        cluster.playRefusals(of: 0, code: 19, count: 80)
        desk.answer(0..<1)
        Thread.sleep(forTimeInterval: 0.5)
        // A heartbeat is answered with: nobody knows this member.
        cluster.playRefusals(of: 12, code: 25, count: 1)
        channel.offer(20)
        Self.within(30, "the request anew") { desk.count == 2 }
        desk.answer(1..<2)
        Self.within(30, "its result") { channel.figures.completedCount == 1 }
        Thread.sleep(forTimeInterval: 1)
        #expect(Self.ends(cluster, of: "answered") == 1)
        #expect(channel.figures.completedCount == 1)
        channel.enter(.finishes)
        thread.join()
    }

    @Test func brokersThatAreSilentDelayNoEnd() throws {
        let cluster = try KafkaProducer([KafkaProperty("test.mock.num.brokers", "1")])
        defer { cluster.close() }
        let addresses = try #require(cluster.playedBrokers)
        try Self.write(20, to: addresses)
        let desk = Desk()
        desk.channel.offer(20)
        let thread = try Self.begin(Self.settings(addresses), desk)
        Self.within(20, "all requests") { desk.count == 20 }
        cluster.playDelay(milliseconds: 30_000)
        desk.answer(0..<10)
        Thread.sleep(forTimeInterval: 0.2)
        let begin = ContinuousClock.now
        desk.channel.enter(.finishes)
        // Ten never end.
        thread.join()
        #expect(ContinuousClock.now - begin < .milliseconds(6500))
    }
}
