// What tenants asked for, and what became of it.

/// What a tenant asked for and what became of it, since its row was made.
package struct TenantCounts: Equatable, Sendable {
    /// Requests that were offered.
    package var requests: UInt64 = 0
    /// Those of them that said that they were retries.
    package var retries: UInt64 = 0
    /// Requests that were refused for want of room, or for a quota.
    package var refused: UInt64 = 0
    /// Tokens that its requests came to, as far as that is known.
    package var tokens: UInt64 = 0

    /// Nothing so far.
    package init() {}
}

extension TenantTable {
    /// Counts the tokens that a request came to, as far as its charge says so.
    mutating func countTokens(_ row: Int32, _ charge: Charge) {
        guard let tokens = charge.tokens else { return }
        update(row) { $0.counts.tokens &+= UInt64(clamping: tokens) }
    }

    /// Whether a tenant has asked for more than twice what it got throughout the last stretches.
    mutating func isExcessive(_ row: Int32, now: Instant) -> Bool {
        update(row) { row in
            row.demand.advance(to: now)
            return row.demand.isExcessive
        }
    }

    /// Counts an offer.
    mutating func countOffer(_ row: Int32, isRetry: Bool) {
        update(row) { row in
            row.counts.requests &+= 1
            if isRetry { row.counts.retries &+= 1 }
        }
    }
}
