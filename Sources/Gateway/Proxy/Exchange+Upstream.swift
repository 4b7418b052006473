// From a permit to a connection, and what happens when a backend fails: stop 6.

internal import Admission
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// Borrows an idle connection to the backend, or dials.
    func connect(
        to backend: BackendID, in pool: Pool, _ head: borrowing RequestHead,
        from client: ClientConnection
    ) {
        guard let upstream = pool.upstream(backend) else {
            // The backend left the policy between the grant and now.
            record.noteLostBackend()
            spendPermit(.failed(.local))
            reply(.noBackend)
            return
        }
        record.noteAttempt(at: upstream.metrics)
        if !ExchangeRecord.happened(record.connectBeganAt) { record.connectBeganAt = now }
        if let worker = upstream.worker {
            connect(to: worker, upstream, in: pool, head, from: client)
        } else if let connection = upstream.acquire(now: now) {
            upstream.metrics.connectionsReused &+= 1
            attempt.reuse()
            attach(connection, in: pool, head, from: client)
        } else {
            startDial(upstream)
        }
    }

    private func startDial(_ upstream: Upstream) {
        guard let pool else { return }
        attempt.beginDial(now: now)
        let milliseconds = connectBudgetMilliseconds(pool)
        let dial = shard.dialler.dial(
            upstream.target, in: upstream.dialLine, timeoutMilliseconds: milliseconds, now: now
        ) { [unowned self] result in
            attempt.endDial()
            switch consume result {
            case .connected(let transport): connected(upstream, transport)
            case .failed(let failure): dialFailed(upstream, failure)
            }
            client?.advance()
        }
        guard attempt.await(dial) else {
            spendPermit(.failed(.local))
            reply(.exhausted)
            return
        }
    }

    /// What is left of the connect budget; while other backends could still be tried, half of it.
    private func connectBudgetMilliseconds(_ pool: Pool) -> Int {
        let spent = now.nanoseconds(since: record.connectBeganAt)
        let left = max(0, pool.timeouts.connectNanoseconds - spent) / 1_000_000
        return Int(pool.settings.backends.count > 1 ? max(left / 2, min(left, 250)) : left)
    }

    private func connected(_ upstream: Upstream, _ transport: consuming Transport) {
        guard let pool, let client else { return }
        let connection = UpstreamConnection(
            reactor: shard.reactor, transport: transport, upstream: upstream)
        guard connection.start() else {
            connection.close()
            spendPermit(.failed(.local))
            reply(.exhausted)
            return
        }
        if pool.connected(upstream) { shard.cameBack(upstream, pool) }
        if connection.fill(highBytes: snapshot.bufferHighBytes) > 0 {
            // Nothing was asked yet, so this is no response; what spoke first does not speak HTTP.
            upstream.metrics.connectionsOpened &+= 1
            connection.close()
            spendPermit(.failed(.invalid))
            reply(.upstreamInvalid)
            return
        }
        upstream.metrics.connectionsOpened &+= 1
        pool.metrics.observeConnect(nanoseconds: now.nanoseconds(since: attempt.times.dialBeganAt))
        attach(connection, in: pool, intake.head, from: client)
    }

    private func dialFailed(_ upstream: Upstream, _ failure: DialFailure) {
        let reason = failure.reason
        upstream.metrics.countConnectionFailed(reason)
        if let pool { shard.dialFailed(upstream, pool, failure) }
        if reason == .exhausted {
            // Our own shortage says nothing about the backend.
            spendPermit(.failed(.local))
            reply(reason)
            return
        }
        guard let pool, let permit = attempt.takePermit() else { return }
        let budgetEnd = record.connectBeganAt.advanced(
            byNanoseconds: pool.timeouts.connectNanoseconds)
        record.waitBeganAt = now
        var refusal = SharedAdmission.Refusal()
        let verdict = pool.retry(permit, id, prompt, at: upstream, &refusal) {
            // It has to be started within the budget, however long it then takes.
            makeTicket(pool, startBy: budgetEnd)
        }
        if refusal.isEjected { upstream.metrics.ejections &+= 1 }
        if refusal.isNews { shard.ejected(upstream, pool, failure) }
        switch consume verdict {
        case .forward(let next):
            pool.metrics.retries &+= 1
            granted(next)
        case .reject:
            reply(reason)
        case .parked(let handle):
            park(handle)
        }
    }

    /// Writes the head to the backend and begins to relay.
    func attach(
        _ connection: UpstreamConnection, in pool: Pool, _ head: borrowing RequestHead,
        from client: ClientConnection
    ) {
        // A plain connection that was read to its end is not read again: nothing has told of more.
        let isEarly = attempt.isReused && connection.fill(highBytes: snapshot.bufferHighBytes) > 0
        attempt.attach(connection, now: now)
        move(to: .forwarding)
        intake.noteProgress(now: now)
        if pool.hasByteRates {
            beginPacing(in: pool)
        } else if pacing != nil {
            // It was another pool's.
            pacing = nil
        }
        connection.begin(self, method: head.method, mayBecomeWebSocket: asksForTunnel)
        if isEarly {
            upstreamSpokeTooEarly()
            return
        }
        takeBody(client)
        connection.prepareOutput()
        RequestRewriter(self, in: pool).append(
            head, of: self, in: pool, for: connection.upstream, peer: client.peer,
            to: &connection.output)
        if !attempt.awaitsGrant { forwardWholeBody(head, from: client, to: connection) }
    }

    /// Hands what there is of the body to `connection`, and to whom gets a copy.
    func forwardWholeBody(
        _ head: borrowing RequestHead, from client: ClientConnection,
        to connection: UpstreamConnection
    ) {
        if spread.mayBeCopied {
            forwardBodyAndCopy(head, from: client, to: connection)
        } else {
            forwardBody(to: connection)
        }
    }

    /// The backend closed, broke or answered nonsense.
    func upstreamFailed(_ reason: Reason) {
        guard let pool, let connection = attempt.connection else { return }
        if connection.upstream.worker != nil { return workerFailed(reason, connection, in: pool) }
        if reason == .upstreamClosed, canTryAgain(connection) {
            pool.metrics.retries &+= 1
            record.wasSentAgain = true
            record.connectBeganAt = now
            release(connection, reusable: false)
            move(to: .dialling)
            record.noteAttempt(at: connection.upstream.metrics)
            startDial(connection.upstream)
            return
        }
        let outcome = outcome(of: reason)
        if triesElsewhere(after: outcome) { return }
        release(connection, reusable: false)
        spendPermit(outcome)
        replyOrCut(reason)
    }

    /// What a backend's failure says about it.
    func outcome(of reason: Reason) -> Outcome {
        switch reason {
        case .firstByteTimeout: .failed(.timeout)
        case .upstreamIdleTimeout, .streamStalled: .failed(.stalled)
        case .upstreamInvalid: .failed(.invalid)
        case .upstreamClosed: .failed(.closed)
        default: .cancelled(by: .gateway, in: phase)
        }
    }

    /// The backend's time is up.
    func backendTimedOut() {
        if stage == .tunnelling {
            tunnelDeadlineReached()
            return
        }
        let response = attempt.response
        if !response.hasBegun {
            upstreamFailed(now >= claim.deadline ? .deadlinePassed : .firstByteTimeout)
        } else if !attempt.isStream {
            upstreamFailed(.upstreamIdleTimeout)
        } else {
            upstreamFailed(response.hasEvents ? .streamStalled : .firstByteTimeout)
        }
        client?.advance()
    }

    /// For how long the backend may be silent within its response.
    ///
    /// Engines send a stream's head when they have taken the request in, long before its first token.
    private func silenceNanoseconds(in pool: Pool) -> Int64 {
        let timeouts = rules == nil ? pool.timeouts : ownTimeouts(in: pool)
        guard attempt.isStream else { return timeouts.idleNanoseconds }
        return attempt.response.hasEvents
            ? timeouts.streamStallNanoseconds : timeouts.firstByteNanoseconds
    }

    /// Sets the time-out of the backend's side after each round.
    func settleUpstream(for client: ClientConnection) {
        settleAwaited(for: client)
        if stage == .tunnelling { settleTunnel() }
        guard stage == .forwarding, let upstream = attempt.connection, let pool else { return }
        if let pacing, settlePacing(pacing, on: upstream) { return }
        var timeout: Int64
        if outlet.isPaused || awaitsBody {
            // The client is the slow one, and its own time-outs watch it.
            attempt.noteProgress(now: now)
            timeout = .max
        } else if attempt.response.hasBegun {
            timeout = silenceNanoseconds(in: pool)
        } else {
            timeout = min(
                rules == nil
                    ? pool.timeouts.firstByteNanoseconds
                    : ownTimeouts(in: pool).firstByteNanoseconds,
                max(0, claim.deadline.nanoseconds(since: attempt.times.progressAt)))
            if attempt.awaitsGrant { timeout = min(timeout, Exchange.grantNanoseconds) }
        }
        client.reactor.setDeadline(
            of: upstream, to: attempt.times.progressAt.advanced(byNanoseconds: timeout))
        upstream.releaseBuffers()
    }

    /// Detaches from a backend's connection and counts what it moved.
    func release(_ connection: UpstreamConnection, reusable: Bool) {
        release(connection, of: pool, reusable: reusable)
    }

    /// The same for who has the pool in hand.
    func release(_ connection: UpstreamConnection, of pool: Pool?, reusable: Bool) {
        if let pool {
            pool.metrics.upstreamSentBytes &+= UInt64(connection.sentSinceBegun)
            pool.metrics.upstreamReceivedBytes &+= UInt64(connection.receivedSinceBegun)
        }
        claim.countTokens(attempt)
        attempt.detach()
        if let pacing { pacing.end(now: now) }
        connection.end(reusable: reusable)
    }

    /// Lets go of the backend in whatever stage the exchange is, because of that party.
    func abandonUpstream(by party: Outcome.Party = .gateway) {
        let phase = phase
        if let handle = parkedHandle {
            pool?.cancel(handle)
            parkedHandle = nil
        }
        attempt.cancelDial(of: shard.dialler)
        if let connection = attempt.connection { release(connection, reusable: false) }
        spendPermit(.cancelled(by: party, in: phase))
    }
}
