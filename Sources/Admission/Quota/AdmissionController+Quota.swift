// How a pool's decision and the policy's quotas go together: a request is charged first, and what it
// was charged is given back where the pool does not take it.

extension AdmissionController {
    /// Asks for a request to be started, at the cost of the first of its payers that has a quota.
    package mutating func offer(
        _ id: RequestID, _ ticket: Ticket, charging quotas: inout QuotaTable,
        _ first: Payer? = nil, now: Instant
    ) -> Verdict {
        let own = Payer(ticket.tenant, in: settings)
        let decision = quotas.charge(first, or: own, tokens: ticket.tokens, now: now)
        switch offer(id, ticket, quota: decision, now: now) {
        case .reject(var rejection):
            quotas.settle(rejection.takeReserved(), .nothing, now: now)
            return .reject(rejection)
        case .forward(let permit):
            // Where decisions are only counted, what would have been refused is not charged.
            if !permit.reserved.isHeld {
                quotas.settle(decision.reservation, .nothing, now: now)
            }
            return .forward(permit)
        case .parked(let handle):
            return .parked(handle)
        }
    }
}
