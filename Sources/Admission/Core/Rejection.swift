// What a refused client is told, and what the decision was made from.

/// A refusal, and when trying again makes sense.
package struct Rejection: Equatable, Sendable {
    /// Why the request was refused.
    package var reason: Reason
    /// When to try again, in milliseconds, 1,000...60,000, jitter included.
    package var retryAfterMilliseconds: Int
    /// The same in whole seconds, rounded up, 1...60: the value of `Retry-After`.
    package var retryAfterSeconds: Int { (retryAfterMilliseconds + 999) / 1000 }

    /// What the tenant may have in flight; only for reasons that are about the tenant.
    package var share: TenantShare?
    /// Whether the tenant has long been asking for more than twice what it gets, so that trying
    /// again only takes slots from others.
    package var isRetryUnwelcome = false
    /// Whether the request's class gets only what nobody else wants, so that the refusal is no sign of a shortage.
    package var isSlack = false
    /// What the pool looked like.
    package var circumstances = Circumstances()
    /// What the request had taken of its tenant's quota, which gets it back.
    private(set) var reserved = Reservation()

    /// A refusal for `reason`; the time is clamped to 1...60,000 ms.
    package init(reason: Reason, retryAfterMilliseconds: Int) {
        self.reason = reason
        self.retryAfterMilliseconds = min(max(retryAfterMilliseconds, 1), 60_000)
    }

    /// Takes out what its tenant's quota gets back, for whoever gives it back.
    package mutating func takeReserved() -> Reservation {
        defer { reserved = Reservation() }
        return reserved
    }

    /// The same, of a request that had taken that much of a quota.
    @inline(__always) func returning(_ reserved: Reservation) -> Rejection {
        guard reserved.isHeld else { return self }
        var rejection = self
        rejection.reserved = reserved
        return rejection
    }
}

/// The state of a pool in which a decision was made.
package struct Circumstances: Equatable, Sendable {
    /// Sum of the limits of the backends that count.
    package var limit = 0
    /// Units of them in use.
    package var inFlight = 0
    /// Requests that waited.
    package var queued = 0
    /// Seconds that the request would have waited, or would have had to wait on; nil while that is
    /// unknown.
    package var predictedWaitSeconds: Double?
    /// Seconds from its arrival to the first byte that the request's client was taken to bear; nil
    /// while nothing is assumed.
    package var patienceSeconds: Double?

    /// An empty pool.
    package init() {}
}
