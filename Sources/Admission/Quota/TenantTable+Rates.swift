// The quotas of tenants, and what tenants asked for: charged before the work, settled after it, given
// back when there was none.

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
    /// The quota that a request of that many tokens does not fit into; nil when it fits.
    ///
    /// Nothing is charged. One that does not fit is promised the time after which to come back.
    mutating func shortfall(_ row: Int32, tokens: Int, now: Instant) -> Shortfall? {
        guard self[row].hasRates else { return nil }
        return update(row) { row in
            row.requestRate.advance(to: now)
            row.tokenRate.advance(to: now)
            if row.requestRate.secondsUntil(1) > 0 {
                let seconds = row.requestRate.promise(1, now: now)
                return Shortfall(reason: .tenantRequestRate, waitSeconds: seconds)
            }
            if row.tokenRate.secondsUntil(Double(tokens)) > 0 {
                let seconds = row.tokenRate.promise(Double(tokens), now: now)
                return Shortfall(reason: .tenantTokenRate, waitSeconds: seconds)
            }
            return nil
        }
    }

    /// Charges a request of that many tokens.
    mutating func reserve(_ row: Int32, tokens: Int) -> Reservation {
        guard self[row].hasRates else { return Reservation() }
        update(row) { row in
            row.requestRate.take(1)
            row.tokenRate.take(Double(tokens))
        }
        return Reservation(isHeld: true, tokens: tokens)
    }

    /// Puts right what was charged for a request that has ended.
    mutating func settle(_ row: Int32, _ reservation: Reservation, _ charge: Charge, now: Instant) {
        if case .tokens(let tokens) = charge {
            update(row) { $0.counts.tokens &+= UInt64(clamping: tokens) }
        }
        guard reservation.isHeld else { return }
        update(row) { row in
            row.requestRate.advance(to: now)
            row.tokenRate.advance(to: now)
            switch charge {
            case .reserved:
                break
            case .tokens(let tokens):
                row.tokenRate.give(Double(reservation.tokens) - Double(tokens))
            case .nothing:
                row.requestRate.give(1)
                row.tokenRate.give(Double(reservation.tokens))
            }
        }
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

extension AdmissionController {
    /// What a tenant's quotas come to; nil for a tenant without one.
    package mutating func rates(of tenant: TenantID, now: Instant) -> TenantRates? {
        advance(to: now)
        let row = queue.tenants.row(of: tenant)
        guard queue.tenants[row].hasRates else { return nil }
        return queue.tenants.update(row) { [clock] row in
            row.requestRate.advance(to: clock)
            row.tokenRate.advance(to: clock)
            return TenantRates(
                requests: row.requestRate.quota(), tokens: row.tokenRate.quota())
        }
    }
}
