// The backend's answer, from its connection to the client's: stops 6 and 7.

internal import Admission
internal import HTTP1

extension Exchange {
    /// Interim answers passed on for one request; a backend that sends more is not taken seriously.
    private static let maxInterimAnswers = 16

    /// Relays answer bytes while the client's output has room.
    ///
    /// Returns whether anything moved.
    func relayAnswer() -> Bool {
        guard let client, let upstream else { return false }
        let piecesBefore = record.answerPieces
        defer { reportProgress(since: piecesBefore) }
        if isAnswerPaused && client.output.count > snapshot.bufferLowBytes { return false }
        isAnswerPaused = false
        var moved = false
        while client.output.count < snapshot.bufferHighBytes {
            switch nextAnswerEvent(upstream) {
            case .needMoreData:
                guard fillAnswer(upstream) else {
                    if upstream.inputEnded { answerEnded(upstream) }
                    return moved || stage != .forwarding
                }
                moved = true
            case .head(let consumed):
                upstream.input.drop(consumed)
                receivedAnswerHead(client, upstream)
                moved = true
                if stage != .forwarding { return true }
            case .body(let consumed, let content):
                // A server that streams sends a chunk for each event; a body of known length says
                // nothing of the work in it.
                if upstream.parser.head.framing == .chunked { record.answerPieces += 1 }
                record.answerBodyBytes += content.count
                appendAnswerBody(content, of: upstream, to: client)
                upstream.input.drop(consumed)
                moved = true
            case .end(let consumed):
                upstream.input.drop(consumed)
                completeAnswer(client, upstream)
                return true
            case nil:
                upstreamFailed(.upstreamInvalid)
                return true
            }
        }
        isAnswerPaused = true
        return moved
    }

    /// Tells the pool what came, while the permit is held.
    private func reportProgress(since pieces: Int) {
        guard record.answerPieces > pieces, stage == .forwarding, let pool,
            let backend = record.backend
        else { return }
        pool.progress(at: backend, units: record.answerPieces - pieces)
    }

    private func fillAnswer(_ upstream: UpstreamConnection) -> Bool {
        guard upstream.fill(highBytes: snapshot.bufferHighBytes) > 0 else { return false }
        record.upstreamProgressAt = now
        if !ExchangeRecord.happened(record.firstByteAt) { record.firstByteAt = now }
        return true
    }

    /// The parser's next event, with `needMoreData` consumed; nil when the answer is nonsense.
    private func nextAnswerEvent(_ upstream: UpstreamConnection) -> ParserEvent? {
        do throws(ParseError) {
            let event = try upstream.parser.next(in: upstream.input)
            if case .needMoreData(let consumed) = event { upstream.input.drop(consumed) }
            return event
        } catch {
            return nil
        }
    }

    private func receivedAnswerHead(_ client: ClientConnection, _ upstream: UpstreamConnection) {
        client.prepareOutput()
        if upstream.parser.head.isInformational {
            interimAnswers += 1
            guard interimAnswers <= Exchange.maxInterimAnswers else {
                upstreamFailed(.upstreamInvalid)
                return
            }
            // What was promised within its time is the answer itself.
            record.firstByteAt = Instant(nanoseconds: 0)
            // HTTP/1.0 knows no interim answers, RFC 9110 section 15.2.
            if parser.head.version == .http11 {
                ResponseRewriter.appendInterim(upstream.parser.head, to: &client.output)
            }
            return
        }
        isAnswerBegun = true
        if !ExchangeRecord.happened(record.firstByteAt) { record.firstByteAt = now }
        record.status = upstream.parser.head.status
        answerFraming = ResponseRewriter.framing(
            of: upstream.parser.head, towards: parser.head.version)
        if answerFraming == .untilClose || gateway.isDraining { keepsClient = false }
        // The client may never send a body that it still waits to be asked for.
        if !isRequestComplete && parser.head.expectsContinue && record.bodyBytes == 0 {
            keepsClient = false
        }
        ResponseRewriter(exchange: self).append(upstream.parser.head, to: &client.output)
    }

    private func appendAnswerBody(
        _ content: Range<Int>, of upstream: UpstreamConnection, to client: ClientConnection
    ) {
        client.prepareOutput()
        if answerFraming == .chunked {
            client.output.appendChunk(content, of: upstream.input)
        } else {
            client.output.append(content, of: upstream.input)
        }
    }

    /// Says in an answer's head what becomes of the connection, RFC 9112 section 9.3.
    func appendConnection(to output: inout ByteBuffer) {
        if !keepsClient {
            output.append("Connection: close\r\n")
        } else if parser.head.version == .http10 {
            output.append("Connection: keep-alive\r\n")
        }
    }

    /// The backend closed its side: the end of an answer that runs until then, or a failure.
    private func answerEnded(_ upstream: UpstreamConnection) {
        guard let client else { return }
        do throws(ParseError) {
            // A reset is no end: bytes may be missing that a body without a length does not miss.
            if !upstream.isBroken, case .end = try upstream.parser.endOfInput() {
                completeAnswer(client, upstream)
                return
            }
        } catch {}
        upstreamFailed(.upstreamClosed)
    }

    /// The backend is done: its slot and its connection are free, whatever the client still has to
    /// take.
    private func completeAnswer(_ client: ClientConnection, _ connection: UpstreamConnection) {
        if answerFraming == .chunked {
            client.prepareOutput()
            client.output.appendLastChunk(trailers: connection.parser.trailers)
        }
        let reusable = connection.parser.head.keepAlive && isRequestComplete
        record.answeredAt = now
        release(connection, reusable: reusable)
        spendPermit(Exchange.outcome(ofStatus: record.status))
        stage = .delivering
        if !isRequestComplete { decideDiscarding() }
    }

    /// What a status says about the backend's load: overload answers are drops, other failures say
    /// nothing.
    static func outcome(ofStatus status: Int) -> Outcome {
        switch status {
        case 429, 503, 529: .dropped
        case 400...: .ignored
        default: .success
        }
    }
}
