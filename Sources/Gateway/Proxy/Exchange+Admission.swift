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
        // One copy for all that look at it, down to where it is written to a backend's connection;
        // each call would make its own of a property.
        let head = head
        let latest = shard.snapshot
        if snapshot !== latest { snapshot = latest }
        keepsClient = head.keepAlive && !shard.isDraining
        takeRequestID(head)
        dialect = Exchange.dialect(of: head)
        isRequestComplete = !head.hasBody
        switch head.method {
        case .connect, .trace:
            reply(.notImplemented)
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
        armKeepAlive()
        ask(pool, head, from: client)
    }

    /// Asks `pool` for a permit.
    func ask(_ pool: Pool, _ head: borrowing RequestHead, from client: ClientConnection) {
        var claim: ClaimTable.Claim? = makeClaim(pool, head, client)
        switch claim?.fault {
        case nil, .some(.none): break
        case .some(let fault):
            reply(fault)
            return
        }
        if fallsBack(before: pool) { return }
        let hints = RequestHints(head)
        setDeadline(pool, hints)
        if hints.isRetry { pool.metrics.clientRetries &+= 1 }
        let verdict = pool.offer(id) {
            // Asked for again, the pool has other settings than before.
            var ticket = makeTicket(
                claim.take() ?? makeClaim(pool, head, client), head, client)
            ticket.isRetry = hints.isRetry
            return ticket
        }
        switch consume verdict {
        case .forward(let permit):
            pool.metrics.countForwarded(afterNanoseconds: 0, in: classMetrics)
            if pool.isObserving { observed(permit.withheld, wouldWait: permit.wouldWait) }
            granted(permit, in: pool, head, from: client)
        case .reject(let rejection):
            refused(rejection)
        case .parked(let handle):
            parkedHandle = handle
            move(to: .parked)
        }
    }

    /// Whose the request is, by the pool's present policy.
    private func makeClaim(
        _ pool: Pool, _ head: borrowing RequestHead, _ client: ClientConnection
    ) -> ClaimTable.Claim {
        var key = ClaimTable.Key.missing
        let claims = pool.claims
        if claims.hasKeys, let range = APIKey.range(in: head) {
            key = .digest(client.lastKey.digest(of: head.span(range)))
        }
        let claim = claims.claim(of: head, key: key, address: client.peer.bits)
        let priorityClass = pool.classes[claim.priorityClass]
        classMetrics = priorityClass
        tenant = claim.tenant
        if isFollowingResponse {
            let found = pool.metrics.model(model)
            modelMetrics = found
            traffic = pool.metrics.traffic(
                found, priorityClass, tenant: pool.tenantPlace(of: claim.tenantIndex))
        }
        return claim
    }

    /// What admission is told of the request, by the pool's present policy.
    ///
    /// It is to be started by `startBy`, where that is said.
    func makeTicket(_ pool: Pool, startBy: Instant? = nil) -> Ticket {
        guard let client else { return Ticket() }
        let head = head
        var ticket = makeTicket(makeClaim(pool, head, client), head, client)
        ticket.startBy = startBy
        return ticket
    }

    private func makeTicket(
        _ claim: ClaimTable.Claim, _ head: borrowing RequestHead, _ client: ClientConnection
    ) -> Ticket {
        let inputBytes = client.hasInput ? client.input.count : 0
        let heldBytes = inputBytes + (body?.held.count ?? 0)
        var ticket = Ticket(
            bodyBytes: heldBytes, answerBy: deadline == .distantFuture ? nil : deadline)
        ticket.arrivedAt = record.offeredAt
        ticket.tenant = claim.tenant
        ticket.priorityClass = claim.priorityClass
        setTokens(of: &ticket, head)
        return ticket
    }

    /// Until when the response is wanted, by the request and by the policy, from its first byte on.
    private func setDeadline(_ pool: Pool, _ hints: RequestHints) {
        var shortest = pool.longestNanoseconds ?? .max
        if pool.deadlines.readsFields {
            shortest = min(shortest, hints.answerNanoseconds ?? .max)
        }
        answerDeadline = record.startedAt.advanced(byNanoseconds: shortest)
        if pool.deadlines.readsFields {
            // A client that waits for a byte has one in every comment.
            if let time = hints.byteNanoseconds, !isKeptAlive(within: time) {
                shortest = min(shortest, time)
            }
        }
        deadline = record.startedAt.advanced(byNanoseconds: shortest)
    }

    /// Counts what would have become of a request that starts because the pool only observes.
    private func observed(_ withheld: Reason, wouldWait: Bool) {
        guard let pool else { return }
        let observation: PoolMetrics.Observation =
            withheld != .none ? .wouldBeRefused : wouldWait ? .wouldWait : .wouldStart
        pool.metrics.countObserved(observation, withheld, in: classMetrics)
        record.withheld = withheld
        if withheld != .none { shard.explain(withheld, of: self, in: pool) }
    }

    /// The queue's decision for this parked exchange: started.
    func granted(_ permit: consuming Permit) {
        guard let pool, let client else { return }
        granted(permit, in: pool, head, from: client)
    }

    private func granted(
        _ permit: consuming Permit, in pool: Pool, _ head: borrowing RequestHead,
        from client: ClientConnection
    ) {
        parkedHandle = nil
        let backend = permit.backend
        self.permit = consume permit
        record.grantedAt = now
        record.queueNanoseconds += now.nanoseconds(since: record.waitBeganAt)
        record.backend = backend
        move(to: .dialling)
        connect(to: backend, in: pool, head, from: client)
    }

    /// The pool's decision: refused; unless there is another pool.
    func refused(_ rejection: Rejection) {
        parkedHandle = nil
        if fallsBack(after: rejection) { return }
        reply(rejection)
    }

    /// Gives the permit back, once; later calls find none.
    func spendPermit(_ outcome: Outcome) {
        guard let pool, let permit = permit.take() else { return }
        traffic?.countCost(
            nanoseconds: now.nanoseconds(since: permit.grantedAt), units: permit.seats)
        backendMetrics?.count(outcome)
        pool.complete(permit, outcome, servedWork(outcome))
    }

    /// What the backend did for the request so far.
    func servedWork(_ outcome: Outcome) -> ServedWork {
        var work = ServedWork(units: max(1, record.responsePieces))
        if ExchangeRecord.happened(record.firstByteAt) {
            work.firstByteNanoseconds = record.firstByteAt.nanoseconds(since: record.grantedAt)
        }
        work.charge = charge
        if outcome == .success, record.responsePieces == 0, record.responseBodyBytes > 0 {
            work.size = Double(record.responseBodyBytes)
        }
        if outcome == .overload, record.backendRetryAfterSeconds > 0 {
            work.retryAfterNanoseconds = Int64(record.backendRetryAfterSeconds) * 1_000_000_000
        }
        return work
    }

    private static func dialect(of head: borrowing RequestHead) -> Dialect {
        let path = head.span(head.path)
        var hasVersion = false
        for field in head.fields where field.name.count == anthropicVersion.count {
            if head.name(of: field).equals(lowercase: anthropicVersion) { hasVersion = true }
        }
        return Dialect(path: path, hasAnthropicVersion: hasVersion)
    }

    private static let anthropicVersion = Array("anthropic-version".utf8)

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
