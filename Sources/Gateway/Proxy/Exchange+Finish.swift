// Responses that the gateway makes itself, answers that are cut short, and the one end of every
// exchange: stops 5 and 8.

internal import Admission
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// Responses with a rejection of the admission controller's.
    func reply(_ rejection: Rejection) {
        if rejection.reason.isDecision {
            pool?.metrics.countRejected(
                rejection.reason, retryAfterSeconds: rejection.retryAfterSeconds,
                in: claim.classMetrics)
            claim.traffic?.countShed(rejection.reason)
        }
        shard.explain(rejection, of: self)
        appendReply(
            LocalReply(
                rejection.reason, rejection: rejection, dialect: claim.dialect,
                overloadStatus: pool?.responses.overloadStatus))
    }

    /// Responses with a reason of the gateway's own; one that asks to come back later says when.
    func reply(_ reason: Reason) {
        if let pool, LocalReply.status(of: reason) == 503 {
            reply(pool.rejection(reason))
        } else {
            appendReply(ownReply(reason))
        }
    }

    /// The response for a reason that does not say when to come back.
    private func ownReply(_ reason: Reason) -> LocalReply {
        LocalReply(reason, dialect: claim.dialect, hasBegun: attempt.response.hasBegun)
    }

    /// Answers a request whose body cannot be routed by.
    func reply(_ fault: BodyFault) { appendReply(LocalReply(fault)) }

    /// Answers a request that could not be parsed.
    func reply(_ error: ParseError) {
        outlet.endClient()
        appendReply(LocalReply(error))
    }

    /// Answers if nothing of a response has been sent, else cuts it so that the client notices.
    func replyOrCut(_ reason: Reason) {
        if !outlet.isBegun {
            reply(reason)
        } else if !endStream(ownReply(reason)) {
            cut(reason)
        }
    }

    /// The same for a body whose framing broke.
    func replyOrCut(_ error: ParseError) {
        if outlet.isBegun { cut(.badRequest) } else { reply(error) }
    }

    /// Answers an OPTIONS that may go no further: all that this gateway knows about itself.
    func answerOptions() {
        guard let client else { return }
        outlet.begin(status: 200)
        beginDelivering()
        client.prepareOutput()
        client.output.appendStatusLine(status: 200)
        shard.appendDate(to: &client.output)
        client.output.appendContentLength(0)
        appendCrossOrigin(to: &client.output)
        client.output.appendField(.xRequestID, requestID)
        outlet.appendConnection(intake.head.version, to: &client.output)
        client.output.appendLineEnd()
    }

    /// Responses with `local`; by an event where a stream has been promised.
    func appendReply(_ local: LocalReply) {
        guard let client else { return }
        precondition(
            !attempt.hasPermit && attempt.connection == nil,
            "a local reply while a backend works")
        if outlet.isBegun {
            if !endStream(local) { cut(local.reason) }
            return
        }
        if client.link != nil, Exchange.returns(local.reason) { return cut(local.reason) }
        record.reason = local.reason
        beginReply(status: local.status)
        client.prepareOutput()
        local.append(for: self, to: &client.output)
    }

    /// From here on the gateway's own response is delivered.
    func beginReply(status: Int) {
        intake.dropHeld()
        outlet.begin(status: status)
        beginDelivering()
        if shard.isDraining { outlet.endClient() }
    }

    /// The whole response is in the client's output, or is now to be written to it.
    func beginDelivering() {
        move(to: .delivering)
        guard !intake.isComplete else { return }
        if !intake.isWorthDiscarding { outlet.endClient() }
        intake.discard(outlet.keepsClient)
        intake.noteProgress(now: now)
    }

    /// Ends whatever is going on, because the time to drain is up: by an answer, by an event where a
    /// stream has begun, else by a cut.
    func endDraining() {
        let isTold: Bool
        if stage == .bulk {
            isTold = endBulkAtOnce()
        } else if outlet.isBegun {
            isTold = endStream(LocalReply(.draining, dialect: claim.dialect))
        } else {
            abandonUpstream()
            reply(.draining)
            isTold = true
        }
        // Nothing will be sent later.
        cut(.draining, isTold: isTold)
    }

    /// Ends a response that had begun in a way the client can tell from its end; unless it `isTold` what
    /// has become of it.
    func cut(_ reason: Reason, isTold: Bool = false) {
        guard let client else { return }
        record.reason = reason
        abandonUpstream()
        client.flush()
        outlet.endClient()
        let resets =
            outlet.framing.isUntilClose && !(isTold && !client.hasOutput)
            || reason == .writeTimeout
        shard.finished(self, client)
        client.endAfterCut(reset: resets)
        shard.release(self)
    }

    /// The client has left: nothing is sent any more, and the backend's work is cancelled at once.
    func clientGone() {
        guard let client else { return }
        if stage != .delivering || record.reason == .none { record.reason = .clientGone }
        if parkedHandle != nil { pool?.metrics.countAbandoned(.clientGone, in: claim.classMetrics) }
        leaveUpstream()
        shard.finished(self, client)
        client.endAfterCut(reset: false)
        shard.release(self)
    }

    /// The last byte has left: counts, logs, and gives the connection back to its next request.
    func finish(_ client: ClientConnection) {
        shard.finished(self, client)
        let keeps = outlet.keepsClient && intake.isComplete
        let lingers = !intake.isComplete
        shard.release(self)
        client.exchangeFinished(keeps: keeps, lingers: lingers)
    }
}
