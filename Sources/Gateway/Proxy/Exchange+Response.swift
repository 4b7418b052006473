// The backend's response, from its connection to the client's: stops 6 and 7.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor

extension Exchange {
    /// Interim responses passed on for one request; a backend that sends more is not taken seriously.
    private static let maxInterimResponses = 16

    /// Relays answer bytes until nothing is left to read, or the client's output is full.
    func relayResponse(from upstream: UpstreamConnection, to client: ClientConnection) {
        let piecesBefore = record.responsePieces
        defer { reportProgress(since: piecesBefore) }
        if isResponsePaused && client.output.count > responseLowBytes { return }
        isResponsePaused = false
        if responseNeedsMore && !upstream.hasInput {
            guard fillResponse(upstream, for: client) else {
                if upstream.inputEnded { responseEnded(upstream) }
                return
            }
        }
        responseNeedsMore = false
        while true {
            switch moveResponse(from: upstream, to: client) {
            case .needsMore:
                guard fillResponse(upstream, for: client) else {
                    responseNeedsMore = true
                    if upstream.inputEnded { responseEnded(upstream) }
                    return
                }
            case .head:
                receivedResponseHead(client, upstream)
                if stage != .forwarding || self.upstream !== upstream { return }
            case .ended:
                completeResponse(client, upstream)
                return
            case .invalid, .unreadable, .tooLarge:
                upstreamFailed(.upstreamInvalid)
                return
            case .full:
                if growsFurther() { continue }
                pauseResponse()
                return
            }
        }
    }

    private func moveResponse(
        from upstream: UpstreamConnection, to client: ClientConnection
    ) -> BodyStep {
        var relay = BodyRelay(
            highBytes: responseHighBytes, writesChunks: responseFraming.isChunked)
        let step = relay.moveResponse(
            &upstream.parser, &upstream.input, &client.output,
            from: client.buffers, readBy: isFollowingResponse ? responseReader : nil)
        if relay.filledOutput {
            client.outputWasFilled()
            record.responseBodyBytes += relay.bytes
            countPieces(of: relay, hasChunks: relay.readsChunks)
        }
        return step
    }

    /// Tells the pool what came, while the permit is held.
    private func reportProgress(since pieces: Int) {
        guard stage == .forwarding, let pool, let backend = record.backend else { return }
        if record.responsePieces > pieces {
            record.lifeReportedAt = now
            pool.progress(at: backend, units: record.responsePieces - pieces)
        } else if record.upstreamProgressAt == now {
            pool.lives(backend, toldAt: &record.lifeReportedAt)
        }
    }

    private func fillResponse(
        _ upstream: UpstreamConnection, for client: ClientConnection
    ) -> Bool {
        let high = responseHighBytes
        let held = upstream.hasInput ? upstream.input.count : 0
        // What is left in a full buffer when more is asked for is a head, or trailers: they may be
        // larger than what is buffered of a body.
        let most = held >= high ? UpstreamConnection.headLimits.maxHeadBytes : high
        let wanted = BodyRelay.bytesToRead(
            high, outputHolds: client.hasOutput ? client.output.count : 0)
        guard upstream.fill(highBytes: min(most, held + wanted)) > 0 else { return false }
        record.upstreamProgressAt = now
        if !ExchangeRecord.happened(record.firstByteAt) { record.firstByteAt = now }
        return true
    }

    private func receivedResponseHead(_ client: ClientConnection, _ upstream: UpstreamConnection) {
        if upstream.parser.head.isSwitch {
            client.prepareOutput()
            beginTunnel(client, upstream)
            return
        }
        if isRetried(instead: upstream.parser.head) { return }
        client.prepareOutput()
        if isStreamPromised, !upstream.parser.head.isInformational {
            takePromised(upstream)
            return
        }
        if takeResponseHead(upstream.parser.head, to: &client.output) { return }
        upstreamFailed(.upstreamInvalid)
    }

    /// Whether the request goes to another backend instead of this response to the client.
    private func isRetried(instead head: borrowing ResponseHead) -> Bool {
        let outcome = Outcome(status: head.status)
        guard !head.isInformational, outcome != .success else { return false }
        noteRetryAfter(head)
        return triesElsewhere(after: outcome)
    }

    /// Writes what the client gets for a response's head; false where the backend sends nonsense.
    private func takeResponseHead(
        _ head: borrowing ResponseHead, to output: inout ByteBuffer
    ) -> Bool {
        if head.isInformational {
            interimResponses += 1
            guard interimResponses <= Exchange.maxInterimResponses else { return false }
            // What was promised within its time is the response itself.
            record.firstByteAt = Instant(nanoseconds: 0)
            // HTTP/1.0 knows no interim responses, RFC 9110 section 15.2; nor does a body.
            if self.head.version == .http11, !isResponseBegun {
                ResponseRewriter(exchange: self).appendInterim(head, to: &output)
            }
            return true
        }
        isResponseBegun = true
        record.status = head.status
        noteResponse(head)
        if !isStreaming { keepAliveAt = .distantFuture }
        responseFraming = ResponseRewriter.framing(of: head, towards: self.head.version)
        if responseFraming.isUntilClose || shard.isDraining { keepsClient = false }
        // The client may never send a body that it still waits to be asked for.
        if !isRequestComplete && self.head.expectsContinue && record.bodyBytes == 0 {
            keepsClient = false
        }
        ResponseRewriter(exchange: self).append(head, to: &output)
        return true
    }

    /// Notes what a backend's response says of itself.
    func noteResponse(_ head: borrowing ResponseHead) {
        if !ExchangeRecord.happened(record.firstByteAt) { record.firstByteAt = now }
        record.backendStatus = head.status
        beginFollowing(head)
        noteRetryAfter(head)
    }

    /// Notes for how long a backend asks not to be sent more.
    private func noteRetryAfter(_ head: borrowing ResponseHead) {
        guard Outcome(status: head.status) == .overload, let field = head.firstField(.retryAfter)
        else { return }
        record.backendRetryAfterSeconds = Exchange.wholeSeconds(head.value(of: field))
    }

    /// Says in a response's head what becomes of the connection, RFC 9112 section 9.3.
    func appendConnection(to output: inout ByteBuffer) {
        if !keepsClient {
            output.append("Connection: close\r\n")
        } else if head.version.isHTTP10 {
            output.append("Connection: keep-alive\r\n")
        }
    }

    /// The backend closed its side: the end of a response that runs until then, or a failure.
    private func responseEnded(_ upstream: UpstreamConnection) {
        guard let client else { return }
        do throws(ParseError) {
            // A reset is no end: bytes may be missing that a body without a length does not miss.
            if !upstream.isBroken, case .end = try upstream.parser.endOfInput() {
                completeResponse(client, upstream)
                return
            }
        } catch {}
        upstreamFailed(.upstreamClosed)
    }

    /// The backend is done: its slot and its connection are free, whatever the client still has to
    /// take.
    private func completeResponse(_ client: ClientConnection, _ connection: UpstreamConnection) {
        if responseFraming.isChunked {
            client.prepareOutput()
            client.output.appendLastChunk(trailers: connection.parser.trailers)
        }
        let reusable = connection.parser.head.keepAlive && isRequestComplete
        record.answeredAt = now
        release(connection, reusable: reusable)
        learnUsage()
        spendPermit(Outcome(status: record.backendStatus))
        move(to: .delivering)
        if !isRequestComplete { decideDiscarding() }
    }

    /// Whole seconds, a minute at most; 0 for a date or whatever else is no number.
    static func wholeSeconds(_ text: Span<UInt8>) -> Int {
        guard (1...9).contains(text.count) else { return 0 }
        var seconds = 0
        for index in text.indices {
            let digit = Int(text[index]) - 0x30
            guard (0...9).contains(digit) else { return 0 }
            seconds = 10 * seconds + digit
        }
        return min(seconds, 60)
    }
}
