// Admission for one pool: one fair queue, one limit per backend. A request is bound
// to a backend only when a permit there is free; until then it waits here, where it can expire, be
// cancelled, and be counted. The controller owns no clock, no thread and no socket. Inputs are
// calls, each with the time; what follows from them later is polled. The same calls in the same
// order give the same decisions.
//
// A request's life: `offer` -> forward, reject or parked; parked -> `poll` or `cancel`; a permit
// ends in `complete`, or in `retry` when its backend could not be connected to.

/// Decides which requests of a pool start, wait or are refused.
///
/// After `complete`, `cancel`, `connected` and `reconfigure`, and when `nextDeadline` has passed
/// (an offer that makes another request give way lets it pass), call `poll` until it returns nil. `now` should not go back; if it does, the latest instant seen
/// stands in for it.
package struct AdmissionController: ~Copyable, Sendable {
    var settings: AdmissionSettings
    var backends: [Backend] = []
    var queue: FairQueue
    var drainEstimate = DrainRate()
    var retryAfterFloor = RetryAfterFloor()
    var usualTokens = UsualTokens()
    var tokenTime = TokenTime()
    var random: SplitMix64
    var isDraining = false
    /// The latest instant seen.
    var clock = Instant(nanoseconds: .min / 2)
    /// Sums over the backends that count towards capacity, kept by `recount`, `grant` and
    /// `release`.
    var provenLimit = 0
    var provenInFlight = 0
    var totalInFlight = 0
    /// How much of `totalInFlight` observe mode let through that would have been refused.
    var withheldInFlight = 0
    var moveCounts = [Int](repeating: 0, count: LimitMoveReason.allCases.count)
    /// Moves of limits since `takeMoves`, at most `mostNotedMoves`; empty unless they are asked for.
    var notedMoves: [NotedMove] = []
    /// Whether moves of limits are kept for `takeMoves`.
    package var notesMoves = false
    /// `settings.queue.maxWait`, in nanoseconds.
    var maxWaitNanoseconds: Int64

    /// A controller for the backends named by `backends`; a name that comes twice counts once.
    ///
    /// The first backend gets `BackendID(index: 0)` and so on. Decisions that are left to chance
    /// follow from `seed`.
    package init(settings: AdmissionSettings, backends keys: [String], seed: UInt64) {
        self.settings = settings
        random = SplitMix64(seed: seed)
        queue = FairQueue(settings)
        maxWaitNanoseconds = settings.queue.maxWait.wholeNanoseconds
        for key in keys { add(key) }
        recount()
    }

    /// Asks for a request to be started.
    package mutating func offer(
        _ id: RequestID, _ ticket: Ticket, now: Instant
    ) -> Verdict {
        advance(to: now)
        if isDraining { return .reject(refuse(.draining)) }
        if let deadline = ticket.deadline, deadline <= clock {
            return .reject(refuse(.deadline))
        }
        var ticket = ticket
        ticket.cost = expectedCost(ticket)
        let place = queue.place(of: ticket)
        queue.tenants.countOffer(place.tenant, isRetry: ticket.isRetry)
        let shortfall = queue.tenants.shortfall(place.tenant, tokens: ticket.tokens, now: clock)
        if settings.mode == .observe { return observe(ticket, place, shortfall) }
        if let shortfall { return .reject(refuse(shortfall, ticket, place)) }
        // Those who wait go first, even if a slot is free and not yet polled for.
        if queue.maySkip(place, limit: provenLimit),
            let index = choose(seats: ticket.seats, except: nil)
        {
            let reserved = queue.tenants.reserve(place.tenant, tokens: ticket.tokens)
            let work = GrantedWork(cost: ticket.cost, expected: ExpectedTokens(ticket))
            return .forward(grant(index, ticket.seats, place, work, reserved: reserved))
        }
        if let reason = reasonNotToPark(ticket, place) {
            return .reject(refuse(reason, ticket, place))
        }
        if queue.count >= settings.queue.maxRequests, let victim = queue.victim(for: place) {
            queue.displace(victim)
        }
        let reserved = queue.tenants.reserve(place.tenant, tokens: ticket.tokens)
        return .parked(park(id, ticket, place, reserved, isReturned: false))
    }

    /// Takes a parked request out; false if it has left the queue already.
    package mutating func cancel(_ handle: ParkedHandle, now: Instant) -> Bool {
        advance(to: now)
        guard let waiting = queue.cancel(handle) else { return false }
        queue.tenants.settle(waiting.tenant, waiting.reserved, .nothing, now: clock)
        return true
    }

    /// The next decision about a parked request: refused because its time is up, or started.
    package mutating func poll(now: Instant) -> Decision? {
        advance(to: now)
        for index in backends.indices where backends[index].isPresent {
            if let deadline = backends[index].limiter.deadline(backends[index].meter),
                deadline <= clock
            {
                look(at: index)
            }
        }
        if let waiting = queue.popDisplaced() {
            return .reject(waiting.id, refuse(.displaced, waiting))
        }
        if let waiting = queue.popExpired(now: clock) {
            return .reject(waiting.id, refuse(expiryReason(waiting), waiting))
        }
        return startNext()
    }

    /// Spends a permit: the request has ended, its slot is free, and its latency moves the limit.
    package mutating func complete(
        _ permit: consuming Permit, _ outcome: Outcome, _ work: ServedWork = ServedWork(),
        now: Instant
    ) {
        advance(to: now)
        let stub = permit.spend()
        let index = stub.backend.index
        queue.tenants.settle(stub.tenant, stub.reserved, work.charge, now: clock)
        let cost = work.cost ?? realCost(stub, work.charge)
        // What waits is counted by what it is expected to cost, so this has to be too.
        if isBusy { drainEstimate.recordBusyCompletion(cost: stub.cost) }
        if outcome == .success {
            backends[index].meter.succeeded(
                afterSeconds: clock.seconds(since: stub.grantedAt), now: clock)
        } else if outcome == .dropped {
            backends[index].meter.dropped()
        }
        release(stub, extraCost: stub.isCharged ? cost - stub.cost : 0)
        if outcome == .dropped { backends[index].noteOverload(now: clock) }
        if outcome == .success, stub.trial != 0 { connected(stub.backend, now: clock) }
        guard outcome != .ignored else { return }
        let sample = Sample(
            latencyNanoseconds: clock.nanoseconds(since: stub.grantedAt), inFlight: stub.inFlight,
            isDropped: outcome == .dropped, now: clock, work: work)
        if outcome == .success {
            drainEstimate.recordService(
                nanoseconds: sample.latencyNanoseconds, cost: stub.cost, seats: stub.seats)
            tokenTime.learn(
                input: Int(stub.expected.input), output: Int(stub.expected.output),
                seconds: Double(sample.latencyNanoseconds) / 1e9 * Double(stub.seats))
        }
        guard backends[index].isPresent else { return }
        if let move = backends[index].limiter.update(sample, backends[index].meter) {
            record(move, at: index)
        }
    }

    /// Running requests made progress: their backend sent that many units of their answers.
    ///
    /// Units are events of a stream, or any other pieces that stand for equal work; from 0, of the
    /// same kind throughout a pool. Whether the limit moved: then `poll`.
    package mutating func progress(at backend: BackendID, units: Int, now: Instant) -> Bool {
        advance(to: now)
        let index = backend.index
        guard backends.indices.contains(index), backends[index].isPresent else { return false }
        backends[index].meter.progress(units: units, now: clock)
        let before = backends[index].limit
        look(at: index)
        return backends[index].limit != before
    }

    /// From now on offers are refused; what is parked is still served.
    package mutating func drain() { isDraining = true }

    /// When `poll` has to be called next; nil when nothing waits.
    ///
    /// The earliest expiry in the queue or the end of a time that a backend is left out for,
    /// whichever is first. It is in the past when `poll` has something to do already.
    package var nextDeadline: Instant? {
        var lookAt: Instant?
        for index in backends.indices where backends[index].isPresent {
            if let deadline = backends[index].limiter.deadline(backends[index].meter) {
                lookAt = min(lookAt ?? deadline, max(deadline, backends[index].limiter.nextLook))
            }
        }
        guard let expiry = queue.nextExpiry else {
            return queue.displaced.isEmpty ? lookAt : clock
        }
        var earliest = min(expiry, lookAt ?? expiry)
        if !queue.displaced.isEmpty { return min(earliest, clock) }
        if case .start = queue.nextTurn(limit: provenLimit, room: room) {
            return min(earliest, clock)
        }
        for index in backends.indices {
            guard backends[index].isPresent else { continue }
            if backends[index].refusesUntil > clock {
                earliest = min(earliest, backends[index].refusesUntil)
            }
            if backends[index].ejection.isLeftOut(now: clock) {
                earliest = min(earliest, backends[index].ejection.until)
            }
        }
        return earliest
    }
}
