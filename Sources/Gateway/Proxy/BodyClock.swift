// How long a body takes its client: the time in which the gateway would read it. What a full buffer, a
// queue or a slow backend costs is not the client's.

internal import Admission

/// The time in which a client was waited for to send its body.
struct BodyClock {
    /// When the present wait began; zero while there is none.
    private var since = Instant(nanoseconds: 0)
    /// Earlier waits, in nanoseconds.
    private var spentNanoseconds: Int64 = 0

    /// The client is waited for from `now` on, if it was not before.
    mutating func start(now: Instant) { if since.nanoseconds == 0 { since = now } }

    /// Nothing is waited for.
    mutating func stop(now: Instant) {
        guard since.nanoseconds != 0 else { return }
        spentNanoseconds += now.nanoseconds(since: since)
        since = Instant(nanoseconds: 0)
    }

    /// When `nanoseconds` will have been waited in all, while the clock runs.
    func reaches(_ nanoseconds: Int64) -> Instant {
        since.advanced(byNanoseconds: nanoseconds - spentNanoseconds)
    }
}
