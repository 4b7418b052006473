// The request's body, from the client to the backend.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor

extension Exchange {
    /// Relays body bytes while the backend's output has room.
    ///
    /// Returns whether anything moved.
    func relayRequest(
        from client: ClientConnection, to upstream: UpstreamConnection
    ) -> Bool {
        var moved = false
        if isRequestPaused && upstream.output.count > snapshot.bufferLowBytes { return false }
        isRequestPaused = false
        while true {
            switch moveRequest(from: client, to: upstream) {
            case .needsMore(let movedBody):
                moved = moved || movedBody
                guard fillBody(client, for: upstream) else {
                    if client.inputEnded { clientGone() }
                    return moved
                }
                record.bodyProgressAt = now
                moved = true
            case .tooLarge:
                abandonUpstream()
                replyOrCut(.bodyTooLarge)
                return true
            case .ended:
                if head.framing.isChunked {
                    upstream.prepareOutput()
                    upstream.output.appendLastChunk(trailers: parser.trailers)
                }
                isRequestComplete = true
                return true
            case .unreadable(let fault):
                bodyBroke(fault)
                return true
            case .invalid(let error):
                framingBroke(error)
                return true
            case .head:
                return true
            case .full(let movedBody):
                isRequestPaused = true
                return moved || movedBody
            }
        }
    }

    private func fillBody(_ client: ClientConnection, for upstream: UpstreamConnection) -> Bool {
        let high = snapshot.bufferHighBytes
        let held = client.hasInput ? client.input.count : 0
        let wanted = BodyRelay.bytesToRead(
            high, outputHolds: upstream.hasOutput ? upstream.output.count : 0)
        return client.fill(highBytes: min(high, held + wanted)) > 0
    }

    private func moveRequest(
        from client: ClientConnection, to upstream: UpstreamConnection
    ) -> BodyStep {
        let chunks = head.framing.isChunked
        var relay = BodyRelay(highBytes: snapshot.bufferHighBytes, writesChunks: chunks)
        let step = relay.moveRequest(
            &parser, &client.input, &upstream.output, from: client.buffers,
            readBy: body, bytesMax: snapshot.maxBodyBytes - record.bodyBytes)
        record.bodyBytes += relay.bytes
        if relay.filledOutput { upstream.outputWasFilled() }
        return step
    }

    /// Reads the rest of a body that nobody wants, up to a bound.
    ///
    /// Returns whether anything moved.
    func discardRequest() -> Bool {
        guard let client else { return false }
        var moved = false
        while true {
            switch nextRequestEvent(client) {
            case .needMoreData:
                guard client.fill(highBytes: snapshot.bufferHighBytes) > 0 else {
                    if client.inputEnded { keepsClient = false }
                    return moved
                }
                record.bodyProgressAt = now
                moved = true
            case .body(let consumed, let content):
                record.bodyBytes += content.count
                client.input.drop(consumed)
                moved = true
                if record.bodyBytes > Exchange.discardBytes { stopDiscarding() }
                if !isDiscarding { return true }
            case .end(let consumed):
                client.input.drop(consumed)
                isRequestComplete = true
                return true
            case .head, nil:
                stopDiscarding()
                return true
            }
        }
    }

    /// Body bytes read and thrown away to keep a connection; beyond that closing it is cheaper.
    static let discardBytes = 64 * 1024

    private func stopDiscarding() {
        isDiscarding = false
        keepsClient = false
    }

    /// The parser's next event, with `needMoreData` consumed; nil when the body's framing broke,
    /// which has been dealt with then.
    func nextRequestEvent(
        _ client: ClientConnection, contentAtMost most: Int = .max
    ) -> ParserEvent? {
        do throws(ParseError) {
            let event = try parser.next(in: client.input, contentAtMost: most)
            if case .needMoreData(let consumed) = event { client.input.drop(consumed) }
            return event
        } catch {
            framingBroke(error)
            return nil
        }
    }

    private func framingBroke(_ error: ParseError) {
        keepsClient = false
        if stage == .readingBody {
            reply(error)
        } else if stage == .forwarding {
            abandonUpstream()
            replyOrCut(error)
        }
    }
}
