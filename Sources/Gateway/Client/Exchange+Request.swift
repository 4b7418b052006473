// The request's body, from the client to the backend.

internal import Admission
internal import HTTP1

extension Exchange {
    /// Relays body bytes while the backend's output has room.
    ///
    /// Returns whether anything moved.
    func relayRequest() -> Bool {
        guard let client, let upstream else { return false }
        var moved = false
        if isRequestPaused && upstream.output.count > snapshot.bufferLowBytes { return false }
        isRequestPaused = false
        while upstream.output.count < snapshot.bufferHighBytes {
            switch nextRequestEvent(client) {
            case .needMoreData:
                guard client.fill(highBytes: snapshot.bufferHighBytes) > 0 else {
                    if client.inputEnded { clientGone() }
                    return moved
                }
                record.bodyProgressAt = now
                moved = true
            case .body(let consumed, let content):
                record.bodyBytes += content.count
                guard record.bodyBytes <= snapshot.maxBodyBytes else {
                    // The parser has gone past these bytes: shown again, they would be read as
                    // framing.
                    client.input.drop(consumed)
                    abandonUpstream()
                    answerOrCut(.bodyTooLarge)
                    return true
                }
                appendRequestBody(content, of: client, to: upstream)
                client.input.drop(consumed)
                moved = true
            case .end(let consumed):
                if parser.head.framing == .chunked {
                    upstream.prepareOutput()
                    upstream.output.appendLastChunk(trailers: parser.trailers)
                }
                client.input.drop(consumed)
                isRequestComplete = true
                return true
            case .head, nil:
                return true
            }
        }
        isRequestPaused = true
        return moved
    }

    private func appendRequestBody(
        _ content: Range<Int>, of client: ClientConnection, to upstream: UpstreamConnection
    ) {
        upstream.prepareOutput()
        if parser.head.framing == .chunked {
            upstream.output.appendChunk(content, of: client.input)
        } else {
            upstream.output.append(content, of: client.input)
        }
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
    private func nextRequestEvent(_ client: ClientConnection) -> ParserEvent? {
        do throws(ParseError) {
            let event = try parser.next(in: client.input)
            if case .needMoreData(let consumed) = event { client.input.drop(consumed) }
            return event
        } catch {
            keepsClient = false
            if stage == .forwarding {
                abandonUpstream()
                answerOrCut(error)
            }
            return nil
        }
    }
}
