// A limit that begins near that of others of the kind, and what a new backend's way up is judged by.

import Testing

@testable import Admission

@Suite struct WarmStartTests {
    private static func knee() -> KneeLimit {
        KneeLimit(KneeLimitSettings(), seed: 1, now: at(0))
    }

    @Test(arguments: [(200.0, 50.0), (40, 10), (12, 4), (4, 4), (2.5, 2.5), (1, 1)])
    func aQuarterIsBegunWith(target: Double, first: Double) {
        var knee = Self.knee()
        _ = knee.begin(towards: target, now: at(0))
        #expect(knee.limit == first)
        #expect(knee.phase == .approach && !knee.isKnown)
        // A new one's settings bound it as well.
        var settings = KneeLimitSettings()
        settings.max = 3
        settings.initial = 1
        var bounded = KneeLimit(settings, seed: 1, now: at(0))
        _ = bounded.begin(towards: target, now: at(0))
        #expect(bounded.limit == min(first, 3))
    }

    @Test func theWayUpIsDoublings() {
        var knee = Self.knee()
        _ = knee.begin(towards: 100, now: at(0))
        var meter = ConcurrencyMeter(now: at(0))
        var limits: [Double] = []
        for second in 1...4 as ClosedRange<Int64> {
            meter.set(
                inFlight: Int(knee.limit), limit: Int(knee.limit), now: at(1_000 * second - 900))
            meter.advance(to: at(1_000 * second))
            _ = knee.look(meter, now: at(1_000 * second))
            limits.append(knee.limit)
        }
        #expect(Array(limits.prefix(2)) == [50, 100])
        #expect(knee.phase == .compare)
    }

    @Test func whoseLimitIsNotUsedUpStaysWhereItBegan() {
        var knee = Self.knee()
        _ = knee.begin(towards: 100, now: at(0))
        var meter = ConcurrencyMeter(now: at(0))
        meter.set(inFlight: 5, limit: 25, now: at(1))
        meter.advance(to: at(60_000))
        #expect(knee.look(meter, now: at(60_000)) == nil && knee.limit == 25)
    }

    /// One of another kind climbs from where it is.
    @Test func theWayUpCanBeLeft() {
        var knee = Self.knee()
        _ = knee.begin(towards: 100, now: at(0))
        knee.endApproach(now: at(1))
        #expect(knee.phase == .climb && knee.limit == 25 && !knee.isKnown)
        var other = Self.knee()
        other.endApproach(now: at(1))
        #expect(other.phase == .climb && other.limit == Self.knee().limit)
    }

    /// Without siblings whose limits are known a new backend begins as any does.
    @Test func nothingIsTakenOverFromThoseThatKnowNothing() {
        var settings = AdmissionSettings()
        settings.limit = .knee(KneeLimitSettings())
        let pool = PoolDriver(settings, backends: ["a", "b", "c"])
        pool.controller.replaceBackends(["a", "b", "c", "d"], now: at(1_000))
        #expect(pool.status(3, at: at(1_000))?.limit == KneeLimitSettings().initial)
        #expect(pool.controller.backends[3].warmth == nil)
    }
}
