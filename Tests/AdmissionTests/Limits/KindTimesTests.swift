// Times are compared kind by kind.

import Testing

@testable import Admission

@Suite struct KindTimesTests {
    /// So many requests of each kind, of which each takes its time and a tenth more or less.
    private func times(_ counts: [Int], _ seconds: [Double], seed: UInt64 = 1) -> KindTimes {
        var random = SplitMix64(seed: seed)
        var times = KindTimes()
        for (kind, count) in counts.enumerated() {
            for _ in 0..<count {
                times.add(
                    seconds: seconds[kind] * (0.9 + 0.2 * random.nextUnit()), kind: UInt8(kind))
            }
        }
        return times
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func anotherMixtureIsNoOtherSpeed(seed: UInt64) throws {
        let low = times([100, 10], [0.1, 10], seed: seed)
        let high = times([10, 40], [0.1, 10], seed: seed + 7)
        // Taken together they would take fifty times as long.
        #expect((high.meanSeconds ?? 0) > 6 * (low.meanSeconds ?? 1))
        let means = try #require(KindTimes.means(low: low, high: high))
        let ratio = means.high.seconds / means.low.seconds
        #expect((0.95...1.05).contains(ratio), "\(ratio), seed \(seed)")
        #expect(means.low.variance < 0.001 && means.high.variance < 0.001, "seed \(seed)")
    }

    @Test func whatTakesTwiceAsLongIsSeen() throws {
        let low = times([30, 30, 5], [0.1, 1, 10])
        let high = times([5, 50, 10], [0.2, 2, 20])
        let means = try #require(KindTimes.means(low: low, high: high))
        #expect((1.9...2.1).contains(means.high.seconds / means.low.seconds))
    }

    /// One kind alone is what it was without kinds: mean and standard error of all.
    @Test func oneKindIsAll() throws {
        var low = KindTimes()
        var high = KindTimes()
        for time in [1.0, 2, 3] { low.add(seconds: time, kind: 5) }
        for time in [2.0, 4] { high.add(seconds: time, kind: 5) }
        #expect(low.meanSeconds == 2 && high.meanSeconds == 3)
        // The sum of squared deviations over the square of the sum, times n / (n - 1).
        #expect(abs(low.relativeVariance - 2.0 / 36 * 1.5) < 1e-12)
        let means = try #require(KindTimes.means(low: low, high: high))
        #expect(abs(means.high.seconds / means.low.seconds - 1.5) < 1e-12)
        #expect(abs(means.low.variance - low.relativeVariance) < 1e-12)
    }

    /// What only one level has seen is left out, unless neither has seen anything of the other's.
    @Test func whatIsNotSeenAtBothSaysNothing() throws {
        let low = times([20, 0], [0.1, 10])
        let high = times([20, 20], [0.1, 10])
        let means = try #require(KindTimes.means(low: low, high: high))
        #expect((0.95...1.05).contains(means.high.seconds / means.low.seconds))
        let others = try #require(
            KindTimes.means(low: times([20, 0], [0.1, 10]), high: times([0, 20], [0.1, 10])))
        #expect(others.high.seconds > 50 * others.low.seconds)
        #expect(KindTimes.means(low: KindTimes(), high: high) == nil)
    }

    /// A single request leaves much doubt, and none at all where there is no other.
    @Test func oneRequestIsLittle() {
        #expect(times([1], [1]).relativeVariance == .infinity)
        #expect(times([100, 1], [0.01, 1]).relativeVariance > 0.2)
        #expect(times([100, 1], [1, 1]).relativeVariance < 0.001)
    }
}
