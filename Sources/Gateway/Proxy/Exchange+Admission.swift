// From a complete head to a permit or a refusal: stops 3 to 5.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// The head that `client` sent is complete: finds the pool and asks for a permit.
    func classify(from client: ClientConnection) {
        // One look for all, down to where it is written to a backend's connection.
        classify(intake.head, from: client)
    }

    private func classify(_ head: borrowing RequestHead, from client: ClientConnection) {
        let latest = shard.snapshot
        if snapshot !== latest { snapshot = latest }
        intake.beginBody(head.hasBody)
        outlet.keepClient(head.keepAlive && !shard.isDraining)
        takeRequestID(head)
        claim.begin(head)
        switch head.method {
        case .connect, .trace:
            reply(.notImplemented)
            return
        case .options where isSignOfLife(head):
            answerOptions()
            return
        default:
            break
        }
        route(head, from: client)
    }

    /// Asks the route's pool for a permit; the fallback's, where the wait would be too long.
    func offer(to pool: Pool, _ head: borrowing RequestHead, from client: ClientConnection) {
        record.offeredAt = now
        record.waitBeganAt = now
        if snapshot.routes.looksForStreams {
            armComments()
            askForUsage()
        }
        ask(pool, head, from: client)
    }

    /// Asks `pool` for a permit.
    func ask(_ pool: Pool, _ head: borrowing RequestHead, from client: ClientConnection) {
        var identity: Identity? = claim.identify(in: pool, head, from: client)
        switch identity?.fault {
        case nil, .some(.none): break
        case .some(let fault):
            // A browser asks without a key whether it may send one: who serves it answers.
            if isPreflight(head) { break }
            reply(fault)
            return
        }
        if fallsBack(before: pool) { return }
        let hints = RequestHints(head)
        if hints.hasVia, snapshot.headTexts.isLooping(head) {
            reply(.loop)
            return
        }
        // A lane's request may wait for as long as it takes.
        if client.lane == nil {
            claim.setDeadline(
                pool, hints, startedAt: record.startedAt, keepAliveNanoseconds: commentNanoseconds)
        }
        if hints.isRetry { pool.metrics.clientRetries &+= 1 }
        if pool.hasAffinity {
            prompt = prefixKeys(in: pool, head, from: client)
            pool.prompt = prompt
        }
        let verdict = pool.offer(id, payer: claim.payer) {
            // Asked for again, the pool has other settings than before.
            let known = identity.take() ?? claim.identify(in: pool, head, from: client)
            var ticket = claim.ticket(
                known, in: pool, head, of: intake, from: client, arrivedAt: record.offeredAt)
            ticket.isRetry = hints.isRetry
            return ticket
        }
        switch consume verdict {
        case .forward(let permit):
            pool.metrics.countForwarded(afterNanoseconds: 0, in: claim.classMetrics)
            if pool.isObserving { observed(permit.withheld, wouldWait: permit.wouldWait) }
            granted(permit, in: pool, head, from: client)
        case .reject(let rejection):
            refused(rejection)
        case .parked(let handle):
            park(handle)
        }
    }

    /// Waits in the pool's queue.
    func park(_ handle: ParkedHandle) {
        parkedHandle = handle
        move(to: .parked)
    }

    /// What admission is told of the request, by the pool's present policy.
    ///
    /// It is to be started by `startBy`, where that is said.
    func makeTicket(_ pool: Pool, startBy: Instant? = nil) -> Ticket {
        guard let client else { return Ticket() }
        var ticket = claim.ticket(
            claim.identify(in: pool, intake.head, from: client), in: pool, intake.head, of: intake,
            from: client, arrivedAt: record.offeredAt)
        ticket.startBy = startBy
        return ticket
    }

    /// Counts what would have become of a request that starts because the pool only observes.
    private func observed(_ withheld: Reason, wouldWait: Bool) {
        guard let pool else { return }
        let observation: PoolMetrics.Observation =
            withheld != .none ? .wouldBeRefused : wouldWait ? .wouldWait : .wouldStart
        pool.metrics.countObserved(observation, withheld, in: claim.classMetrics)
        record.withheld = withheld
        if withheld != .none { shard.explain(withheld, of: self, in: pool) }
    }

    /// The queue's decision for this parked exchange: started.
    func granted(_ permit: consuming Permit) {
        guard let pool, let client else { return }
        granted(permit, in: pool, intake.head, from: client)
    }

    private func granted(
        _ permit: consuming Permit, in pool: Pool, _ head: borrowing RequestHead,
        from client: ClientConnection
    ) {
        parkedHandle = nil
        let backend = permit.backend
        attempt.begin(permit, now: now)
        record.queueNanoseconds += now.nanoseconds(since: record.waitBeganAt)
        move(to: .dialling)
        connect(to: backend, in: pool, head, from: client)
    }

    /// The pool's decision: refused; unless there is another pool.
    func refused(_ rejection: Rejection) {
        parkedHandle = nil
        if spread.triedParts != 0, spills(after: rejection) { return }
        if fallsBack(after: rejection) { return }
        reply(rejection)
    }

    /// Gives the permit back, once; later calls find none.
    func spendPermit(_ outcome: Outcome) {
        if let pool { spendPermit(outcome, in: pool) }
    }

    /// The same for who has the pool in hand.
    func spendPermit(_ outcome: Outcome, in pool: Pool) {
        guard let permit = attempt.takePermit() else { return }
        claim.traffic?.countCost(
            nanoseconds: now.nanoseconds(since: permit.grantedAt), units: permit.seats)
        backendMetrics?.count(outcome)
        var work = attempt.work(outcome, charge)
        if pool.hasAffinity { addCached(to: &work) }
        if let pacing { work.isHeldBack = pacing.hasWaited }
        pool.complete(permit, outcome, work)
    }

    /// Adds what the backend says that it knew of the prompt.
    @inline(never)
    private func addCached(to work: inout ServedWork) {
        let usage = attempt.reportedUsage
        if let input = usage.input, let cached = usage.cached {
            work.promptTokens = UInt32(clamping: input)
            work.cachedTokens = UInt32(clamping: cached)
        }
    }

    /// What the request's tenant is charged if it ends now.
    var charge: Charge {
        claim.charge(attempt, intake, inputBytes: client?.input.count ?? 0)
    }

    /// Keeps the client's request id where the policy says so and it is harmless, else makes one.
    private func takeRequestID(_ head: borrowing RequestHead) {
        if snapshot.keepsRequestID,
            let field = head.firstField(.xRequestID),
            field.value.count >= 1 && field.value.count <= Exchange.requestIDBytes
        {
            requestID.removeAll(keepingCapacity: true)
            requestID.append(contentsOf: head.bytes[field.value])
        } else {
            shard.makeRequestID(&requestID)
        }
    }

    /// Longest request id that is kept.
    private static let requestIDBytes = 128
}
