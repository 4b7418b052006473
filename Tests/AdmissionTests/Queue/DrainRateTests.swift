import Testing

@testable import Admission

@Suite struct DrainRateTests {
    @Test func itIsUnknownUntilSomethingSucceeded() {
        var rate = DrainRate()
        rate.advance(to: at(0), wasBusy: false)
        rate.advance(to: at(500), wasBusy: true)
        rate.recordBusyCompletion()
        #expect(rate.perSecond(limit: 10) == nil)
        rate.recordService(nanoseconds: 500_000_000)
        #expect(rate.perSecond(limit: 10) != nil)
        #expect(rate.perSecond(limit: 0) == nil)
    }

    @Test func withoutBusyTimeItIsLimitOverServiceTime() throws {
        var rate = DrainRate()
        rate.recordService(nanoseconds: 100_000_000)
        #expect(try abs(#require(rate.perSecond(limit: 20)) - 200) < 1e-9)
    }

    @Test func theServiceTimeIsARunningMean() throws {
        var rate = DrainRate()
        rate.recordService(nanoseconds: 100_000_000)
        rate.recordService(nanoseconds: 200_000_000)
        #expect(try abs(#require(rate.perSecond(limit: 1)) - 1 / 0.11) < 1e-9)
    }

    @Test func wideAndCostlyRequestsCountByWhatTheyAre() throws {
        var rate = DrainRate()
        // Two seats for 100 ms got 4 units done: one seat does 20 a second.
        rate.recordService(nanoseconds: 100_000_000, cost: 4, seats: 2)
        #expect(try abs(#require(rate.perSecond(limit: 1)) - 20) < 1e-9)
    }

    @Test func theUsualServiceTimeIsTheMedian() {
        var rate = DrainRate()
        #expect(rate.medianServiceNanoseconds == 0)
        // One in five takes twenty times as long.
        for index in 0..<500 {
            rate.recordService(nanoseconds: index % 5 == 0 ? 2_000_000_000 : 100_000_000)
        }
        #expect((80_000_000...130_000_000).contains(rate.medianServiceNanoseconds))
    }

    @Test func busyTimeAndItsCompletionsTakeOver() throws {
        var rate = DrainRate()
        rate.recordService(nanoseconds: 100_000_000)
        rate.advance(to: at(0), wasBusy: false)
        for step in 1...100 as ClosedRange<Int64> {
            rate.advance(to: at(step * 10), wasBusy: true)
            rate.recordBusyCompletion()
        }
        // (100 + 8) / (1 s + 8 · 0.1 s / 20)
        #expect(try abs(#require(rate.perSecond(limit: 20)) - 108 / 1.04) < 1e-9)
    }

    @Test func quietTimeSaysNothing() throws {
        var rate = DrainRate()
        rate.recordService(nanoseconds: 100_000_000)
        rate.advance(to: at(0), wasBusy: false)
        rate.advance(to: at(500), wasBusy: true)
        for _ in 0..<100 { rate.recordBusyCompletion() }
        let before = try #require(rate.perSecond(limit: 20))
        rate.advance(to: at(3500), wasBusy: false)
        #expect(rate.perSecond(limit: 20) == before)
        // Out of the window; limit over service time remains.
        rate.advance(to: at(5_000), wasBusy: false)
        #expect(try abs(#require(rate.perSecond(limit: 20)) - 200) < 1e-9)
    }

    @Test func aBackendThatHangsIsForgottenWithinTheWindow() throws {
        var rate = DrainRate()
        rate.recordService(nanoseconds: 100_000_000)
        rate.advance(to: at(0), wasBusy: false)
        // Five minutes without any event: only the last 4 s of it are held against the pool.
        rate.advance(to: at(300_500), wasBusy: true)
        let hung = try #require(rate.perSecond(limit: 20))
        #expect(abs(hung - 8 / (3.7 + 0.04)) < 1e-9)
        for step in 1...100 as ClosedRange<Int64> {
            rate.advance(to: at(300_500 + step * 100), wasBusy: true)
            for _ in 0..<20 { rate.recordBusyCompletion() }
        }
        #expect(try #require(rate.perSecond(limit: 20)) > 195)
    }
}
