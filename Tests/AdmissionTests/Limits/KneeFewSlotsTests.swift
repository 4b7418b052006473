// Limits of few slots, of which each is a large step: that the next lower one is gone to and at once, that the lowest is
// not cut, and that a ceiling is left behind where nothing is to be feared beyond it.

import Testing

@testable import Admission

@Suite struct KneeFewSlotsTests {
    private static func knee(level: Double) -> KneeLimit {
        var knee = KneeLimit(KneeLimitSettings(), seed: 1, now: at(0))
        knee.phase = .compare
        knee.center = level
        knee.hold(level, now: at(0))
        return knee
    }

    /// Where clients leave at two and not at one, the limit is one: there is nothing between.
    @Test func belowTwoIsOne() {
        var knee = KneeLimit(KneeLimitSettings(), seed: 1, now: at(0))
        var meter = ConcurrencyMeter(now: at(0))
        var now = at(0)
        var steps = (atOne: 0, all: 0)
        var moves: [LimitMove] = []
        for step in 0..<3_000 {
            let count = Int(knee.limit)
            meter.set(inFlight: count, limit: count, now: now)
            now = now.advanced(byNanoseconds: 100_000_000)
            if step > 1_000 {
                steps.all += 1
                steps.atOne += count == 1 ? 1 : 0
            }
            // One slot serves one each step; with two inside all but a few leave.
            if count == 1 || step % 10 == 0 {
                meter.succeeded(afterSeconds: 0.1, now: now)
                let sample = Sample(latencyNanoseconds: 100_000_000, inFlight: count, now: now)
                if let move = knee.update(sample, meter) { moves.append(move) }
            } else {
                for _ in 0..<count {
                    meter.left(afterSeconds: 0.15, now: now)
                    meter.wasted(seconds: 0.15, now: now)
                }
            }
            if now >= knee.nextLook, let move = knee.look(meter, now: now) { moves.append(move) }
        }
        #expect(2 * steps.atOne > steps.all, "\(steps), \(moves.map { ($0.to, $0.reason) })")
    }

    @Test(arguments: [(from: 4.0, to: 1.0, at: 1.0), (from: 40, to: 30, at: 40)])
    func fewSlotsAreGivenUpAtOnce(_ from: Double, _ to: Double, _ inForce: Double) {
        var knee = Self.knee(level: from)
        knee.hold(to, now: at(1_000), gently: true)
        #expect(knee.limit == inForce)
    }

    @Test func theLowestLimitIsNotCut() {
        var knee = Self.knee(level: 1)
        #expect(knee.cut(now: at(1_000)) == nil)
        #expect(!knee.isCut && knee.ceiling == .infinity)
        knee = Self.knee(level: 2)
        #expect(knee.cut(now: at(1_000)) != nil)
        #expect(knee.isCut)
    }

    /// Beyond a ceiling steps grow while nothing says overload there, and are small again after a cut.
    @Test func stepsBeyondACeilingGrow() {
        var knee = Self.knee(level: 20)
        knee.ceiling = 20
        var centers: [Double] = []
        for _ in 0..<4 {
            let high = knee.pairLevel(isHigh: true)
            var low = KneeSide(level: knee.center)
            var above = KneeSide(level: high)
            for (level, inFlight) in [(0, Int(knee.center)), (1, Int(high))] {
                var meter = ConcurrencyMeter(now: at(0))
                meter.set(inFlight: inFlight, limit: inFlight, now: at(0))
                let before = meter
                for _ in 0..<(inFlight * 100) {
                    meter.succeeded(afterSeconds: 0.1, now: at(10_000))
                }
                if level == 0 { low.add(from: before, to: meter) }
                if level == 1 { above.add(from: before, to: meter) }
            }
            knee.high = above
            guard let verdict = knee.verdict(low, above) else { break }
            _ = knee.move(verdict, now: at(10_000))
            centers.append(knee.center)
        }
        let steps = zip([20] + centers, centers).map { $1 / $0 }
        #expect(steps.count == 4 && steps[3] > 1.2 && steps[0] < 1.15, "\(steps)")
        _ = knee.cut(now: at(20_000))
        #expect(knee.pairLevel(isHigh: true) <= 1.25 * knee.center)
        #expect(knee.passes == 0)
    }

    /// The times of long requests tell of a level once those that began before it have ended.
    @Test func longRequestsThatBeganBeforeTellNothing() {
        var knee = Self.knee(level: 8)
        var meter = ConcurrencyMeter(now: at(0))
        meter.set(inFlight: 8, limit: 8, now: at(0))
        var now: Int64 = 0
        func end(after milliseconds: Int64, tenant kind: UInt8) {
            meter.succeeded(afterSeconds: Double(milliseconds) / 1_000, now: at(now))
            var sample = Sample(
                latencyNanoseconds: milliseconds * 1_000_000, inFlight: 8, now: at(now))
            sample.kind = kind
            _ = knee.update(sample, meter)
        }
        // Nothing is measured yet; what is usual is learnt.
        knee.nextLook = .distantFuture
        for _ in 0..<40 {
            now += 250
            for _ in 0..<9 { end(after: 500, tenant: 1) }
            end(after: 6_000, tenant: 2)
        }
        knee.hold(10, now: at(now))
        knee.lastMeter = meter
        knee.nextLook = .distantFuture
        now += 2_000
        end(after: 500, tenant: 1)
        end(after: 6_000, tenant: 2)
        #expect(knee.side.timed.count == 1)
        now += 8_000
        end(after: 6_000, tenant: 2)
        #expect(knee.side.timed.count == 2)
    }
}
