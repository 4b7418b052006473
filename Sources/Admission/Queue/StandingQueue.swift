// Whether what waits in a flow is a burst that passes, or more than there will be room for.

/// Whether a flow's queue stands.
///
/// CoDel's test (Nichols, Jacobson: "Controlling Queue Delay", ACM Queue 2012): the *minimum* of
/// the wait over an interval is above a target. CoDel's 5 ms do not fit here; closed loops of clients
/// keep queues of tens of milliseconds that harm nobody. The target is a quarter of what the flow's
/// clients bear beside the service, at most of the longest wait. While the queue stands, new requests
/// may join it only if they would not wait longer than that, so it ends when some have waited for less
/// than an eighth of the target.
struct StandingQueue: Sendable {
    /// Whether the queue stands.
    private(set) var isStanding = false
    private var intervalEnd: Instant?
    private var minimumNanoseconds = Int64.max

    /// A request of the flow is granted that has waited for that long.
    mutating func observe(
        waitNanoseconds wait: Int64, now: Instant, target: Int64, interval: Int64
    ) {
        minimumNanoseconds = min(minimumNanoseconds, wait)
        guard let end = intervalEnd else {
            intervalEnd = now.advanced(byNanoseconds: interval)
            return
        }
        guard now >= end else { return }
        isStanding = minimumNanoseconds > (isStanding ? target / 8 : target)
        minimumNanoseconds = .max
        intervalEnd = now.advanced(byNanoseconds: interval)
    }

    /// Nobody waits any more.
    mutating func emptied() { self = StandingQueue() }
}
