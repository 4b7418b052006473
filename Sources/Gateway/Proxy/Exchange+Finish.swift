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
                rejection.reason, retryAfterSeconds: rejection.retryAfterSeconds, in: classMetrics)
            traffic?.countShed(rejection.reason)
        }
        shard.explain(rejection, of: self)
        appendReply(
            LocalReply(
                rejection.reason, rejection: rejection, dialect: dialect,
                overloadStatus: pool?.responses.overloadStatus))
    }

    /// Responses with a reason of the gateway's own; one that asks to come back later says when.
    func reply(_ reason: Reason) {
        if let pool, LocalReply.status(of: reason) == 503 {
            reply(pool.rejection(reason))
        } else {
            appendReply(LocalReply(reason, dialect: dialect))
        }
    }

    /// Answers a request whose body cannot be routed by.
    func reply(_ fault: BodyFault) { appendReply(LocalReply(fault)) }

    /// Answers a request that could not be parsed.
    func reply(_ error: ParseError) {
        keepsClient = false
        appendReply(LocalReply(error))
    }

    /// Answers if nothing of a response has been sent, else cuts it so that the client notices.
    func replyOrCut(_ reason: Reason) {
        if !isResponseBegun {
            reply(reason)
        } else if !endStream(LocalReply(reason, dialect: dialect)) {
            cut(reason)
        }
    }

    /// The same for a body whose framing broke.
    func replyOrCut(_ error: ParseError) {
        if isResponseBegun { cut(.badRequest) } else { reply(error) }
    }

    /// Answers an OPTIONS that may go no further: all that this gateway knows about itself.
    func answerOptions() {
        guard let client else { return }
        record.status = 200
        isResponseBegun = true
        move(to: .delivering)
        if !isRequestComplete { decideDiscarding() }
        client.prepareOutput()
        client.output.appendStatusLine(status: 200)
        shard.appendDate(to: &client.output)
        client.output.appendContentLength(0)
        client.output.appendField(.xRequestID, requestID)
        appendConnection(to: &client.output)
        client.output.appendLineEnd()
    }

    /// Responses with `local`; by an event where a stream has been promised.
    func appendReply(_ local: LocalReply) {
        guard let client else { return }
        precondition(permit == nil && upstream == nil, "an answer of our own while a backend works")
        if isResponseBegun {
            if !endStream(local) { cut(local.reason) }
            return
        }
        record.reason = local.reason
        beginReply(status: local.status)
        client.prepareOutput()
        local.append(for: self, to: &client.output)
    }

    /// From here on the gateway's own response is delivered.
    func beginReply(status: Int) {
        dropHeld()
        record.status = status
        isResponseBegun = true
        move(to: .delivering)
        if !isRequestComplete { decideDiscarding() }
        if shard.isDraining { keepsClient = false }
    }

    /// Whether reading the rest of the request's body is cheaper than a new connection.
    func decideDiscarding() {
        defer {
            isDiscarding = keepsClient
            record.bodyProgressAt = now
        }
        guard isHeadComplete else { return }
        // Where there is no body at all the parser says so without reading.
        switch head.framing {
        case .length(let length) where length - record.bodyBytes > Exchange.discardBytes:
            keepsClient = false
        default:
            if head.expectsContinue && record.bodyBytes == 0 { keepsClient = false }
        }
    }

    /// Ends a response that had begun in a way the client can tell from its end.
    func cut(_ reason: Reason) {
        guard let client else { return }
        record.reason = reason
        abandonUpstream()
        client.flush()
        keepsClient = false
        let resets = responseFraming.isUntilClose || reason == .writeTimeout
        shard.finished(self, client)
        client.endAfterCut(reset: resets)
        shard.release(self)
    }

    /// The client has left: nothing is sent any more, and the backend's work is cancelled at once.
    func clientGone() {
        guard let client else { return }
        if stage != .delivering || record.reason == .none { record.reason = .clientGone }
        if parkedHandle != nil { pool?.metrics.countAbandoned(.clientGone, in: classMetrics) }
        leaveUpstream()
        shard.finished(self, client)
        client.endAfterCut(reset: false)
        shard.release(self)
    }

    /// The last byte has left: counts, logs, and gives the connection back to its next request.
    func finish(_ client: ClientConnection) {
        shard.finished(self, client)
        let keeps = keepsClient && isRequestComplete
        let lingers = !isRequestComplete
        shard.release(self)
        client.exchangeFinished(keeps: keeps, lingers: lingers)
    }
}
