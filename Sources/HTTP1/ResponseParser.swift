// The client's side of HTTP/1.1: responses out of the bytes that backends send. As strict as the
// parser of requests: a response that two readers could end in two places is refused, not repaired.

/// An incremental, strict parser of responses, RFC 9112.
///
/// Call `begin` for each request sent, then `next` with all unconsumed bytes until it says
/// `.needMoreData` or `.end`. A 1xx response comes as a `.head` of its own, valid until the next
/// call of `next`, which then looks for another head by itself.
package struct ResponseParser: ~Copyable {
    private enum Phase {
        case statusLine, fields, informational, body, ended, failed(ParseError)
    }

    /// The current head; complete from `.head` until `begin` or `reset`, or, if it is a 1xx
    /// response, until the next call of `next`.
    package private(set) var head = ResponseHead()
    /// The trailer section of a chunked body, complete after `.end` until `begin` or `reset`.
    package private(set) var trailers = FieldSection()
    private let limits: HeadLimits
    private var requestMethod = Method.get
    private var mayBecomeWebSocket = false
    private var mayReverse = false
    private var phase = Phase.statusLine
    private var line = StatusLineParser()
    private var section = FieldSectionParser(startingAt: 0)
    private var framing = MessageFraming()
    private var body = BodyDecoder()

    /// Makes a parser that expects the response to a `GET`.
    package init(limits: HeadLimits) {
        self.limits = limits
    }

    /// Whether no byte of a response has been looked at since `begin`.
    package var isBetweenMessages: Bool {
        if case .statusLine = phase { line.position == 0 } else { false }
    }

    /// Whether the body comes in chunks; known from `.head` on.
    package var readsChunks: Bool { head.framing.isChunked }

    /// Prepares for the response to a request with this method; the bytes shown next begin with it.
    ///
    /// The response to `HEAD` has no body. A 2xx response to `CONNECT` has none either and is never
    /// `keepAlive`: what follows it belongs to the tunnel. With `mayBecomeWebSocket` the same holds
    /// for a 101 response that changes to WebSocket, and with `mayReverse` for one that changes sides; every other 101
    /// is an error.
    package mutating func begin(
        requestMethod: Method, mayBecomeWebSocket: Bool = false, mayReverse: Bool = false
    ) {
        resetHead()
        trailers.removeAll()
        body.reset()
        self.requestMethod = requestMethod
        self.mayBecomeWebSocket = mayBecomeWebSocket
        self.mayReverse = mayReverse
    }

    /// Forgets the current response and expects that to a `GET`.
    package mutating func reset() { begin(requestMethod: .get) }

    /// Looks for the next event in `bytes`: all bytes that no event has consumed.
    ///
    /// A piece of a body has at most `most` bytes, from 1.
    ///
    /// Throws as soon as a wrong byte is seen; every later call throws the same error.
    @inline(__always)
    package mutating func next(
        in bytes: Span<UInt8>, contentAtMost most: Int = .max
    ) throws(ParseError) -> ParserEvent {
        do throws(ParseError) {
            switch phase {
            case .informational:
                resetHead()
                return try nextInHead(bytes)
            case .statusLine, .fields: return try nextInHead(bytes)
            case .body:
                return try body.next(
                    in: bytes, atMost: most, limits: limits, trailers: &trailers)
            case .ended: return .end(consumed: 0)
            case .failed(let error): throw error
            }
        } catch {
            switch phase {
            // Fields of another head may still stand behind those of this one.
            case .statusLine, .fields: head.fields.removeAll(keepingCapacity: true)
            default: break
            }
            phase = .failed(error)
            throw error
        }
    }

    /// Tells that the peer has closed and that all its bytes have been consumed.
    ///
    /// `.end` if the response is complete by that, else the error `truncated`; also before any byte
    /// of a response, see `isBetweenMessages`.
    package mutating func endOfInput() throws(ParseError) -> ParserEvent {
        if case .body = phase, body.endsAtClose { phase = .ended }
        let event = try next(in: Span())
        if case .end = event { return event }
        phase = .failed(.truncated)
        throw .truncated
    }

    @inline(__always)
    private mutating func resetHead() {
        head.reset()
        phase = .statusLine
        line = StatusLineParser()
        framing = MessageFraming()
    }

    private mutating func nextInHead(_ all: Span<UInt8>) throws(ParseError) -> ParserEvent {
        let bytes = all.extracting(..<min(all.count, limits.maxHeadBytes))
        if case .statusLine = phase {
            var isRead = line.readUsualLine(bytes, &head)
            if !isRead { isRead = try line.next(in: bytes, &head) }
            guard isRead else {
                if bytes.count == limits.maxHeadBytes { throw .headTooLarge }
                return .needMoreData(consumed: 0)
            }
            section.restart(at: line.position)
            phase = .fields
        }
        let isComplete = try section.readLines(
            in: bytes, limits: limits, version: head.version, into: &head.fields, &framing)
        guard isComplete else { return .needMoreData(consumed: 0) }
        try finishHead(bytes.extracting(..<section.position))
        return .head(consumed: section.position)
    }

    @inline(__always)
    private mutating func finishHead(_ bytes: Span<UInt8>) throws(ParseError) {
        head.fields.cut(to: section.count)
        if head.status == 101 { try checkUpgrade() }
        let announced = framing.isChunked || (framing.contentLength ?? 0) > 0
        head.keepAlive = framing.keepAlive(head.version)
        framing.markNamedFields(&head.fields, in: bytes)
        head.bytes.replaceAll(with: bytes)
        if head.isInformational {
            if announced { throw .informationalWithBody }
            phase = .informational
            return
        }
        if head.status == 101 && announced { throw .informationalWithBody }
        let isTunnel = head.status == 101 || (requestMethod == .connect && head.status < 300)
        if requestMethod == .head || isTunnel || head.status == 204 || head.status == 304 {
            head.framing = .none
            if isTunnel || (announced && head.status == 204) { head.keepAlive = false }
        } else if framing.isChunked {
            head.framing = .chunked
        } else if let length = framing.contentLength {
            head.framing = .length(length)
        } else {
            head.framing = .untilClose
            head.keepAlive = false
        }
        body.begin(head.framing)
        phase = .body
    }

    /// A server may only change to what it was asked for, and says to what, RFC 9110 section 7.8.
    private func checkUpgrade() throws(ParseError) {
        if mayReverse, head.version == .http11, framing.isReverseUpgrade { return }
        var accepts = 0
        for field in head.fields where field.known == .secWebSocketAccept {
            accepts &+= field.value.count == 28 ? 1 : 2
        }
        guard mayBecomeWebSocket, head.version == .http11, framing.isWebSocketUpgrade, accepts == 1
        else { throw .unexpectedUpgrade }
    }
}
