import Testing

@testable import Admission

@Suite struct RetryBudgetTests {
    private static func at(_ seconds: Double) -> Instant {
        Instant(nanoseconds: Int64(seconds * 1e9))
    }

    /// How many of `asked` retries a second are allowed over 100 s, at so many requests a second.
    private func allowed(_ asked: Int, rate: Int) -> Int {
        var budget = RetryBudget(RetrySettings())
        var count = 0
        for step in 0..<(100 * 100) {
            let now = Self.at(Double(step) / 100)
            for _ in 0..<(rate / 100) { budget.deposit(now: now) }
            for _ in 0..<(asked / 100) where budget.allowsRetry(now: now) {
                budget.withdraw(now: now)
                count += 1
            }
        }
        return count
    }

    @Test func aTenthAndTheFloorAreAllowed() {
        // 1,000 of the requests' and 100 of the floor; the window is up to twice as long for what
        // was spent as for the floor's income.
        let busy = allowed(100, rate: 100)
        #expect((900...1_120).contains(busy), "\(busy)")
        let quiet = allowed(100, rate: 0)
        #expect((45...110).contains(quiet), "\(quiet)")
    }

    @Test func nothingIsSavedUp() {
        var budget = RetryBudget(RetrySettings())
        for second in 0..<3_600 {
            for _ in 0..<100 { budget.deposit(now: Self.at(Double(second))) }
        }
        var count = 0
        while budget.allowsRetry(now: Self.at(3_600)) {
            budget.withdraw(now: Self.at(3_600))
            count += 1
        }
        // The last ten to twenty seconds' tenth, and the floor.
        #expect((100...212).contains(count), "\(count)")
    }

    @Test func withoutABudgetNothingIsTriedAgain() {
        var settings = RetrySettings()
        settings.share = 0
        settings.floorPerSecond = 0
        var budget = RetryBudget(settings)
        for _ in 0..<1_000 { budget.deposit(now: Self.at(1)) }
        let isAllowed = budget.allowsRetry(now: Self.at(1))
        #expect(!isAllowed)
    }
}
