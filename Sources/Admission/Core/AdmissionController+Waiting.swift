// Parking and refusing: who may wait, for how long, and what those are told who may not.

extension AdmissionController {
    /// Puts a request into the queue until its deadline, at most for the longest wait.
    mutating func park(
        _ id: RequestID, _ ticket: Ticket, _ key: FlowKey, _ reserved: Reservation,
        isReturned: Bool
    ) -> ParkedHandle {
        let waitEnd =
            ticket.isPatient
            ? .distantFuture : clock.advanced(byNanoseconds: longestWaitNanoseconds)
        var waiting = Waiting(id, ticket, key, now: clock, waitEnd: waitEnd)
        waiting.reserved = reserved
        waiting.isSlack = queue.isSlack(key.row)
        // What cannot be met any more is told so then, not when its turn comes.
        if let startBy = ticket.startBy { waiting.expire(at: max(clock, startBy), for: .deadline) }
        if waiting.respondBy != .distantFuture {
            let latestStart = waiting.respondBy.advanced(
                byNanoseconds: -drainEstimate.longServiceNanoseconds)
            waiting.expire(at: max(clock, latestStart), for: .deadline)
        }
        if !isReturned {
            waiting.isTrial =
                ticket.isPatient || queue.isTrial(key.tenant, key.row, now: clock)
            if !waiting.isTrial { endByPatience(&waiting, key) }
        }
        let handle = isReturned ? queue.insertReturned(waiting) : queue.insert(waiting)
        if hasAffinity { affinity.park(handle.slot) }
        return handle
    }

    /// Ends the wait when the client will hardly stay for the response any more, and where others come
    /// in its place, before it has waited long for nothing.
    private mutating func endByPatience(_ waiting: inout Waiting, _ key: FlowKey) {
        let (borne, firstByte) = patience(key.tenant, key.row)
        guard borne.isFinite else { return }
        var longest = borne - firstByte
        if queue.hasSurplus(key.tenant, key.row, patienceSeconds: borne, now: clock),
            turns(key, within: borne * Self.replacedShare) >= Self.leastTurns
        {
            longest = min(longest, borne * Self.replacedShare)
        }
        let end = waiting.arrivedAt.advanced(byNanoseconds: wholeNanoseconds(longest))
        waiting.expire(at: max(clock, end), for: .patience)
    }

    /// What part of its client's patience a request waits at most where others come in its place: a
    /// quarter, less a tenth because patience is an estimate.
    private static var replacedShare: Double { 0.225 }
    /// Turns of its flow within that time from which on a request can be served in it at all, wherever in the
    /// time between two of them it comes.
    private static var leastTurns: Double { 5 }

    /// How many usual requests of a flow are started within that time while all that want something get their
    /// share; 0 while the rate is unknown.
    private mutating func turns(_ key: FlowKey, within seconds: Double) -> Double {
        guard let rate = drainEstimate.perSecond(limit: provenLimit) else { return 0 }
        let left = max(0, rate - queue.rateAbove(key.rank, now: clock))
        return seconds * left * queue.shareOfClass(key)
    }

    /// How long a request may wait that comes now.
    @inline(__always) var longestWaitNanoseconds: Int64 {
        isCold
            ? max(maxWaitNanoseconds, settings.queue.coldWait.wholeNanoseconds)
            : maxWaitNanoseconds
    }

    /// Whether no backend has ever served anything and none can be connected to: models are being
    /// loaded; where workers come and go, whether none is there.
    @inline(__always) var isCold: Bool {
        settings.queue.coldWait > .zero && provenCount == 0
            && (drainEstimate.seatSecondsPerUnit == nil || settings.takesWorkers)
    }

    /// What a request is told whose wait has ended.
    func expiryReason(_ waiting: Waiting) -> Reason {
        if waiting.expiresAt < waiting.waitEnd { return waiting.expiryReason }
        return queue.tenants[waiting.tenant].isAtLimit ? .tenantLimit : .queueTimeout
    }

    /// Why a request that cannot start now may not wait either; nil when it may.
    mutating func reasonNotToPark(_ ticket: Ticket, _ key: FlowKey) -> Reason? {
        if !queue.isSlack(key.row) { shortOfRoomAt = clock }
        let mayQueue = settings.queue.maxRequests > 0
        let waitEnd =
            ticket.isPatient && mayQueue
            ? .distantFuture
            : clock.advanced(byNanoseconds: mayQueue ? longestWaitNanoseconds : 0)
        let deadline = min(ticket.respondBy ?? .distantFuture, ticket.startBy ?? .distantFuture)
        if let wait = secondsUntilAnyReturn,
            clock.advanced(byNanoseconds: wholeNanoseconds(wait)) > min(waitEnd, deadline)
        {
            return .noBackend
        }
        // Who asks for far more than it gets has first tries enough to fill its share.
        if ticket.isRetry, queue.tenants.isExcessive(key.tenant, now: clock) {
            return .retryShed
        }
        if queue.tenants[key.tenant].mayNotQueue { return .tenantLimit }
        if queue.count >= settings.queue.maxRequests,
            !mayQueue || queue.victim(for: key) == nil
        {
            return blame(.queueFull, key)
        }
        if !queue.hasRoom(forBytes: ticket.bodyBytes, at: key) {
            return blame(.queueBytesFull, key)
        }
        return ticket.isPatient ? nil : reasonOfWait(ticket, key, until: waitEnd)
    }

    /// Why the wait that is predicted is too long; nil when it is not.
    private mutating func reasonOfWait(
        _ ticket: Ticket, _ key: FlowKey, until waitEnd: Instant
    ) -> Reason? {
        if maxWaitNanoseconds == 0 { return blame(.waitTooLong, key) }
        // An unknown rate predicts nothing; then only the bounds of the queue count.
        let predicted = wholeNanoseconds(predictedWaitSeconds(ticket.cost, key) ?? 0)
        let turn = clock.advanced(byNanoseconds: predicted)
        if turn > waitEnd { return blame(.waitTooLong, key) }
        if turn > ticket.startBy ?? .distantFuture { return .deadline }
        let service = drainEstimate.longServiceNanoseconds
        let respondBy = ticket.respondBy ?? .distantFuture
        let left = max(0, respondBy.nanoseconds(since: clock) - service)
        if predicted > left { return .deadline }
        // A standing queue is kept short, so that who joins it is served soon and all others are told
        // at once, instead of all being served at the end of their patience.
        let isStanding = queue.flows[key.tenant, key.row].standing.isStanding
        let patience = patience(key.tenant, key.row)
        let borne = patienceNanoseconds(ticket, patience)
        let most = min(maxWaitNanoseconds, left, borne)
        guard predicted > (isStanding ? mostWhileStanding(most) : borne) else { return nil }
        if patience.seconds.isFinite {
            if isTried(key, predicted, patience) { return nil }
            queue.refusedOnArrival(
                key.tenant, key.row, patienceSeconds: patience.seconds, now: clock)
        }
        return blame(borne < maxWaitNanoseconds ? .patience : .waitTooLong, key)
    }

    /// Whether the request waits all the same, to find out whether its client bears it.
    ///
    /// The time to a first byte may be another one for its kind, of which nobody was served yet, or have been shorter
    /// since.
    private mutating func isTried(
        _ key: FlowKey, _ predictedNanoseconds: Int64, _ patience: FlowPatience
    ) -> Bool {
        guard Double(predictedNanoseconds) / 1e9 < patience.seconds else { return false }
        return queue.isTried(
            key.tenant, key.row,
            everySeconds: max(1, Self.servicesBetweenTrials * patience.firstByteSeconds),
            now: clock)
    }

    private static var servicesBetweenTrials: Double { 4 }

    /// For how long a request may wait while a queue stands, of what it may wait at most.
    ///
    /// It is a quarter, and more the more prompts are known somewhere: the queue's length is what finds
    /// requests for each backend whose prompts it knows.
    @inline(__always) private func mostWhileStanding(_ most: Int64) -> Int64 {
        guard hasAffinity else { return most / 4 }
        return most / 4 + Int64(Double(most - most / 4) * affinity.knownShare)
    }

    /// For how long the request may wait, if its client bears what most of its kind do, and the time
    /// to the first byte is as usual.
    @inline(__always) private func patienceNanoseconds(
        _ ticket: Ticket, _ patience: FlowPatience
    ) -> Int64 {
        guard patience.seconds.isFinite else { return .max }
        let age = ticket.arrivedAt.map { max(0, clock.seconds(since: $0)) } ?? 0
        return wholeNanoseconds(patience.seconds - age - patience.firstByteSeconds)
    }

    /// A shortage that is the tenant's own doing is told as such.
    @inline(__always) func blame(_ reason: Reason, _ key: FlowKey) -> Reason {
        if queue.tenants[key.tenant].isAtLimit { return .tenantLimit }
        return queue.isOverShare(key.tenant, limit: provenLimit) ? .tenantOverShare : reason
    }

    /// Seconds until the first backend returns if every one is ejected or drained; nil if one is not.
    ///
    /// Infinite when there is none that returns by itself: only a reload can bring one, or whoever has drained it.
    /// Nil while the first is yet to be discovered, where requests wait for models to be loaded.
    @inline(__always) var secondsUntilAnyReturn: Double? {
        var earliest: Instant?
        for index in backends.indices where backends[index].isPresent {
            guard backends[index].signals.takesNew else {
                let opensAt = backends[index].signals.opensAt
                if opensAt < .distantFuture { earliest = min(earliest ?? opensAt, opensAt) }
                continue
            }
            guard backends[index].ejection.isEjected(now: clock) else { return nil }
            earliest = min(earliest ?? .distantFuture, backends[index].ejection.until)
        }
        guard let earliest else {
            return settings.discoversBackends && isCold ? nil : .infinity
        }
        return earliest.seconds(since: clock)
    }

    /// Seconds that a request would wait that is offered now, 0 where it would start; nil while that
    /// is unknown or its tenant has as much in flight as it may, and infinite without a backend.
    package mutating func predictedWaitSeconds(_ ticket: Ticket, now: Instant) -> Double? {
        advance(to: now)
        let slot = queue.flowKey(of: ticket)
        if queue.maySkip(slot, limit: provenLimit), ticket.seats <= room { return 0 }
        // It waits for its own tenant.
        if queue.tenants[slot.tenant].isAtLimit { return nil }
        return secondsUntilAnyReturn ?? predictedWaitSeconds(expectedCost(ticket, slot), slot)
    }

    /// Seconds until a request of that cost would start that joins the queue there now; nil while
    /// the rate is unknown.
    mutating func predictedWaitSeconds(_ cost: Double, _ key: FlowKey) -> Double? {
        guard let rate = drainEstimate.perSecond(limit: provenLimit) else { return nil }
        let ahead = queue.costUntilServed(key, cost: cost)
        guard key.rank > 0 else { return ahead / rate }
        // What higher classes are granted does not come down to this one, apart from the turns
        // that the starvation bound keeps for it, however much waits above.
        let guaranteed =
            queue.isSlack(key.row) ? Self.leastLeft : 1 / Double(settings.queue.starvationBound)
        let least = rate * guaranteed
        let behindAll = ahead / max(least, rate - queue.rateAbove(key.rank, now: clock))
        return min(behindAll, queue.costInClass(key, cost: cost) / least)
    }

    /// What part of a pool is taken to be left at least for those who get only that, where it is predicted how long
    /// they wait.
    private static var leastLeft: Double { 1e-3 }

    /// Makes a rejection of a request that asked to join the queue there.
    mutating func refuse(
        _ reason: Reason, _ ticket: Ticket, _ key: FlowKey
    ) -> Rejection {
        if !queue.isSlack(key.row) {
            countDemand(
                reason, isRetry: ticket.isRetry, respondBy: ticket.respondBy,
                arrivedAt: ticket.arrivedAt)
        }
        return refuse(reason, cost: ticket.cost, key)
    }

    /// Makes a rejection of a request that does not fit into its tenant's quota.
    mutating func refuse(
        _ shortfall: Shortfall, _ ticket: Ticket, _ key: FlowKey
    ) -> Rejection {
        refuse(
            shortfall.reason, cost: ticket.cost, key, waitSeconds: shortfall.waitSeconds)
    }

    /// Makes a rejection of a request that has waited, which gives back what it was charged.
    mutating func refuse(_ reason: Reason, _ waiting: Waiting) -> Rejection {
        if !waiting.isSlack {
            countDemand(
                reason, isRetry: waiting.isRetry, respondBy: waiting.respondBy,
                arrivedAt: waiting.arrivedAt)
        }
        return refuse(
            reason, cost: waiting.cost,
            queue.flowKey(tenant: waiting.tenant, row: Int(waiting.row))
        ).returning(waiting.reserved)
    }

    /// Makes a rejection that has to do with nobody's slot in the queue.
    mutating func refuse(_ reason: Reason) -> Rejection {
        refuse(reason, cost: 1, queue.flowKey(of: Ticket()))
    }

    /// Makes a rejection, and promises when to come back behind what others were promised.
    private mutating func refuse(
        _ reason: Reason, cost: Double, _ key: FlowKey, waitSeconds: Double? = nil
    ) -> Rejection {
        let circumstances = circumstances(cost, key)
        let isSlack = queue.isSlack(key.row)
        let milliseconds: Int
        if let waitSeconds {
            // A quota comes back at its own pace, whatever the pool is short of.
            milliseconds = ReturnSchedule.milliseconds(
                quotaSeconds: waitSeconds, random: &random)
        } else {
            let rate = drainEstimate.perSecond(limit: provenLimit)
            // Of what waits no more is served than fits into the longest wait.
            let longest = Double(maxWaitNanoseconds) / 1e9
            let queued = min(circumstances.predictedWaitSeconds ?? 1, max(longest, 0.25))
            let outage = secondsUntilAnyReturn
            // To who gets only what is left nothing is promised that others would wait for.
            let kept = isSlack ? returns : nil
            milliseconds = returns.promise(
                waitSeconds: outage ?? queued, requestSeconds: cost / (rate ?? 1),
                isOutage: outage != nil, now: clock, random: &random)
            if let kept { returns = kept }
        }
        var rejection = Rejection(reason: reason, retryAfterMilliseconds: milliseconds)
        rejection.circumstances = circumstances
        rejection.isSlack = isSlack
        if reason.isShortage, !isSlack {
            queue.tenants.refuse(key.tenant, now: clock)
            rejection.isRetryUnwelcome = queue.tenants[key.tenant].demand.isExcessive
        }
        if reason == .tenantOverShare || reason == .tenantLimit {
            rejection.share = queue.share(key.tenant, limit: provenLimit)
        }
        return rejection
    }
}

extension AdmissionController {
    /// What the pool looks like to a request of that cost.
    mutating func circumstances(_ cost: Double, _ key: FlowKey) -> Circumstances {
        var circumstances = Circumstances()
        circumstances.limit = provenLimit
        circumstances.inFlight = provenInFlight
        circumstances.queued = queue.count
        let borne = patience(key.tenant, key.row).seconds
        circumstances.patienceSeconds = borne.isFinite ? borne : nil
        circumstances.predictedWaitSeconds =
            secondsUntilAnyReturn ?? predictedWaitSeconds(cost, key)
        return circumstances
    }
}

/// Seconds as whole nanoseconds, cut off at about 292 years.
private func wholeNanoseconds(_ seconds: Double) -> Int64 {
    Int64(min(max(seconds, 0) * 1e9, 9e18))
}
