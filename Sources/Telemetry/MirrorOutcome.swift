// What became of copies of requests; what became of the requests themselves is counted elsewhere.

/// What became of a request that was to be copied to a pool.
package enum MirrorOutcome: Int, CaseIterable, Sendable {
    /// A whole answer came, whatever it said.
    case answered
    /// The backend could not be connected to, broke off, sent no HTTP, or was too slow.
    case failed
    /// The pool had no room; nothing was copied.
    case refused
    /// Its body was too large, or not there as a whole; nothing was copied.
    case body
    /// As many copies, or bytes of them, as may be were under way; nothing was copied.
    case bound

    /// The value of the metric's `outcome` label.
    package var name: StaticString {
        switch self {
        case .answered: "answered"
        case .failed: "failed"
        case .refused: "refused"
        case .body: "body"
        case .bound: "bound"
        }
    }
}
