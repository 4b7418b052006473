// Admission for one pool: one fair queue, one limit per backend. A request is bound
// to a backend only when a permit there is free; until then it waits here, where it can expire, be
// cancelled, and be counted. The controller owns no clock, no thread and no socket. Inputs are
// calls, each with the time; what follows from them later is polled. The same calls in the same
// order give the same decisions.
//
// A request's life: `offer` -> forward, reject or parked; parked -> `poll` or `cancel`; while it runs
// `wait` says whom it waits for and `leave` that its client has gone; a permit ends in `complete`, or
// in `retry` when its backend failed before the client had anything.

/// Decides which requests of a pool start, wait or are refused.
///
/// After `complete`, `cancel`, `connected` and `reconfigure`, and when `nextDeadline` has passed
/// (an offer that makes another request give way lets it pass), call `poll` until it returns nil. `now` should not go back; if it does, the latest instant seen
/// stands in for it.
package struct AdmissionController: ~Copyable, Sendable {
    var settings: AdmissionSettings
    var backends: [Backend] = []
    /// The names of those that are workers.
    var workers: Set<String> = []
    /// Those that have left, and may come back.
    var departed = DepartedBackends()
    /// What an operator has decided about backends.
    var overrides = BackendOverrides.none
    /// Limits that an earlier process found, of backends that have not been here since.
    var remembered: [String: Double]
    /// Those of them that another process has in force at present.
    var inForce: Set<String>
    var queue: FairQueue
    var drainEstimate = DrainRate()
    /// From when on limits at which nothing has ended yet are looked at again.
    var nextUnheardLook = Instant(nanoseconds: .min / 2)
    var returns = ReturnSchedule()
    var demand = DemandEstimate()
    var retryBudget: RetryBudget
    /// Where prompts are known; empty where the pool has no affinity.
    var affinity = Affinity()
    /// Whether it has one, beside it: nothing looks at a structure of that size where it is empty.
    var hasAffinity = false
    var usualTokens = UsualTokens()
    var tokenTime = TokenTime()
    /// For how long requests hold their places, whoever's they are.
    var usualTime = UsualTime()
    /// Whose request ended last, and how many of his have in a row, up to `UsualTime.mostCounted`.
    var lastServed = (tenant: Int32(-1), row: -1, count: UInt32(0))
    var random: SplitMix64
    var isDraining = false
    /// The latest instant seen.
    var clock = Instant(nanoseconds: .min / 2)
    /// Sums over the backends that count towards capacity, kept by `recount`, `grant` and
    /// `release`.
    var provenLimit = 0
    var provenInFlight = 0
    /// How many these are.
    var provenCount = 0
    var totalInFlight = 0
    /// How much of `totalInFlight` observe mode let through that would have been refused.
    var withheldInFlight = 0
    var moveCounts = [Int](repeating: 0, count: LimitMoveReason.allCases.count)
    /// Moves of limits since `takeMoves`, at most `mostNotedMoves`; empty unless they are asked for.
    var notedMoves: [NotedMove] = []
    /// What became of the trust in backends since `takeDoubts`, at most `mostNotedDoubts`; empty unless it
    /// is asked for.
    var notedDoubts: [NotedDoubt] = []
    /// What signals of backends have come to since `takeSignals`, at most `mostNotedDoubts`.
    var notedSignals: [NotedSignal] = []
    /// Whether changes of the trust in backends, and of signals, are kept for `takeDoubts` and `takeSignals`.
    package var notesDoubts = false
    /// Whether moves of limits are kept for `takeMoves`.
    package var notesMoves = false
    /// `settings.queue.maxWait`, in nanoseconds.
    var maxWaitNanoseconds: Int64
    /// Whether some backend is said not to be ready.
    var hasUnready = false
    /// Until then nothing changes at a backend by the passing of time alone.
    var nextChangeAt = Instant.distantFuture
    /// When a request last found no room.
    var shortOfRoomAt = Instant(nanoseconds: .min / 2)
    /// When the backends' shares of good ends were last compared.
    var comparedAt = Instant(nanoseconds: .min / 2)

    /// A controller for the backends named by `backends`, of those weights, which are 1 where they are left
    /// out; a name that comes twice counts once.
    ///
    /// The first backend gets `BackendID(index: 0)` and so on. Decisions that are left to chance
    /// follow from `seed`. `remembered` are limits that an earlier process found, by backends' names: who is
    /// among them, now or later, begins with a part of its own, and with all of it where it is in `inForce`, since
    /// another process had that until now.
    package init(
        settings: AdmissionSettings, backends keys: [String], weights: [Int] = [],
        remembered: [String: Double] = [:], inForce: Set<String> = [], seed: UInt64
    ) {
        self.settings = settings
        self.remembered = remembered
        self.inForce = inForce
        random = SplitMix64(seed: seed)
        queue = FairQueue(settings)
        retryBudget = RetryBudget(settings.retry)
        maxWaitNanoseconds = settings.queue.maxWait.wholeNanoseconds
        hasAffinity = settings.affinity != nil
        affinity.reconfigure(settings.affinity, backends: [], random: &random)
        setBackends(keys, weights)
        recount()
    }

    /// Asks for a request to be started, which its tenant's quota has decided about.
    ///
    /// What that has taken is carried along: by the permit, or by the rejection, which gives it back.
    package mutating func offer(
        _ id: RequestID, _ ticket: Ticket, quota: QuotaDecision = .free, now: Instant
    ) -> Verdict {
        advance(to: now)
        if min(ticket.respondBy ?? .distantFuture, ticket.startBy ?? .distantFuture) <= clock {
            return .reject(refuse(.deadline).returning(quota.reservation))
        }
        var ticket = ticket
        let slot = queue.flowKey(of: ticket)
        ticket.cost = expectedCost(ticket, slot)
        queue.tenants.countOffer(slot.tenant, isRetry: ticket.isRetry)
        let shortfall = quota.shortfall
        let reserved = quota.reservation
        if settings.mode == .observe, shortfall?.isBinding != true {
            return observe(ticket, slot, shortfall, reserved)
        }
        if let shortfall { return .reject(refuse(shortfall, ticket, slot)) }
        // Those who wait go first, even if a slot is free and not yet polled for.
        if hasAffinity { matchPrompt() }
        if queue.maySkip(slot, limit: provenLimit),
            let index = chooseWhereKnown(seats: ticket.seats, except: nil)
        {
            var work = GrantedWork(ticket, now: clock)
            if hasAffinity { work.promptSlot = beginPrompt(at: index, work.expected) }
            return .forward(grant(index, ticket.seats, slot, work, reserved: reserved))
        }
        if isDraining { return .reject(refuse(.draining, ticket, slot).returning(reserved)) }
        if let reason = reasonNotToPark(ticket, slot) {
            return .reject(refuse(reason, ticket, slot).returning(reserved))
        }
        queue.makeRoom(for: ticket, at: slot)
        return .parked(park(id, ticket, slot, reserved, isReturned: false))
    }

    /// Takes a parked request out whose client has left, with what its quota gets back; nil if it has
    /// left the queue already.
    package mutating func cancel(_ handle: ParkedHandle, now: Instant) -> Reservation? {
        advance(to: now)
        guard let waiting = queue.cancel(handle) else { return nil }
        if !waiting.isPatient {
            queue.left(
                waiting.tenant, Int(waiting.row),
                afterSeconds: clock.seconds(since: waiting.arrivedAt), isStarted: false, now: clock)
        }
        return waiting.reserved
    }

    /// The next decision about a parked request: refused because its time is up, or started.
    package mutating func poll(now: Instant) -> Decision? {
        advance(to: now)
        if let waiting = queue.popDisplaced() {
            return .reject(waiting.id, refuse(.displaced, waiting))
        }
        if let waiting = queue.popExpired(now: clock) {
            let reason = expiryReason(waiting)
            // Who leaves early, or says when it is too late, has no say in that.
            if reason == .queueTimeout, !waiting.isSlack, drainEstimate.seatSecondsPerUnit == nil {
                growUnheard()
            }
            return .reject(waiting.id, refuse(reason, waiting))
        }
        if let decision = startNext() { return decision }
        if queue.isUnclaimed, room > 0 { returns.ranDry(now: clock) }
        return nil
    }

    /// Spends a permit: the request has ended, its slot is free, and its latency moves the limit.
    ///
    /// What it has taken of a quota is the caller's to settle.
    package mutating func complete(
        _ permit: consuming Permit, _ outcome: Outcome, _ work: ServedWork = ServedWork(),
        now: Instant
    ) {
        advance(to: now)
        let stub = permit.spend()
        queue.tenants.countTokens(stub.tenant, work.charge)
        let cost = work.cost ?? realCost(stub, work.charge)
        // What waits is counted by what it is expected to cost, so this has to be too. Whoever leaves
        // early has not been served, however soon his slot was free.
        if isBusy, outcome.isWorkDone { drainEstimate.recordBusyCompletion(cost: stub.cost) }
        note(outcome, stub, work)
        release(stub, extraCost: stub.isCharged ? cost - stub.cost : 0)
        judge(outcome, stub, work)
        learn(outcome, stub, work)
    }

    /// Running requests made progress: their backend sent that many units of their responses.
    ///
    /// Units are events of a stream, or any other pieces that stand for equal work, of the same kind
    /// throughout a pool; 0 for bytes that say only that the backend lives. Whether the limit moved:
    /// then `poll`.
    package mutating func progress(at backend: BackendID, units: Int, now: Instant) -> Bool {
        advance(to: now)
        let index = backend.index
        guard backends.indices.contains(index), backends[index].isPresent else { return false }
        if units > 0 {
            if backends[index].ejection.isUnheard { backends[index].ejection.served() }
            backends[index].meter.progress(units: units, now: clock)
        } else {
            backends[index].meter.moved(now: clock)
        }
        let before = backends[index].allowed
        noteLife(index)
        look(at: index)
        return backends[index].allowed != before
    }

    /// From now on offers that would have to wait are refused; what is parked is still served.
    package mutating func drain() { isDraining = true }

    /// When `poll` has to be called next; nil when nothing waits.
    ///
    /// The earliest expiry in the queue, or when a backend may be sent more again, whichever is
    /// first. It is the latest instant seen when `poll` has something to do already, and after it
    /// otherwise.
    package var nextDeadline: Instant? { findDeadline() }

    /// The same without a copy: it changes nothing, but who only lends a controller has it copied.
    package mutating func deadline() -> Instant? { findDeadline() }

    @inline(__always) private func findDeadline() -> Instant? {
        if !queue.displaced.isEmpty { return clock }
        guard let expiry = queue.nextExpiry else { return nil }
        if case .start = queue.nextTurn(limit: provenLimit, room: room) { return clock }
        var earliest = min(expiry, max(nextChangeAt, clock.advanced(byNanoseconds: 1)))
        for index in backends.indices where backends[index].isPresent {
            earliest = min(earliest, later(backends[index].refusesUntil))
            earliest = min(earliest, later(backends[index].ejection.until))
            earliest = min(earliest, later(backends[index].suspicion.nextTrialAt))
        }
        return earliest
    }

    /// An instant that is still to come; the distant future for one that has passed.
    @inline(__always) private func later(_ instant: Instant) -> Instant {
        instant > clock ? instant : .distantFuture
    }
}
