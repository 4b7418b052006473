// Whether a tenant asks for much more than it gets, and has done so for a while. Clients that try
// again three times then mostly send requests that are refused again, and keep those of others
// out.

/// What a tenant asked for and got, in stretches of time.
///
/// The test is that of client-side throttling in Google's Site Reliability Engineering, chapter 21,
/// with K = 2: requests > K · accepts. Two whole stretches in a row have to show it, so that one
/// burst does not.
struct Demand: Sendable {
    private static let stretchNanoseconds: Int64 = 10_000_000_000
    /// Fewer requests than this in a stretch show nothing.
    private static let leastRequests = 20

    private var start: Instant?
    private var granted = 0
    private var refused = 0
    /// Stretches in a row, up to the last whole one, in which more than half were refused.
    private var excessiveStretches = 0

    /// Whether more than twice what was granted has been asked for throughout the last stretches.
    var isExcessive: Bool { excessiveStretches >= 2 }

    /// A request was started.
    mutating func recordGrant(now: Instant) {
        advance(to: now)
        granted += 1
    }

    /// A request was refused because there was not room for all.
    mutating func recordRefusal(now: Instant) {
        advance(to: now)
        refused += 1
    }

    /// Ends the stretch that is over by `now`.
    mutating func advance(to now: Instant) {
        guard let start else {
            self.start = now
            return
        }
        let elapsed = now.nanoseconds(since: start)
        guard elapsed >= Self.stretchNanoseconds else { return }
        let requests = granted + refused
        let isExcess = requests >= Self.leastRequests && requests > 2 * granted
        // A stretch in which nobody asked ends the row.
        let isNext = elapsed < 2 * Self.stretchNanoseconds
        excessiveStretches = isExcess && isNext ? min(excessiveStretches + 1, 2) : 0
        granted = 0
        refused = 0
        self.start = start.advanced(
            byNanoseconds: elapsed / Self.stretchNanoseconds * Self.stretchNanoseconds)
    }
}
