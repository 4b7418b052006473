// A limit that is seldom used up: it rises with what is in flight, and falls where clients leave.

import Testing

@testable import Admission

@Suite struct HeadroomTests {
    /// What is advised after a minute with so many in flight of 100, and so many ends.
    private func advice(
        inFlight: Int, limit: Int = 100, successes: Int, departures: Int
    ) -> Headroom.Advice? {
        var headroom = Headroom()
        var meter = ConcurrencyMeter(now: at(0))
        #expect(headroom.advise(Double(limit), meter, now: at(0)) == nil)
        meter.set(inFlight: inFlight, limit: limit, now: at(1))
        for _ in 0..<successes {
            meter.succeeded(afterSeconds: 0.5, now: at(2))
        }
        for _ in 0..<departures { meter.left(afterSeconds: 0.5, now: at(3)) }
        meter.advance(to: at(61_000))
        return headroom.advise(Double(limit), meter, now: at(61_000))
    }

    @Test func itRisesWithWhatIsInFlight() {
        #expect(advice(inFlight: 80, successes: 40, departures: 0) == .rise(to: 150))
        #expect(advice(inFlight: 80, successes: 40, departures: 20) == .rise(to: 150))
        #expect(advice(inFlight: 40, successes: 40, departures: 0) == nil)
    }

    @Test func itFallsWhereManyLeave() {
        #expect(advice(inFlight: 40, successes: 10, departures: 20) == .fall(to: 20))
        #expect(advice(inFlight: 80, successes: 10, departures: 20) == .fall(to: 40))
    }

    @Test func aFewDeparturesSayNothing() {
        #expect(advice(inFlight: 80, successes: 2, departures: 7) == nil)
    }

    @Test func aLimitThatIsUsedUpIsMeasuredInstead() {
        #expect(advice(inFlight: 100, successes: 40, departures: 0) == nil)
        #expect(advice(inFlight: 100, successes: 10, departures: 20) == nil)
    }
}
