// Room above what is used. A backend that is far from busy has a burst now and then; whoever comes in
// it should not wait, or be refused, for a limit that nothing speaks for.

/// Says to what a limit that is seldom used up may rise.
struct Headroom: Sendable {
    /// Room is made when the limit is below the first multiple of the most in flight in the last
    /// interval, up to the second one.
    private static let factors = (least: 1.6, most: 2.0)
    /// By how much it rises at once.
    private static let step = 1.5
    /// The interval is as long at least, and as many service times.
    private static let interval = (seconds: 60.0, services: 4.0)
    /// The share of the time from which on a limit counts as used up, and is measured instead.
    private static let mostBoundShare = 0.1

    private var since: Instant?
    private var boundSecondsBefore = 0.0
    private var peakInFlight = 0

    /// What the limit may rise to; nil, except at an interval's end, and when it has room enough or
    /// is used up.
    mutating func rise(from limit: Double, _ meter: ConcurrencyMeter, now: Instant) -> Double? {
        peakInFlight = max(peakInFlight, meter.inFlight)
        let length = max(Self.interval.seconds, Self.interval.services * meter.serviceSeconds)
        let elapsed = since.map { now.seconds(since: $0) } ?? .infinity
        guard elapsed >= length else { return nil }
        let peak = Double(peakInFlight)
        let bound = meter.boundSeconds - boundSecondsBefore
        since = now
        boundSecondsBefore = meter.boundSeconds
        peakInFlight = meter.inFlight
        guard elapsed.isFinite, meter.successes > 0, bound < Self.mostBoundShare * elapsed,
            limit < Self.factors.least * peak
        else { return nil }
        return min(Self.step * limit, Self.factors.most * peak)
    }
}
