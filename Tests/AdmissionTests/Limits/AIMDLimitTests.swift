import Testing

@testable import Admission

@Suite struct AIMDLimitTests {
    private func sample(
        _ milliseconds: Int64, inFlight: Int, dropped: Bool = false, at now: Int64
    ) -> Sample {
        Sample(
            latencyNanoseconds: milliseconds * 1_000_000, inFlight: inFlight, isDropped: dropped,
            now: Admission.Instant(nanoseconds: now * 1_000_000))
    }

    @Test func itGrowsByOneOnlyWhileItBinds() {
        var limit = AIMDLimit(AIMDLimitSettings())
        #expect(limit.update(sample(100, inFlight: 19, at: 0)) == nil)
        #expect(
            limit.update(sample(100, inFlight: 20, at: 1))
                == LimitMove(from: 20, to: 21, reason: .growth))
        // Granted under the limit of 20: says nothing about 21.
        #expect(limit.update(sample(100, inFlight: 20, at: 2)) == nil)
        #expect(
            limit.update(sample(100, inFlight: 21, at: 3))
                == LimitMove(from: 21, to: 22, reason: .growth))
    }

    @Test func aCohortOfDropsCutsOnce() {
        var limit = AIMDLimit(AIMDLimitSettings())
        var moves: [LimitMove] = []
        for id in 0..<64 as Range<Int64> {
            if let move = limit.update(sample(50, inFlight: 20, dropped: true, at: id)) {
                moves.append(move)
            }
        }
        #expect(moves == [LimitMove(from: 20, to: 18, reason: .drop)])
        // Neither growth nor another cut until a second has passed since the first.
        #expect(limit.update(sample(50, inFlight: 20, at: 999)) == nil)
        #expect(limit.update(sample(50, inFlight: 20, dropped: true, at: 999)) == nil)
        #expect(limit.limit == 18)
        #expect(
            limit.update(sample(50, inFlight: 18, at: 1000))
                == LimitMove(from: 18, to: 19, reason: .growth))
    }

    @Test func theHoldLastsAsLongAsRequestsDo() {
        var limit = AIMDLimit(AIMDLimitSettings())
        // The mean latency is 4 s, below the time-out.
        _ = limit.update(sample(4000, inFlight: 1, at: 0))
        _ = limit.update(sample(10, inFlight: 20, dropped: true, at: 100))
        #expect(limit.limit == 18)
        #expect(limit.update(sample(10, inFlight: 20, dropped: true, at: 4099)) == nil)
        #expect(limit.update(sample(10, inFlight: 20, dropped: true, at: 4100)) != nil)
        #expect(abs(limit.limit - 16.2) < 1e-9)
    }

    @Test func aLateResponseIsADrop() {
        var limit = AIMDLimit(AIMDLimitSettings())
        #expect(
            limit.update(sample(5001, inFlight: 20, at: 6000))
                == LimitMove(from: 20, to: 18, reason: .timeout))
        #expect(limit.update(sample(6000, inFlight: 20, at: 11_000)) == nil)
        #expect(limit.update(sample(5001, inFlight: 18, at: 11_001))?.reason == .timeout)
    }

    @Test func itStaysWithinItsBounds() {
        var settings = AIMDLimitSettings()
        settings.initial = 2
        settings.max = 3
        settings.min = 2
        var limit = AIMDLimit(settings)
        #expect(limit.update(sample(1, inFlight: 2, at: 0)) != nil)
        #expect(limit.update(sample(1, inFlight: 3, at: 1)) == nil)
        for second in 1...20 as ClosedRange<Int64> {
            _ = limit.update(sample(1, inFlight: 3, dropped: true, at: second * 2000))
        }
        #expect(limit.limit == 2)
        settings.min = 1
        limit.reconfigure(settings)
        #expect(limit.limit == 2)
        settings.max = 1
        limit.reconfigure(settings)
        #expect(limit.limit == 1)
    }

    @Test func aFixedLimitNeverMoves() {
        let start = Instant(nanoseconds: 0)
        let meter = ConcurrencyMeter(now: start)
        var limiter = Limiter(.fixed(FixedLimitSettings(limit: 5)), seed: 1, now: start)
        #expect(limiter.update(sample(1, inFlight: 5, at: 0), meter) == nil)
        #expect(limiter.update(sample(1, inFlight: 5, dropped: true, at: 5000), meter) == nil)
        #expect(limiter.limit == 5)
        #expect(limiter.exact == 5)
    }
}
