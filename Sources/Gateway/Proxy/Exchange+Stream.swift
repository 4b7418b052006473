// What is learnt from a response as it passes, and how a stream ends whose backend has failed: with
// an event that the client's library reads as an error, instead of a connection that breaks.

internal import Admission
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// Begins to follow the response whose head has come.
    func beginFollowing(_ head: borrowing ResponseHead) {
        guard isFollowingResponse else { return }
        let reader = responseReader ?? ResponseReader()
        responseReader = reader
        reader.begin(head)
    }

    /// Whether answers of the request's dialect are read.
    var isFollowingResponse: Bool { if case .plain = dialect { false } else { true } }

    /// Whether a stream of events is under way whose form is known.
    var isStreaming: Bool { isFollowingResponse && responseReader?.isStream == true }

    /// Counts what a step of relaying moved as work: a stream's events, else chunks.
    ///
    /// A server that streams sends a chunk for each event; a body of known length says nothing of
    /// the work in it.
    func countPieces(of relay: borrowing BodyRelay, hasChunks: Bool) {
        if isStreaming {
            guard relay.events > 0 else { return }
            record.responsePieces += relay.events
            observeEvents(relay.events)
        } else if hasChunks {
            record.responsePieces += relay.pieces
        }
    }

    private func observeEvents(_ events: Int) {
        keepAliveAt = .distantFuture
        guard let metrics = traffic?.streams else { return }
        var following = events
        if ExchangeRecord.happened(record.lastEventAt) {
            // Events that come together share the time since the last.
            let each = now.nanoseconds(since: record.lastEventAt) / Int64(events)
            metrics.observeInterToken(nanoseconds: each, times: following)
        } else {
            metrics.observeFirstToken(nanoseconds: now.nanoseconds(since: record.startedAt))
            record.firstEventAt = now
            following -= 1
            if following > 0 { metrics.observeInterToken(nanoseconds: 0, times: following) }
        }
        record.lastEventAt = now
    }

    /// Ends a stream that has begun with an error of its dialect; false where the client would not
    /// understand it: within an event, or where the response is no stream.
    func endStream(_ local: LocalReply) -> Bool {
        guard let client, let format = openFormat, stage != .delivering else { return false }
        abandonUpstream()
        let event = ErrorBody(
            dialect.errorEvent(local.facts(dialect), format), status: local.status)
        client.prepareOutput()
        appendToStream(event.count(requestID: requestID), to: &client.output) { output in
            event.append(requestID: requestID, to: &output)
        }
        if responseFraming.isChunked { client.output.appendLastChunk() }
        record.reason = local.reason
        move(to: .delivering)
        if !isRequestComplete { decideDiscarding() }
        return true
    }

    /// What the response came to: what it reports, else its events; of a stream of Anthropic's
    /// that did not come to its end, no less than its events, because such a stream begins with a
    /// count that it corrects at the end.
    var usage: TokenUsage {
        guard let answer = responseReader, dialect != .plain else { return TokenUsage() }
        var usage = answer.usage
        guard answer.isStream else { return usage }
        let isPreliminary =
            dialect == .anthropic && !ExchangeRecord.happened(record.answeredAt)
        if usage.output == nil || isPreliminary {
            usage.output = max(usage.output ?? 0, record.responsePieces)
        }
        return usage
    }

    /// Says what the request is expected to come to, and how many units of the limit it takes.
    func setTokens(of ticket: inout Ticket, _ head: borrowing RequestHead) {
        guard isFollowingResponse, let metrics = modelMetrics else {
            ticket.tokens = promptTokens(head.framing)
            return
        }
        switch head.framing {
        // Nothing is asked of a model.
        case .none, .length(0): return
        case .length, .chunked, .untilClose: break
        }
        let output = metrics.estimator.output(
            maxTokens: body?.maxTokens, choices: body?.choices ?? 1, tenant: tenantKey)
        ticket.tokens = metrics.estimator.input(bodyBytes: bodyLength) + output
        ticket.outputTokens = output
        if let seats = pool?.seats { ticket.seats = seats.seats(forTokens: ticket.tokens) }
    }

    /// Bytes of the body: announced, else what has come.
    private var bodyLength: Int {
        if case .length(let length) = head.framing { length } else { record.bodyBytes }
    }

    /// A number for the tenant, 0 for nobody.
    private var tenantKey: UInt64 {
        switch tenant {
        case .anonymous: 0
        case .named(let key): key.rawValue | 1
        case .hashed(let hash): hash | 1 << 63
        }
    }

    /// Whether the backend has begun to answer with success, in a form that is read.
    private var isAnswering: Bool { isFollowingResponse && record.backendStatus / 100 == 2 }

    /// Counts the tokens of a response that goes no further, whole or not: a client may have all it
    /// wants before the stream's end, and leave.
    func countTokens() { if isAnswering { traffic?.countTokens(usage) } }

    /// The row of the request's model, which a backend has answered for; its traffic is counted there.
    private func takeRow(_ counted: ModelMetrics, in pool: Pool) -> ModelMetrics {
        let row = pool.metrics.answered(counted, model)
        guard row !== counted, let former = traffic else { return row }
        modelMetrics = row
        traffic = pool.metrics.traffic(
            row, former.streams.priorityClass, tenant: former.tenant)
        return row
    }

    /// Counts a whole response and learns from it.
    func learnUsage() {
        guard isAnswering, var metrics = modelMetrics else { return }
        if let pool, !metrics.hasAnswered || metrics.name != model {
            metrics = takeRow(metrics, in: pool)
        }
        traffic?.countResponse(isInTime: now <= answerDeadline)
        var usage = usage
        if isStreaming, let tokens = usage.output {
            traffic?.streams.observeStream(
                tokens: tokens,
                nanoseconds: record.lastEventAt.nanoseconds(since: record.firstEventAt))
        }
        // What reports a prompt and no response has made none: embeddings, reranking.
        if usage.input != nil, responseReader?.isStream == false {
            usage.output = usage.output ?? 0
        }
        metrics.estimator.learn(
            bodyBytes: bodyLength, usage, choices: body?.choices ?? 1, tenant: tenantKey)
    }
}
