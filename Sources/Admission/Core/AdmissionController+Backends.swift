// What the gateway finds out about backends, and how the set of backends changes.

extension AdmissionController {
    /// Gives a permit back whose backend could not be connected to, and looks for another one.
    ///
    /// The backend counts as having refused, and no sample is taken. Another usable backend with
    /// room gets the request at once. If the others are full, the request is parked at the head of
    /// the queue, where it does not count against the queue's bounds (it had been admitted; there
    /// are never more of these than were in flight). If there is no other usable backend, or
    /// nothing may wait, it is refused with `connectFailed`.
    package mutating func retry(
        _ permit: consuming Permit, _ id: RequestID, _ ticket: Ticket, now: Instant
    ) -> Verdict {
        advance(to: now)
        let stub = permit.spend()
        let failed = stub.backend.index
        release(stub)
        if stub.isOnSuspicion { backends[failed].suspicion.endTrial(now: clock) }
        // A dial that began before the backend was ejected tells nothing new.
        let ejection = backends[failed].ejection
        if ejection.isProven || stub.grantedAt >= ejection.since { markRefused(failed) }
        return startElsewhere(stub, id, ticket)
    }

    /// Whether a request that failed at `backend` may be tried at another one: one that is well is
    /// there, and the pool's budget of retries allows it.
    ///
    /// A refusal is the request's fault, unless the backend refuses what its siblings take.
    package mutating func mayRetry(
        at backend: BackendID, after outcome: Outcome, now: Instant
    ) -> Bool {
        advance(to: now)
        let failed = backend.index
        if outcome == .failed(.refusal), !backends[failed].suspicion.isSuspected { return false }
        let isThere = backends.indices.contains { index in
            index != failed && backends[index].isUsable(now: clock)
                && !backends[index].suspicion.isSuspected
        }
        return isThere && settings.mode == .enforce && retryBudget.allowsRetry(now: clock)
    }

    /// Whether a request may be sent to its own backend once more, because a connection ended under
    /// it that had served before; it is paid for from the pool's budget of retries.
    package mutating func takesRepeat(now: Instant) -> Bool {
        advance(to: now)
        guard retryBudget.allowsRetry(now: clock) else { return false }
        retryBudget.withdraw(now: clock)
        return true
    }

    /// Spends a permit whose backend failed before the client had anything, and looks for another
    /// backend, as `mayRetry` said it may; the same as for a connection that was refused follows.
    package mutating func retry(
        _ permit: consuming Permit, after outcome: Outcome, _ work: ServedWork, _ id: RequestID,
        _ ticket: Ticket, now: Instant
    ) -> Verdict {
        advance(to: now)
        retryBudget.withdraw(now: clock)
        let stub = permit.spend()
        note(outcome, stub, work)
        release(stub)
        judge(outcome, stub, work)
        learn(outcome, stub, work)
        return startElsewhere(stub, id, ticket)
    }

    /// Gives a permit back of a request that its worker has not begun, and looks for another place; one of
    /// the same worker's will do.
    ///
    /// Nothing is held against the worker, and no sample is taken. Where all places are taken the request is parked at
    /// the head of the queue, as for `retry`, also where no worker is left.
    package mutating func giveBack(
        _ permit: consuming Permit, _ id: RequestID, _ ticket: Ticket, now: Instant
    ) -> Verdict {
        advance(to: now)
        let stub = permit.spend()
        release(stub)
        if stub.isOnSuspicion { backends[stub.backend.index].suspicion.endTrial(now: clock) }
        return startElsewhere(stub, id, ticket, mayReturn: true)
    }

    /// With `mayReturn` the backend that the request comes from is as good as others.
    private mutating func startElsewhere(
        _ stub: Permit.Stub, _ id: RequestID, _ ticket: Ticket, mayReturn: Bool = false
    ) -> Verdict {
        let failed = mayReturn ? nil : stub.backend.index
        let slot = queue.flowKey(tenant: stub.tenant, row: stub.row)
        if min(ticket.respondBy ?? .distantFuture, ticket.startBy ?? .distantFuture) <= clock {
            return .reject(refuse(.deadline, ticket, slot).returning(stub.reserved))
        }
        if hasAffinity { matchPrompt() }
        let open =
            chooseWhereKnown(seats: stub.seats, except: failed)
            ?? (settings.mode == .observe ? leastLoaded(except: failed) : nil)
        if let index = open {
            var work = GrantedWork(
                cost: stub.cost, expected: stub.expected, arrivedAt: stub.arrivedAt)
            work.isRetry = true
            work.demand = stub.demand
            work.isPatient = stub.isPatient
            if hasAffinity { work.promptSlot = beginPrompt(at: index, work.expected) }
            return .forward(
                grant(
                    index, stub.seats, slot, work, reserved: stub.reserved,
                    withheld: stub.withheld, wouldWait: stub.wouldWait))
        }
        let mayWait = settings.queue.maxRequests > 0 && maxWaitNanoseconds > 0
        guard mayWait, mayReturn || isCold || hasUsableBackend(except: failed) else {
            return .reject(refuse(.connectFailed, ticket, slot).returning(stub.reserved))
        }
        return .parked(park(id, ticket, slot, stub.reserved, isReturned: true))
    }

    /// A dial succeeded: nothing is held against the backend any more; poll afterwards.
    package mutating func connected(_ backend: BackendID, now: Instant) {
        advance(to: now)
        guard backends.indices.contains(backend.index),
            !backends[backend.index].ejection.isProven
        else { return }
        backends[backend.index].ejection.connected()
        recount()
    }

    /// A backend has answered what no client had asked, and not with a failure of its own; poll afterwards.
    package mutating func answered(_ backend: BackendID, now: Instant) {
        connected(backend, now: now)
        let index = backend.index
        guard backends.indices.contains(index) else { return }
        backends[index].ejection.served()
        _ = backends[index].suspicion.answered(
            serviceNanoseconds: serviceNanoseconds(index), now: clock)
        refresh(index)
    }

    /// A dial failed: the backend is ejected for a while.
    ///
    /// Failures while it is ejected already are the same failure and change nothing.
    package mutating func refused(_ backend: BackendID, now: Instant) {
        advance(to: now)
        guard backends.indices.contains(backend.index) else { return }
        markRefused(backend.index)
    }

    /// Puts new settings and a new set of backends in force.
    ///
    /// Backends that stay keep their slot, in-flight requests and standing, and the learnt limit
    /// if the algorithm is the same one. What is parked stays parked until the time it was given.
    /// `weights` are the backends', 1 where they are left out, and `workers` the names of workers beside them.
    package mutating func reconfigure(
        settings: AdmissionSettings, backends keys: [String], weights: [Int] = [],
        workers: [String] = [], now: Instant
    ) {
        advance(to: now)
        self.workers = Set(workers)
        self.settings = settings
        maxWaitNanoseconds = settings.queue.maxWait.wholeNanoseconds
        queue.reconfigure(settings)
        retryBudget.settings = settings.retry
        hasAffinity = settings.affinity != nil
        affinity.reconfigure(
            settings.affinity, backends: backends.map(\.key), random: &random)
        setBackends(keys + workers, weights)
        for index in backends.indices where backends[index].isPresent { followSettings(index) }
        takeChanges()
        recount()
    }

    private mutating func markRefused(_ index: Int) {
        var ejection = settings.ejection
        // What loads a model is tried again soon; others wait for it.
        if isCold { ejection.max = min(ejection.max, .seconds(5)) }
        // What cannot be connected to was mostly started anew.
        if hasAffinity { affinity.forget(index) }
        backends[index].ejection.refused(now: clock, settings: ejection, random: &random)
        backends[index].reports.reset()
        recount()
    }

    /// Whether a backend other than that one may be sent requests, at least on trial.
    func hasUsableBackend(except excluded: Int?) -> Bool {
        backends.indices.contains { index in
            index != excluded && backends[index].isUsable(now: clock)
        }
    }
}
