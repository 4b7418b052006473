// Responses that say overload whatever the limit is, and those that a lower limit would have spared.

import Testing

@testable import Admission

@Suite struct DropSharesTests {
    /// Counts `ends` requests at a limit, of which that share says overload.
    private static func count(
        _ shares: inout DropShares, _ meter: inout ConcurrencyMeter, limit: Double, ends: Int,
        share: Double
    ) {
        let drops = Int(Double(ends) * share)
        for _ in 0..<drops { meter.dropped() }
        for _ in drops..<ends {
            meter.succeeded(afterSeconds: 0.1, now: at(1))
        }
        shares.count(limit, meter)
    }

    @Test(
        arguments: [
            // As many at half of the limit; none there; many, but far fewer than at the limit.
            (limit: 12.0, lower: 6.0, share: 0.12, below: 0.11, isIndependent: true),
            (limit: 12.0, lower: 6.0, share: 0.2, below: 0.0, isIndependent: false),
            (limit: 12.0, lower: 6.0, share: 0.4, below: 0.1, isIndependent: false),
            // An engine with room for a tenth refuses most at half of the limit as well.
            (limit: 100.0, lower: 50.0, share: 0.9, below: 0.8, isIndependent: false),
            // A little less is not half.
            (limit: 12.0, lower: 9.0, share: 0.12, below: 0.11, isIndependent: false),
            (limit: 2.0, lower: 1.0, share: 0.12, below: 0.11, isIndependent: true),
        ])
    func halfOfTheLimitTells(
        _ limit: Double, _ lower: Double, _ share: Double, _ below: Double, _ isIndependent: Bool
    ) {
        var shares = DropShares()
        var meter = ConcurrencyMeter(now: at(0))
        Self.count(&shares, &meter, limit: limit, ends: 100, share: share)
        #expect(!shares.areIndependent(of: limit), "nothing is known of less")
        Self.count(&shares, &meter, limit: lower, ends: 100, share: below)
        #expect(shares.areIndependent(of: limit) == isIndependent)
        #expect(!shares.areIndependent(of: lower))
    }

    @Test func aFewEndsSayNothing() {
        var shares = DropShares()
        var meter = ConcurrencyMeter(now: at(0))
        Self.count(&shares, &meter, limit: 40, ends: 100, share: 0.1)
        Self.count(&shares, &meter, limit: 10, ends: 10, share: 0.1)
        #expect(!shares.areIndependent(of: 40))
        Self.count(&shares, &meter, limit: 10, ends: 10, share: 0.1)
        #expect(shares.areIndependent(of: 40))
        // What was long ago is forgotten by and by.
        for _ in 0..<20 { Self.count(&shares, &meter, limit: 10, ends: 100, share: 0) }
        #expect(!shares.areIndependent(of: 40))
    }

    /// The limit grows before a backend that refuses one request in ten whatever the limit, and is held before one
    /// that refuses what is beyond eight.
    @Test(arguments: [(refuses: 0.1, room: 1_000), (refuses: 0.0, room: 8)])
    func aLimitIsCutWhereThatHelps(_ refuses: Double, _ room: Int) {
        var knee = KneeLimit(KneeLimitSettings(), seed: 1, now: at(0))
        var meter = ConcurrencyMeter(now: at(0))
        var random = SplitMix64(seed: 2)
        var now = at(0)
        var highest = 0
        for step in 0..<3_000 {
            let count = Int(knee.limit)
            if step > 1_500 { highest = max(highest, count) }
            meter.set(inFlight: count, limit: count, now: now)
            now = now.advanced(byNanoseconds: 100_000_000)
            for place in 0..<count {
                var sample = Sample(latencyNanoseconds: 100_000_000, inFlight: count, now: now)
                if place >= room || random.nextUnit() < refuses {
                    meter.dropped()
                    sample.isDropped = true
                } else {
                    meter.succeeded(afterSeconds: 0.1, now: now)
                }
                _ = knee.update(sample, meter)
            }
            if now >= knee.nextLook { _ = knee.look(meter, now: now) }
        }
        #expect(room > 8 ? highest > 64 : highest < 16, "\(highest)")
    }
}
