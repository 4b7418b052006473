// How a forwarded request ended, as far as the limit is concerned.

/// What a spent permit says about its backend.
package enum Outcome: Sendable {
    /// The backend answered; the latency is a sample.
    case success
    /// The backend is overloaded: it answered 429, 503 or 529, or let the first-byte timeout pass.
    case dropped
    /// The end says nothing of the backend: the client went away, or the request was at fault.
    case ignored
}

/// One finished request, as the limit algorithms see it.
struct Sample {
    /// From grant to completion, at least 1 ns.
    var latencyNanoseconds: Int64
    /// Requests in flight at the backend at the grant, this one included.
    var inFlight: Int
    /// Whether the backend was overloaded; ignored requests make no sample.
    var isDropped: Bool
    /// When the request ended.
    var now: Instant

    init(latencyNanoseconds: Int64, inFlight: Int, isDropped: Bool = false, now: Instant) {
        self.latencyNanoseconds = max(1, latencyNanoseconds)
        self.inFlight = inFlight
        self.isDropped = isDropped
        self.now = now
    }
}
