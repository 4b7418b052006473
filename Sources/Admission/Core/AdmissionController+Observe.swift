// Observe mode: every request starts at once, and its permit says what would have become of it.
//
// What is in flight beyond the sum of limits stands for the queue that there would be; what would
// have been refused is left out of it, because it would not be there at all.

extension AdmissionController {
    /// Starts a request whatever the limits say; only a pool without a backend refuses.
    mutating func observe(
        _ ticket: Ticket, _ key: FlowKey, _ shortfall: Shortfall?, _ reserved: Reservation
    ) -> Verdict {
        if hasAffinity { matchPrompt() }
        let withRoom = chooseWhereKnown(seats: ticket.seats, except: nil)
        let excess = totalInFlight - withheldInFlight - provenLimit
        let reason =
            shortfall?.reason
            ?? (withRoom == nil || excess >= 0
                ? reasonToWithhold(ticket, key, queued: max(0, excess)) : .none)
        guard let index = withRoom ?? leastLoaded(except: nil) else {
            return .reject(refuse(.noBackend, ticket, key).returning(reserved))
        }
        let wouldWait = reason == .none && withRoom == nil
        var work = GrantedWork(ticket, now: clock)
        if hasAffinity { work.promptSlot = beginPrompt(at: index, work.expected) }
        return .forward(
            grant(
                index, ticket.seats, key, work,
                reserved: reason == .none ? reserved : Reservation(), withheld: reason,
                wouldWait: wouldWait))
    }

    /// What a request would be refused for if so many waited; `none` when it would wait or start.
    private mutating func reasonToWithhold(
        _ ticket: Ticket, _ key: FlowKey, queued: Int
    ) -> Reason {
        if secondsUntilAnyReturn != nil { return .noBackend }
        let tenant = queue.tenants[key.tenant]
        let mostOfTenant = (tenant.settings.maxInFlight ?? .max).addingReportingOverflow(
            tenant.settings.maxQueued ?? .max)
        if !mostOfTenant.overflow, tenant.running >= mostOfTenant.partialValue {
            return .tenantLimit
        }
        if ticket.isRetry, queue.tenants.isExcessive(key.tenant, now: clock) {
            return .retryShed
        }
        if queued >= settings.queue.maxRequests { return blame(.queueFull, key) }
        guard let rate = drainEstimate.perSecond(limit: provenLimit) else { return .none }
        let wait = (Double(queued) + ticket.cost) / rate
        if wait > Double(maxWaitNanoseconds) / 1e9 { return blame(.waitTooLong, key) }
        let left = ticket.respondBy.map { $0.seconds(since: clock) } ?? .infinity
        if wait > left { return .deadline }
        let (borne, firstByte) = patience(key.tenant, key.row)
        return wait + firstByte > borne ? blame(.patience, key) : .none
    }

    /// The present backend with the lowest share of its limit in flight, full or not.
    ///
    /// Those that are ejected after refusals are taken only when there is no other.
    func leastLoaded(except excluded: Int?) -> Int? {
        var best: Int?
        for index in backends.indices where backends[index].isPresent && index != excluded {
            guard let other = best else {
                best = index
                continue
            }
            let isOut = !isWelcome(index)
            let otherIsOut = !isWelcome(other)
            let mine = counted(index) * backends[other].allowed
            let theirs = counted(other) * backends[index].allowed
            if isOut != otherIsOut ? otherIsOut : mine < theirs { best = index }
        }
        return best
    }

    /// Whether nothing is held against a backend but its load.
    private func isWelcome(_ index: Int) -> Bool {
        backends[index].isUsable(now: clock) && !backends[index].suspicion.isSuspected
    }
}
