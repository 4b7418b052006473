// Quotas by the minute: what a bucket lets through, what is owed, and what refused clients are told.

import Testing

@testable import Admission

@Suite struct RateBucketTests {
    private func instant(_ seconds: Double) -> Instant {
        Instant(nanoseconds: Int64(seconds * 1e9))
    }

    @Test func itHoldsOneMinutesWorthAndFillsSteadily() {
        var bucket = RateBucket(perMinute: 60)
        bucket.advance(to: instant(0))
        for _ in 0..<60 {
            #expect(bucket.secondsUntil(1) == 0)
            bucket.take(1)
        }
        #expect(abs(bucket.secondsUntil(1) - 1) < 1e-6)
        bucket.advance(to: instant(1))
        #expect(bucket.secondsUntil(1) == 0)
        bucket.advance(to: instant(1_000))
        #expect(bucket.level == 60)
    }

    @Test func whatIsLargerThanTheBucketIsTakenFromAFullOneAndOwed() {
        var bucket = RateBucket(perMinute: 600)
        bucket.advance(to: instant(0))
        #expect(bucket.secondsUntil(6_000) == 0)
        #expect(bucket.reservation(700) == 700)
        let taken = bucket.reservation(6_000)
        #expect(taken == 1_200)
        bucket.take(Double(taken))
        #expect(abs(bucket.secondsUntil(1) - 60.1) < 1e-6)
        #expect(abs(bucket.secondsUntil(6_000) - 120) < 1e-6)
        #expect(bucket.quota()?.remaining == 0)
        // What it came to is owed once that is told.
        bucket.settle(taken: Double(taken), used: 6_000, .counted)
        #expect(abs(bucket.secondsUntil(1) - 540.1) < 1e-6)
        #expect(RateBucket().reservation(.max) == .max)
        #expect(RateBucket(perMinute: .max).reservation(.max) == .max)
    }

    /// However much is said to have been used, the bucket fills again within a bounded time.
    @Test func whatIsOwedHasABound() {
        var bucket = RateBucket(perMinute: 600)
        bucket.advance(to: instant(0))
        for _ in 0..<3 {
            bucket.settle(taken: 10, used: 1e12, .guessed)
            #expect(bucket.level == -600)
        }
        bucket.settle(used: 300, .counted)
        #expect(bucket.level == -900)
        // A guess neither adds to that nor takes it away.
        bucket.settle(taken: 0, used: 50, .guessed)
        #expect(bucket.level == -900)
        bucket.settle(taken: 100, used: 50, .guessed)
        #expect(bucket.level == -850)
        for _ in 0..<3 { bucket.settle(used: 1e12, .counted) }
        #expect(bucket.level == -36_000)
        #expect(bucket.secondsUntilFull == 3_660)
    }

    @Test func aBoundThatMovesKeepsWhatWasUsed() {
        var bucket = RateBucket(perMinute: 100)
        bucket.advance(to: instant(0))
        bucket.take(30)
        bucket.reconfigure(perMinute: 200)
        #expect(bucket.level == 140)
        bucket.reconfigure(perMinute: 20)
        #expect(bucket.level == 14)
        // What is owed is no more than the new bucket holds.
        bucket.take(300)
        bucket.reconfigure(perMinute: 10)
        #expect(bucket.level == -10)
        bucket.reconfigure(perMinute: nil)
        #expect(bucket.secondsUntil(1e9) == 0 && bucket.quota() == nil)
        bucket.reconfigure(perMinute: 5)
        #expect(bucket.level == 5)
    }

    /// However it is used, no more than a bucket full and what flows in comes out of it.
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func nobodyGetsMoreThanTheRate(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var bucket = RateBucket(perMinute: 1_000)
        var taken = 0.0
        var seconds = 0.0
        for _ in 0..<20_000 {
            seconds += random.nextUnit() * 0.02
            bucket.advance(to: instant(seconds))
            let units = Double(1 + random.next(below: 50))
            guard bucket.secondsUntil(units) == 0 else { continue }
            bucket.take(units)
            // What comes back was not used; sometimes more was used than expected.
            let left = Double(random.next(below: 60)) - 20
            bucket.give(min(left, units))
            taken += units - min(left, units)
        }
        let most = 1_000 + seconds * 1_000 / 60 + 70
        #expect(taken <= most, "seed \(seed): \(taken) of \(most)")
        #expect(taken >= 0.9 * (seconds * 1_000 / 60), "seed \(seed): \(taken)")
    }

    @Test func thoseRefusedTogetherAreToldToComeBackOneAfterTheOther() {
        var bucket = RateBucket(perMinute: 600)
        bucket.advance(to: instant(0))
        bucket.take(600)
        let promised = (0..<200).map { _ in bucket.promise(1, now: instant(0)) }
        for (index, seconds) in promised.enumerated() {
            #expect(abs(seconds - Double(index + 1) / 10) < 1e-6)
        }
        let many = (0..<1_000).map { _ in bucket.promise(1, now: instant(0)) }
        #expect(many.allSatisfy { $0 > 0 && $0 <= 60 })
    }
}
