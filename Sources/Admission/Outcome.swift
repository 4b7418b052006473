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

/// What a backend did for one request, as far as the gateway saw it.
package struct ServedWork: Sendable {
    /// From the grant to the answer's first byte; nil when it is not known.
    package var firstByteNanoseconds: Int64?
    /// Units of progress that the answer came in, at least 1.
    package var units: Int
    /// What the answer came to in bytes, or in another unit that stays the same; nil when it says
    /// nothing, or when `units` says more.
    package var size: Double?
    /// For how long the backend asked not to be sent more, with an answer that says overload; nil
    /// when it did not say.
    package var retryAfterNanoseconds: Int64?
    /// What the request came to, in the unit of `Ticket.cost`; nil when that is not known.
    package var cost: Double?
    /// What the tenant's quotas are charged.
    package var charge = Charge.reserved

    /// Work of `units`, the first of which came after that time.
    package init(firstByteNanoseconds: Int64? = nil, units: Int = 1, cost: Double? = nil) {
        self.firstByteNanoseconds = firstByteNanoseconds
        self.units = units
        self.cost = cost
    }
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
    /// From grant to the answer's first byte.
    var firstByteNanoseconds: Int64
    /// Units that the answer came in, at least 1.
    var units: Int
    /// Size of an answer in one piece; 0 when it says nothing.
    var size: Double
    /// For how long the backend asked not to be sent more, at most a minute; 0 for not at all.
    var retryAfterNanoseconds: Int64

    init(
        latencyNanoseconds: Int64, inFlight: Int, isDropped: Bool = false, now: Instant,
        work: ServedWork = ServedWork()
    ) {
        self.latencyNanoseconds = max(1, latencyNanoseconds)
        self.inFlight = inFlight
        self.isDropped = isDropped
        self.now = now
        firstByteNanoseconds = work.firstByteNanoseconds ?? self.latencyNanoseconds
        units = max(1, work.units)
        size = work.size ?? 0
        retryAfterNanoseconds = min(max(0, work.retryAfterNanoseconds ?? 0), 60_000_000_000)
    }
}
