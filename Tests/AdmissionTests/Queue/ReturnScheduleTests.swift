import Testing

@testable import Admission

@Suite struct ReturnScheduleTests {
    /// Promises in milliseconds, each of a request that takes the pool `seconds`.
    private func promise(
        _ schedule: inout ReturnSchedule, wait: Double = 0.3, seconds: Double = 0.01,
        at now: Instant, _ random: inout SplitMix64
    ) -> Int {
        schedule.promise(waitSeconds: wait, requestSeconds: seconds, now: now, random: &random)
    }

    @Test func promisesLieOneBehindTheOther() {
        var schedule = ReturnSchedule()
        var random = SplitMix64(seed: 1)
        var all: [Int] = []
        for _ in 0..<200 { all.append(promise(&schedule, at: at(0), &random)) }
        // 200 requests of 10 ms behind a wait of 0.3 s, an eighth of it at the start; a tenth is
        // left to chance.
        #expect((300...331).contains(all[0]))
        #expect((540...610).contains(all[199]), "\(all[199])")
    }

    @Test func whatIsPastIsNoLongerInFront() {
        var schedule = ReturnSchedule()
        var random = SplitMix64(seed: 1)
        for _ in 0..<1_000 { _ = promise(&schedule, at: at(0), &random) }
        #expect(promise(&schedule, at: at(0), &random) > 1_400)
        #expect(promise(&schedule, at: at(1_400), &random) < 600)
        #expect(promise(&schedule, at: at(20_000), &random) < 400)
    }

    @Test func whereThereIsRoomNobodyIsSentAwayForLong() {
        var schedule = ReturnSchedule()
        var random = SplitMix64(seed: 1)
        for _ in 0..<1_000 { _ = promise(&schedule, at: at(0), &random) }
        schedule.ranDry(now: at(100))
        #expect(promise(&schedule, at: at(100), &random) < 400)
        // They had not come back: less is set aside for the next.
        for _ in 0..<1_000 { _ = promise(&schedule, at: at(100), &random) }
        #expect(promise(&schedule, at: at(100), &random) < 5_000)
    }

    @Test func quotasSaySecondsOfTheirOwn() {
        var random = SplitMix64(seed: 7)
        var lowest = Int.max
        var highest = 0
        for _ in 0..<10_000 {
            let milliseconds = ReturnSchedule.milliseconds(quotaSeconds: 4, random: &random)
            lowest = min(lowest, milliseconds)
            highest = max(highest, milliseconds)
        }
        #expect((4000...4010).contains(lowest))
        #expect((5990...6000).contains(highest))
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
        var schedule = ReturnSchedule()
        var now: Int64 = 0
        var worst = 1...1
        for _ in 0..<1_000_000 {
            // Steps from nothing to some minutes, waits from nothing to some hours.
            let stepBits = random.next(below: 38)
            now += Int64(random.next(below: 1 << stepBits)) / 64
            let wait = Double(random.next(below: 1 << random.next(below: 24))) / 1000
            let instant = Instant(nanoseconds: now)
            if random.next(below: 50) == 0 { schedule.ranDry(now: instant) }
            let waits: [Double] = [wait, .infinity, .nan, -1]
            let milliseconds = promise(
                &schedule, wait: waits[random.next(below: 20) / 17], at: instant, &random)
            let seconds = Rejection(reason: .queueFull, retryAfterMilliseconds: milliseconds)
                .retryAfterSeconds
            worst = min(worst.lowerBound, seconds)...max(worst.upperBound, seconds)
            if !(250...60_000).contains(milliseconds) {
                Issue.record("\(milliseconds) ms, seed \(seed)")
                return
            }
        }
        #expect(worst == 1...60, "seed \(seed)")
    }
}
