// Requests that nobody waits for: copies of what clients ask of another pool. They take room that is there, and never
// wait, displace, or count as demand.

extension AdmissionController {
    /// Starts a request that nobody waits for, where a backend has room and nobody waits for it; nil otherwise, and
    /// then nothing has changed.
    ///
    /// No quota is charged for it, and it pays nothing into the budget of retries.
    package mutating func startIfFree(_ ticket: Ticket, now: Instant) -> Permit? {
        advance(to: now)
        guard !isDraining, queue.isUnclaimed else { return nil }
        let key = queue.flowKey(of: ticket)
        guard queue.maySkip(key, limit: provenLimit),
            let index = choose(seats: ticket.seats, except: nil)
        else { return nil }
        var work = GrantedWork(ticket, now: clock)
        work.isRetry = true
        work.demand = .copy
        return grant(index, ticket.seats, key, work, reserved: Reservation())
    }
}
