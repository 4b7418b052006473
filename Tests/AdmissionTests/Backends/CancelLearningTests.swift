// What is learnt of closed connections, against engines made of one formula: work that nobody counts makes
// the others' longer, if the engine goes on with it.

import Testing

@testable import Admission

@Suite struct CancelLearningTests {
    private static let serviceNanoseconds: Int64 = 100_000_000
    private static let limit = 16

    private static func at(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }

    /// An engine whose every slot is wanted and of whose clients a third leave half way.
    private struct Engine {
        let stops: Bool
        var learning = CancelLearning()
        var random: SplitMix64
        var now: Int64 = 0
        /// Ends of work that was closed, whether or not it goes on.
        var closedEnds: [Int64] = []
        var mostClosed = 0

        init(stops: Bool, seed: UInt64) {
            self.stops = stops
            random = SplitMix64(seed: seed)
        }

        /// One request's end; every third time also a departure.
        mutating func step(_ number: Int) {
            now += CancelLearningTests.serviceNanoseconds / Int64(CancelLearningTests.limit)
            let now = self.now
            closedEnds.removeAll { $0 <= now }
            let closed = learning.closedCount(now: at(now))
            let uncounted = stops ? 0 : closedEnds.count
            let noise = 0.8 + 0.4 * random.nextUnit()
            let nanoseconds =
                Double(CancelLearningTests.serviceNanoseconds) * noise
                * (1 + Double(uncounted) / Double(CancelLearningTests.limit))
            if closed > 0 {
                learning.learn(
                    besideClosed: Int32(closed), inFlight: CancelLearningTests.limit,
                    nanosecondsPerUnit: nanoseconds)
            } else {
                learning.learn(nanosecondsPerUnit: nanoseconds)
            }
            guard number % 3 == 0 else { return }
            let rest = CancelLearningTests.serviceNanoseconds / 2
            if closes(rest: rest, isBound: true) { closedEnds.append(now + rest) }
            mostClosed = max(mostClosed, closedEnds.count)
        }

        mutating func closes(rest: Int64, isBound: Bool) -> Bool {
            learning.closes(
                rest: rest, longestRest: 2 * rest, service: CancelLearningTests.serviceNanoseconds,
                isBound: isBound, limit: CancelLearningTests.limit, now: at(now), random: &random)
        }

        private func at(_ nanoseconds: Int64) -> Instant { CancelLearningTests.at(nanoseconds) }
    }

    /// Which way each of twenty engines of a kind is judged, and how many were closed at a time before.
    private func verdicts(stops: Bool) -> (right: Int, wrong: Int, mostClosed: Int) {
        var result = (right: 0, wrong: 0, mostClosed: 0)
        for seed in UInt64(0)..<20 {
            var engine = Engine(stops: stops, seed: seed)
            for number in 0..<60_000 where engine.learning.verdict == .unknown {
                engine.step(number)
            }
            let isRight = engine.learning.verdict == (stops ? .stops : .continues)
            result.right += isRight ? 1 : 0
            result.wrong += isRight || engine.learning.verdict == .unknown ? 0 : 1
            result.mostClosed = max(result.mostClosed, engine.mostClosed)
        }
        return result
    }

    @Test func enginesThatStopAreFoundOut() {
        let found = verdicts(stops: true)
        #expect(found.right >= 19 && found.wrong <= 1, "\(found), seeds 0 to 19")
    }

    /// Work that nobody counts is at most an eighth of the limit, twice once it looks harmless.
    @Test func enginesThatGoOnAreFoundOutBeforeItHurts() {
        let found = verdicts(stops: false)
        #expect(found.right == 20 && found.wrong == 0, "\(found), seeds 0 to 19")
        #expect(found.mostClosed <= 2 * Self.limit / 8)
    }

    /// Nothing is closed while it is not known, where nobody else wants the slot.
    @Test func withoutNeedTheWorkGoesOn() {
        var engine = Engine(stops: true, seed: 1)
        for number in 0..<1_000 {
            engine.now = Int64(number) * 50_000_000
            let closes = engine.closes(rest: Self.serviceNanoseconds, isBound: false)
            #expect(!closes)
        }
        #expect(engine.learning.verdict == .unknown)
    }

    /// What an engine reports of itself settles it in eight reports, either way.
    @Test(arguments: [(inside: 16, stops: true), (inside: 18, stops: false)])
    func reportsSettleIt(inside: Int, stops: Bool) {
        var engine = Engine(stops: stops, seed: 2)
        // Two are closed as soon as a stretch of time says so.
        while engine.learning.closedCount(now: Self.at(engine.now)) < 2 {
            engine.now += 10_000_000
            _ = engine.closes(rest: 10_000_000_000, isBound: true)
        }
        for number in 0..<8 {
            #expect(engine.learning.verdict == .unknown, "after \(number) reports")
            engine.learning.note(inside: inside, inFlight: 16, now: Self.at(engine.now))
        }
        #expect(engine.learning.verdict == (stops ? .stops : .continues))
        let closes = engine.closes(rest: Self.serviceNanoseconds, isBound: true)
        #expect(closes == stops)
        // Engines are upgraded: after a quarter of an hour it is looked at anew.
        engine.now += 901_000_000_000
        _ = engine.closes(rest: Self.serviceNanoseconds, isBound: true)
        #expect(engine.learning.verdict == .unknown)
    }

    /// A report without closed work inside says nothing.
    @Test func reportsOfNothingSayNothing() {
        var learning = CancelLearning()
        for _ in 0..<100 { learning.note(inside: 40, inFlight: 16, now: Self.at(0)) }
        #expect(learning.verdict == .unknown)
    }
}
