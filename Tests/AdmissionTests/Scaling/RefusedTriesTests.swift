// How many tries were refused of late.

import Testing

@testable import Admission

@Suite struct RefusedTriesTests {
    private func instant(_ seconds: Double) -> Instant {
        Instant(nanoseconds: Int64(seconds * 1e9))
    }

    private func run(_ tries: inout RefusedTries, from: Int, seconds: Int, each: Int) {
        for second in from..<from + seconds {
            for index in 0..<each {
                tries.note(now: instant(Double(second) + Double(index) / Double(each)))
            }
        }
    }

    @Test func aSteadyRateIsFoundInAMinute() {
        var tries = RefusedTries()
        run(&tries, from: 10, seconds: 15, each: 20)
        // 63 % after the time constant.
        #expect(abs(tries.perSecond(now: instant(25)) - 20 * 0.632) < 0.5)
        run(&tries, from: 25, seconds: 60, each: 20)
        #expect(abs(tries.perSecond(now: instant(85)) - 20) < 0.3)
    }

    @Test func itFadesWithoutFurtherOnes() {
        var tries = RefusedTries()
        run(&tries, from: 0, seconds: 100, each: 10)
        let before = tries.perSecond(now: instant(100))
        #expect(abs(tries.perSecond(now: instant(115)) / before - 0.368) < 0.01)
        #expect(tries.perSecond(now: instant(300)) == 0)
        // To look changes nothing.
        #expect(tries.perSecond(now: instant(100)) == before)
    }

    @Test func longSilenceIsForgottenAtOnce() {
        var tries = RefusedTries()
        run(&tries, from: 0, seconds: 30, each: 10)
        let later = instant(1e6)
        #expect(tries.perSecond(now: later) == 0)
        let isExplained = tries.explainsReturn(now: later)
        #expect(!isExplained)
        tries.note(now: later)
        #expect(tries.perSecond(now: instant(1e6 + 1)) > 0.06)
    }

    @Test func eachRefusedTryExplainsOneReturn() {
        var tries = RefusedTries()
        run(&tries, from: 0, seconds: 1, each: 3)
        let later = instant(1.5)
        var explained = 0
        for _ in 0..<5 where tries.explainsReturn(now: later) { explained += 1 }
        #expect(explained == 3)
        #expect(!tries.mayReturn)
        // Who has not come in minutes will hardly come.
        run(&tries, from: 10, seconds: 1, each: 3)
        let isLate = tries.explainsReturn(now: instant(1_000))
        #expect(!isLate)
    }

    /// A clock that goes back must not make time.
    @Test func timeThatGoesBackChangesNothing() {
        var tries = RefusedTries()
        run(&tries, from: 100, seconds: 50, each: 10)
        let rate = tries.perSecond(now: instant(150))
        tries.note(now: instant(90))
        #expect(tries.perSecond(now: instant(150)) >= rate)
    }
}
