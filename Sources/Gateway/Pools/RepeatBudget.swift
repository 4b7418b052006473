// How many requests may be sent a second time although the first may have been begun. Without a bound
// a backend that fails doubles its own load.
//
// Finagle's form (RetryBudget): each request earns a share of a repetition, a few a second are there
// anyway, and what is not used goes within ten seconds. Requests are counted elsewhere already, so that
// they cost nothing here: the budget is brought up to date when somebody asks it.

internal import Admission

/// A pool's budget of repetitions, in one reactor.
struct RepeatBudget {
    private var tokens = 0.0
    private var requestsSeen: UInt64 = 0
    private var lookedAt: Instant?

    /// Repetitions for each request.
    private static let share = 0.1
    /// Repetitions a second that may be made in any case.
    private static let floorPerSecond = 1.0
    /// For how long they are kept.
    private static let keptSeconds = 10.0

    /// Takes one repetition, if there is one; `requests` have come since the start.
    mutating func take(requests: UInt64, now: Instant) -> Bool {
        bringUpToDate(requests, now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    private mutating func bringUpToDate(_ requests: UInt64, _ now: Instant) {
        let kept = RepeatBudget.keptSeconds
        // What came before the first look may have come at any time, and counts as the last seconds'.
        let elapsed =
            lookedAt.map { max(0, Double(now.nanoseconds(since: $0)) / 1e9) } ?? kept
        let fresh = requests > requestsSeen ? Double(requests - requestsSeen) : 0
        let recent = fresh * min(1, kept / max(elapsed, 1e-9))
        tokens *= max(0, 1 - elapsed / kept)
        tokens += RepeatBudget.share * recent + RepeatBudget.floorPerSecond * min(elapsed, kept)
        requestsSeen = max(requestsSeen, requests)
        lookedAt = now
    }
}
