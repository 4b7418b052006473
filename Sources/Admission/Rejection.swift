// What a refused client is told.

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

    /// A refusal for `reason`; the time is clamped to 1...60,000 ms.
    package init(reason: Reason, retryAfterMilliseconds: Int) {
        self.reason = reason
        self.retryAfterMilliseconds = min(max(retryAfterMilliseconds, 1), 60_000)
    }
}
