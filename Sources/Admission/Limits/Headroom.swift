// Room above what is used. A backend that is far from busy has a burst now and then; whoever comes in
// it should not wait, or be refused, for a limit that nothing speaks for.
//
// A limit that is seldom used up may also be far too high: then requests pile up inside the backend, and
// their clients leave before it is used up. That is found out by taking it down to where it binds.

/// Says to what a limit that is seldom used up may rise, or has to fall.
struct Headroom: Sendable {
    /// What an interval's end says of a limit.
    enum Advice: Equatable, Sendable {
        case rise(to: Double)
        /// Clients leave in numbers: to something that binds.
        case fall(to: Double)
    }

    /// Room is made when the limit is below the first multiple of the most in flight in the last
    /// interval, up to the second one.
    private static let factors = (least: 1.6, most: 2.0)
    /// By how much it rises at once.
    private static let step = 1.5
    /// The interval is as long at least, and as many service times.
    private static let interval = (seconds: 60.0, services: 4.0)
    /// The share of the time from which on a limit counts as used up, and is measured instead.
    private static let mostBoundShare = 0.1
    /// Departures in an interval that say something, how many there are for each success, and what part of
    /// the most in flight is used up all the time.
    private static let leastDepartures = 8
    private static let departuresOfSuccesses = 0.5
    private static let fall = 0.5

    private var since: Instant?
    private var boundSecondsBefore = 0.0
    private var successesBefore = 0
    private var departuresBefore = 0
    private var peakInFlight = 0

    /// What to do about a limit; nil, except at an interval's end, and when it has room enough or is used
    /// up.
    mutating func advise(
        _ limit: Double, _ meter: ConcurrencyMeter, now: Instant
    ) -> Advice? {
        peakInFlight = max(peakInFlight, meter.inFlight)
        let length = max(Self.interval.seconds, Self.interval.services * meter.serviceSeconds)
        let elapsed = since.map { now.seconds(since: $0) } ?? .infinity
        guard elapsed >= length else { return nil }
        let peak = Double(peakInFlight)
        let bound = meter.boundSeconds - boundSecondsBefore
        let successes = meter.successes - successesBefore
        let departures = meter.departures - departuresBefore
        since = now
        boundSecondsBefore = meter.boundSeconds
        successesBefore = meter.successes
        departuresBefore = meter.departures
        peakInFlight = meter.inFlight
        guard elapsed.isFinite, meter.successes > 0, bound < Self.mostBoundShare * elapsed
        else { return nil }
        if Double(departures) > Self.departuresOfSuccesses * Double(successes) {
            return departures < Self.leastDepartures ? nil : .fall(to: Self.fall * peak)
        }
        guard limit < Self.factors.least * peak else { return nil }
        return .rise(to: min(Self.step * limit, Self.factors.most * peak))
    }
}
