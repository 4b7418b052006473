// The backend's response, from its connection to the client's: stops 6 and 7.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// Relays response bytes until nothing is left to read, or the client's output is full.
    func relayResponse(from upstream: UpstreamConnection, to client: ClientConnection) {
        let piecesBefore = attempt.response.pieces
        moveResponse(from: upstream, to: client)
        reportProgress(since: piecesBefore)
    }

    private func moveResponse(from upstream: UpstreamConnection, to client: ClientConnection) {
        if outlet.isPaused {
            guard outlet.resumes(outputBytes: client.output.count, snapshot) else { return }
        }
        var high = outlet.highBytes(usual: snapshot.bufferHighBytes)
        if let pacing {
            guard let room = room(for: client, pacing) else { return }
            high = room
        }
        guard attempt.hasMore(from: upstream, for: client, highBytes: high, now: now) else {
            if upstream.inputEnded { responseEnded(client, upstream) }
            return
        }
        while true {
            let tokensBefore = attempt.response.tokens
            let (step, events) = attempt.move(
                from: upstream, to: client, highBytes: high, writesChunks: outlet.framing.isChunked,
                isRead: claim.readsResponse)
            if events > 0 { observeEvents(attempt.response.tokens - tokensBefore) }
            if let pacing { pacing.note(.down, passed: attempt.response.bodyBytes) }
            switch step {
            case .needsMore:
                guard attempt.fill(from: upstream, for: client, highBytes: high, now: now) else {
                    attempt.waitForMore()
                    if upstream.inputEnded { responseEnded(client, upstream) }
                    return
                }
            case .head:
                receivedResponseHead(client, upstream)
                if stage != .forwarding || attempt.connection !== upstream { return }
                if let pacing {
                    guard let room = room(for: client, pacing) else { return }
                    high = room
                }
            case .ended:
                completeResponse(client, upstream)
                return
            case .invalid, .unreadable, .tooLarge:
                upstreamFailed(.upstreamInvalid)
                return
            case .full:
                if let pacing, high < outlet.highBytes(usual: snapshot.bufferHighBytes) {
                    // More may be had, or is to be waited for.
                    guard let room = room(for: client, pacing) else { return }
                    high = room
                    continue
                }
                guard outlet.growsFurther(for: client, snapshot) else {
                    outlet.pause(now: now)
                    return
                }
                high = outlet.highBytes(usual: snapshot.bufferHighBytes)
                if let pacing {
                    guard let room = room(for: client, pacing) else { return }
                    high = room
                }
            }
        }
    }

    /// What the client's output may hold by the pace of the response's body; nil where nothing may pass now.
    @inline(never)
    private func room(for client: ClientConnection, _ pacing: Pacing) -> Int? {
        pacing.room(
            .down, highBytes: outlet.highBytes(usual: snapshot.bufferHighBytes),
            outputHolds: client.hasOutput ? client.output.count : 0,
            framing: outlet.framing.isChunked ? BodyRelay.chunkBytes : 0, now: now)
    }

    /// Tells the pool what came, while the permit is held.
    private func reportProgress(since pieces: Int) {
        guard stage == .forwarding, let pool else { return }
        if let pacing, pacing.hasWaited { return }
        attempt.report(to: pool, since: pieces, now: now)
    }

    /// Events have come, of which so many carry tokens.
    private func observeEvents(_ tokens: Int) {
        outlet.comment(at: .distantFuture)
        attempt.noteEvents(now: now)
        guard tokens > 0, let metrics = claim.traffic?.streams else { return }
        if let sinceLast = attempt.noteTokens(now: now) {
            // Tokens that come together share the time since the last.
            metrics.observeInterToken(nanoseconds: sinceLast / Int64(tokens), times: tokens)
        } else {
            metrics.observeFirstToken(nanoseconds: now.nanoseconds(since: record.startedAt))
            if tokens > 1 { metrics.observeInterToken(nanoseconds: 0, times: tokens - 1) }
        }
    }

    private func receivedResponseHead(_ client: ClientConnection, _ upstream: UpstreamConnection) {
        if upstream.parser.head.isSwitch {
            client.prepareOutput()
            beginTunnel(client, upstream)
            return
        }
        if attempt.awaitsGrant, upstream.parser.head.status == 100 {
            return takeGrant(client, upstream)
        }
        // The connection, and with it the head, may be given up meanwhile.
        if mayBeRetried(instead: upstream.parser.head.status),
            isRetried(instead: upstream.parser.head.copy())
        {
            return
        }
        client.prepareOutput()
        if outlet.isStreamPromised, !upstream.parser.head.isInformational {
            takePromised(upstream)
            return
        }
        if takeResponseHead(upstream.parser.head, to: &client.output) { return }
        upstreamFailed(.upstreamInvalid)
    }

    /// Whether the request goes to another backend instead of this response to the client.
    private func isRetried(instead head: borrowing ResponseHead) -> Bool {
        attempt.noteRetryAfter(head)
        // What it says goes for the choice of another backend.
        heedSignals(head)
        return triesElsewhere(after: Outcome(status: head.status))
    }

    /// Whether a response with that status is a failure that another backend may make good.
    private func mayBeRetried(instead status: Int) -> Bool {
        status >= 200 && Outcome(status: status) != .success
    }

    /// Writes what the client gets for a response's head; false where the backend sends nonsense.
    private func takeResponseHead(
        _ head: borrowing ResponseHead, to output: inout ByteBuffer
    ) -> Bool {
        let version = intake.head.version
        if head.isInformational {
            guard attempt.noteInterim() else { return false }
            // HTTP/1.0 knows no interim responses, RFC 9110 section 15.2; nor does a body.
            if version == .http11, !outlet.isBegun {
                let seen = ResponseRewriter(exchange: self).appendInterim(head, to: &output)
                if seen.overlaps(snapshot.headTexts.signals) { heedSignals(head) }
            }
            return true
        }
        noteResponse(head)
        if !attempt.isStream { outlet.comment(at: .distantFuture) }
        outlet.begin(status: head.status, framing(of: head))
        if let pacing { pace(head, pacing) }
        // The client may never send a body that it still waits to be asked for.
        if shard.isDraining || !intake.isComplete && intake.awaitsContinue { outlet.endClient() }
        let seen = ResponseRewriter(exchange: self).append(head, to: &output)
        // Those of failures were heeded before.
        if seen.overlaps(snapshot.headTexts.signals), Outcome(status: head.status) == .success {
            heedSignals(head)
        }
        return true
    }

    /// Notes what a backend's response says of itself.
    func noteResponse(_ head: borrowing ResponseHead) {
        attempt.noteHead(head, isRead: claim.readsResponse, now: now)
        filterUsage()
    }

    /// The backend closed its side: the end of a response that runs until then, or a failure.
    private func responseEnded(_ client: ClientConnection, _ upstream: UpstreamConnection) {
        if attempt.isEndOfResponse(on: upstream) {
            completeResponse(client, upstream)
        } else {
            upstreamFailed(.upstreamClosed)
        }
    }

    /// The backend is done: its slot and its connection are free, whatever the client still has to
    /// take.
    private func completeResponse(_ client: ClientConnection, _ connection: UpstreamConnection) {
        attempt.passRest(to: client, writesChunks: outlet.framing.isChunked)
        if outlet.framing.isChunked {
            client.prepareOutput()
            if isResponseRuled, let editors = responseEditors {
                client.output.appendLastChunk(
                    trailers: connection.parser.trailers, without: editors.drops)
            } else {
                client.output.appendLastChunk(trailers: connection.parser.trailers)
            }
        }
        // Few responses have any, and passing them counts references to all that they are.
        if !connection.parser.trailers.ownFields.isEmpty {
            heedSignals(connection.parser.trailers, of: connection.upstream)
        }
        // Who answers without the body that was announced may still wait for it.
        let reusable =
            connection.parser.head.keepAlive && intake.isComplete && !attempt.awaitsGrant
        attempt.noteEnd(now: now)
        let pool = pool
        release(connection, of: pool, reusable: reusable)
        if let pool {
            if attempt.response.status / 100 == 2, now <= claim.responseDeadline {
                pool.metrics.countResponseInTime()
            }
            claim.learn(attempt, intake, in: pool, now: now)
            spendPermit(Outcome(status: attempt.response.status), in: pool)
        }
        beginDelivering()
    }

    /// Ends a stream that has begun with an error of its dialect, instead of a connection that breaks;
    /// false where the client would not understand it: within an event, or where the response is no
    /// stream.
    func endStream(_ local: LocalReply) -> Bool {
        guard let client, let format = openFormat, stage != .delivering else { return false }
        abandonUpstream()
        let event = ErrorBodyWriter(
            claim.dialect.errorEvent(local.facts(claim.dialect), format), status: local.status)
        client.prepareOutput()
        outlet.appendToStream(event.count(requestID: requestID), to: &client.output) { output in
            event.append(requestID: requestID, to: &output)
        }
        if outlet.framing.isChunked { client.output.appendLastChunk() }
        record.reason = local.reason
        beginDelivering()
        return true
    }
}
