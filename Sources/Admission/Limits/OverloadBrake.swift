// When responses of 429, 503 and 529, or silence, may cut a limit: once for a cohort, and only when
// they are a real part of the responses. AIBrix #2452 measured why: halved at every error, 128 fell
// to single digits; one cut by a tenth for at least two errors that are a tenth of a window held
// it.

/// Counts the ends of requests and says when to brake.
struct OverloadBrake: Sendable {
    private static let leastDrops = 2
    private static let leastShare = 0.1
    private static let shortestSeconds = 1.0

    private var windowStart: Instant?
    private var successesBefore = 0
    private var dropsBefore = 0

    /// Whether to cut, after a request ended in an overload outcome.
    mutating func isDue(_ meter: ConcurrencyMeter, limit: Double, now: Instant) -> Bool {
        let seconds = max(Self.shortestSeconds, meter.serviceSeconds)
        let ends = meter.successes + meter.drops - successesBefore - dropsBefore
        if let start = windowStart {
            // A cut has been made: the cohort that was on its way then has nothing more to say.
            if now.seconds(since: start) < seconds { return false }
        }
        if Double(ends) > 2 * max(limit, 10) {
            // The window is full; this drop is the first of the next one.
            windowStart = nil
            successesBefore = meter.successes
            dropsBefore = meter.drops - 1
        }
        let drops = meter.drops - dropsBefore
        let successes = meter.successes - successesBefore
        guard drops >= Self.leastDrops,
            Double(drops) >= Self.leastShare * max(Double(drops + successes), 2 * max(limit, 10))
        else { return false }
        restart(meter, from: now)
        return true
    }

    private mutating func restart(_ meter: ConcurrencyMeter, from start: Instant?) {
        windowStart = start
        successesBefore = meter.successes
        dropsBefore = meter.drops
    }
}
