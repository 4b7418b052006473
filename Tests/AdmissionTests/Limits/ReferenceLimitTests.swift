// The other projects' limits: single steps against numbers worked out by hand from their rules, and
// the flaw that each is known for.

import Testing

@testable import Admission

@Suite struct ReferenceLimitTests {
    private func sample(
        milliseconds: Double, inFlight: Int, at seconds: Double, isDropped: Bool = false
    ) -> Sample {
        Sample(
            latencyNanoseconds: Int64(milliseconds * 1e6), inFlight: inFlight,
            isDropped: isDropped, now: Instant(nanoseconds: Int64(seconds * 1e9)))
    }

    private func limiter(_ limit: ReferenceLimit) -> ReferenceLimiter {
        ReferenceLimiter(limit, seed: 1, now: Instant(nanoseconds: 0))
    }

    @Test func netflixAIMDStepsByOneAndCutsATenth() {
        var limit = NetflixAIMD()
        limit.update(sample(milliseconds: 10, inFlight: 10, at: 1))
        #expect(limit.limit == 21)
        limit.update(sample(milliseconds: 10, inFlight: 10, at: 1))
        #expect(limit.limit == 21, "half of the limit is not in use")
        for _ in 0..<9 { limit.update(sample(milliseconds: 10, inFlight: 30, at: 1)) }
        #expect(limit.limit == 30)
        limit.update(sample(milliseconds: 10, inFlight: 30, at: 2, isDropped: true))
        #expect(limit.limit == 27)
        // Whatever takes longer than 5 s counts as dropped, however well the server does.
        for _ in 0..<99 { limit.update(sample(milliseconds: 5001, inFlight: 30, at: 3)) }
        #expect(limit.limit == 20)
    }

    @Test func netflixGradient2ThrowsThinWindowsAway() {
        var limit = NetflixGradient2()
        for step in 0..<1000 {
            // Seven a second.
            limit.update(sample(milliseconds: 10, inFlight: 20, at: Double(step) / 7))
        }
        #expect(limit.limit == 20)
    }

    @Test func netflixGradient2GrowsByItsQueueAndIgnoresDrops() {
        var limit = NetflixGradient2()
        for step in 0...20 {
            limit.update(
                sample(
                    milliseconds: 10, inFlight: 20, at: Double(step) / 15 + 1, isDropped: true))
        }
        // One window: 0.8 · 20 + 0.2 · (20 · 1 + 4).
        #expect(abs(limit.limit - 20.8) < 1e-9)
    }

    @Test func netflixVegasTakesBatchingForAQueue() {
        var limit = NetflixVegas(seed: 1)
        limit.update(sample(milliseconds: 10, inFlight: 20, at: 0))
        limit.update(sample(milliseconds: 10, inFlight: 20, at: 0))
        #expect(limit.limit == 26, "no queue: six steps up")
        limit.update(sample(milliseconds: 20, inFlight: 20, at: 0))
        #expect(limit.limit == 25, "half of 26 is a queue above six steps: one down")
        limit.update(sample(milliseconds: 20, inFlight: 12, at: 0))
        #expect(limit.limit == 25, "less than half in use")
    }

    @Test func envoyPinsTheLimitUntilFiftyResponses() {
        var limit = EnvoyGradient(seed: 1, now: Instant(nanoseconds: 0))
        for step in 1...49 {
            limit.update(sample(milliseconds: 10, inFlight: 3, at: Double(step)))
        }
        limit.update(sample(milliseconds: 51_000, inFlight: 3, at: 50))
        #expect(limit.limit == 3)
        limit.update(sample(milliseconds: 10, inFlight: 3, at: 51))
        // The next window: min(1.25, 2) · 3 and its root, cut to whole requests.
        limit.update(sample(milliseconds: 10, inFlight: 3, at: 51.2))
        #expect(limit.limit == 5)
        // A minute later everything is refused again.
        for step in 0..<100 {
            limit.update(sample(milliseconds: 10, inFlight: 3, at: 52 + Double(step) / 10))
        }
        #expect(limit.limit > 15)
        limit.update(sample(milliseconds: 10, inFlight: 3, at: 125))
        #expect(limit.limit == 3)
    }

    @Test func vectorNeedsARoundTripForEachStep() {
        var limit = VectorARC()
        for step in 0...100 {
            limit.update(sample(milliseconds: 1000, inFlight: 300, at: Double(step) / 10))
        }
        #expect((7...11).contains(limit.limit), "\(limit.limit)")
        let before = limit.limit
        for step in 0...10 {
            limit.update(
                sample(
                    milliseconds: 1000, inFlight: 9, at: 10.1 + Double(step) / 10,
                    isDropped: step == 5))
        }
        #expect(limit.limit == Int(Double(before) * 0.9))
    }

    @Test func brpcLearnsTheLatencyUnderLoad() {
        var limit = BrpcAuto(seed: 1)
        // 200 answers a second of 10 s each: its two seconds of half the load end before one answer
        // that began in them.
        for step in 0..<60_000 {
            limit.update(sample(milliseconds: 10_000, inFlight: 2000, at: Double(step) / 200))
        }
        #expect(limit.limit > 2_000, "\(limit.limit)")
        var thin = BrpcAuto(seed: 1)
        for step in 0..<1_000 {
            thin.update(sample(milliseconds: 100, inFlight: 40, at: Double(step) / 20))
        }
        #expect(thin.limit == 40, "windows with less than a hundred answers are thrown away")
    }

    @Test func failsafeStepsByOneForFiftyResponses() {
        var limit = FailsafeLimit()
        for step in 0..<60 {
            limit.update(sample(milliseconds: 100, inFlight: 19, at: Double(step) / 25))
        }
        #expect((21...22).contains(limit.limit), "\(limit.limit)")
    }

    @Test(arguments: ReferenceLimit.allCases)
    func theyStayAboveNothing(_ which: ReferenceLimit) {
        var limit = limiter(which)
        var random = SplitMix64(seed: 7)
        for step in 0..<20_000 {
            let move = limit.update(
                sample(
                    milliseconds: 1 + 100 * random.nextUnit(), inFlight: random.next(below: 60),
                    at: Double(step) / 100, isDropped: random.next(below: 10) == 0))
            #expect(limit.limit >= 1 && limit.limit <= 100_000)
            if let move { #expect(move.to == limit.limit && move.from != move.to) }
        }
    }
}
