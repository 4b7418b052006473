import Testing

@testable import Admission

@Suite struct RetryAfterTests {
    @Test func theFloorDoublesWhileRejectionsKeepComing() {
        var floor = RetryAfterFloor()
        var perSecond: [Int] = []
        for second in 0..<70 as Range<Int64> {
            for part in 0..<3 as Range<Int64> {
                floor.recordRejection(now: at(second * 1000 + part * 300))
            }
            perSecond.append(floor.seconds)
        }
        // Doubled at most once in as many seconds as it is: at 1, 3, 7, 15 and 31 s.
        let steps = (1..<70).filter { perSecond[$0] != perSecond[$0 - 1] }
        #expect(steps == [1, 3, 7, 15, 31])
        #expect(perSecond.last == 32)
    }

    @Test func fewRejectionsLeaveItAlone() {
        var floor = RetryAfterFloor()
        for step in 0..<200 as Range<Int64> { floor.recordRejection(now: at(step * 500)) }
        #expect(floor.seconds == 1)
    }

    @Test func itComesDownASecondPerSecond() {
        var floor = RetryAfterFloor()
        for step in 0..<80 as Range<Int64> { floor.recordRejection(now: at(step * 100)) }
        #expect(floor.seconds == 8)
        // The last rejection was at 7.9 s. The window of 8 s has fewer than 8 only when they have
        // aged.
        floor.recordRejection(now: at(15_500))
        #expect(floor.seconds == 8)
        floor.recordRejection(now: at(18_500))
        #expect(floor.seconds == 5)
        floor.recordRejection(now: at(3_600_000))
        #expect(floor.seconds == 1)
    }

    @Test func jitterAddsUpToHalf() {
        var random = SplitMix64(seed: 7)
        var lowest = Int.max
        var highest = 0
        for _ in 0..<10_000 {
            let milliseconds = RetryAfter.milliseconds(
                waitSeconds: 4, floorSeconds: 1, random: &random)
            lowest = min(lowest, milliseconds)
            highest = max(highest, milliseconds)
        }
        #expect((4000...4010).contains(lowest))
        #expect((5990...6000).contains(highest))
    }

    @Test func theFloorHoldsAndNothingExceedsAMinute() {
        var random = SplitMix64(seed: 7)
        for wait in [-.infinity, -1, 0, 1e-9, 1, 40, 41, 1e300, .infinity, .nan] as [Double] {
            for floor in [1, 2, 32] {
                let milliseconds = RetryAfter.milliseconds(
                    waitSeconds: wait, floorSeconds: floor, random: &random)
                #expect((floor * 1000...60_000).contains(milliseconds), "\(wait) \(floor)")
            }
        }
    }

    @Test func secondsAreRoundedUp() {
        for (milliseconds, seconds) in [
            (1, 1), (1000, 1), (1001, 2), (59_001, 60), (60_000, 60), (-5, 1), (99_999, 60),
        ] {
            let rejection = Rejection(reason: .queueFull, retryAfterMilliseconds: milliseconds)
            #expect(rejection.retryAfterSeconds == seconds)
            #expect((1...60_000).contains(rejection.retryAfterMilliseconds))
        }
    }

    /// A million rejections under every kind of load: always an integer from 1 to 60.
    @Test func itIsAlwaysWithinItsBounds() {
        let seed: UInt64 = 20_260_101
        var random = SplitMix64(seed: seed)
        var floor = RetryAfterFloor()
        var now: Int64 = 0
        var worst = 1...1
        for _ in 0..<1_000_000 {
            // Steps from nothing to some minutes, waits from nothing to some hours.
            let stepBits = random.next(below: 38)
            now += Int64(random.next(below: 1 << stepBits)) / 64
            floor.recordRejection(now: Instant(nanoseconds: now))
            let wait = Double(random.next(below: 1 << random.next(below: 24))) / 1000
            let milliseconds = RetryAfter.milliseconds(
                waitSeconds: wait, floorSeconds: floor.seconds, random: &random)
            let seconds = Rejection(reason: .queueFull, retryAfterMilliseconds: milliseconds)
                .retryAfterSeconds
            worst = min(worst.lowerBound, seconds)...max(worst.upperBound, seconds)
            if !(1000...60_000).contains(milliseconds) || !(1...32).contains(floor.seconds) {
                Issue.record("\(milliseconds) ms, floor \(floor.seconds) s, seed \(seed)")
                return
            }
        }
        #expect(worst == 1...60, "seed \(seed)")
    }
}
