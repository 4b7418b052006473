// The server's side of HTTP/1.1: requests out of the bytes that clients send. The parser owns no
// connection and no buffer; it lives as long as its connection and is reset between requests, so
// that its storage is allocated once.

internal import Bytes

/// An incremental, strict parser of requests, RFC 9112.
///
/// Call `next` with all unconsumed bytes until it says `.needMoreData` or `.end`; after `.end`,
/// act, then `reset()` and go on with the bytes that are left.
package struct RequestParser: ~Copyable {
    private enum Phase {
        case requestLine, fields, body, failed(ParseError)
    }

    /// The current head; complete from `.head` until `reset()`.
    package private(set) var head = RequestHead()
    /// The trailer section of a chunked body, complete after `.end` until `reset()`.
    package private(set) var trailers = FieldSection()
    /// The limits of a head and of a trailer section.
    package let limits: HeadLimits
    private var phase = Phase.requestLine
    private var line = RequestLineParser()
    private var section = FieldSectionParser(startingAt: 0)
    private var facts = RequestFacts()
    private var body = BodyDecoder()

    /// Makes a parser that expects a request line.
    package init(limits: HeadLimits) {
        self.limits = limits
    }

    /// Whether no byte of a request has been looked at since the last `reset()`.
    package var isBetweenMessages: Bool {
        if case .requestLine = phase { line.position == 0 } else { false }
    }

    /// Prepares for the next request on the connection; the bytes shown next begin with it.
    package mutating func reset() {
        head.reset()
        trailers.removeAll()
        body.reset()
        phase = .requestLine
        line = RequestLineParser()
        facts = RequestFacts()
    }

    /// Gives the complete head away for `other`.
    mutating func exchangeHead(_ other: inout RequestHead) { swap(&head, &other) }

    /// Looks for the next event in `bytes`: all bytes that no event has consumed.
    ///
    /// A piece of a body has at most `most` bytes, from 1.
    ///
    /// Throws as soon as a wrong byte is seen; every later call throws the same error.
    package mutating func next(
        in bytes: Span<UInt8>, contentAtMost most: Int = .max
    ) throws(ParseError) -> ParserEvent {
        do throws(ParseError) {
            switch phase {
            case .requestLine, .fields: return try nextInHead(bytes)
            case .body:
                return try body.next(
                    in: bytes, atMost: most, limits: limits, trailers: &trailers)
            case .failed(let error): throw error
            }
        } catch {
            switch phase {
            // Fields of another head may still stand behind those of this one.
            case .requestLine, .fields: head.fields.removeAll(keepingCapacity: true)
            default: break
            }
            phase = .failed(error)
            throw error
        }
    }

    private mutating func nextInHead(_ all: Span<UInt8>) throws(ParseError) -> ParserEvent {
        // Empty lines count, however they come.
        let limits =
            line.takenBytes == 0
            ? self.limits
            : HeadLimits(
                maxHeadBytes: max(1, self.limits.maxHeadBytes &- line.takenBytes),
                maxFields: self.limits.maxFields)
        let bytes = all.extracting(..<min(all.count, limits.maxHeadBytes))
        if case .requestLine = phase {
            var isRead = line.readUsualLine(bytes, &head)
            if !isRead { isRead = try line.next(in: bytes, &head) }
            guard isRead else {
                if bytes.count == limits.maxHeadBytes { throw .targetTooLong }
                return .needMoreData(consumed: line.takeEmptyLines())
            }
            section.restart(at: line.position)
            phase = .fields
        }
        let isComplete = try section.readLines(
            in: bytes, limits: limits, version: head.version, into: &head.fields, &facts)
        guard isComplete else { return .needMoreData(consumed: 0) }
        try finishHead(bytes.extracting(..<section.position))
        return .head(consumed: section.position)
    }

    @inline(__always)
    private mutating func finishHead(_ bytes: Span<UInt8>) throws(ParseError) {
        // Before anything looks at them: behind those of this head fields of an earlier one may stand.
        head.fields.cut(to: section.count)
        if facts.host == nil && head.version == .http11 { throw .missingHost }
        if head.authority == nil { head.authority = facts.host }
        let framing = facts.framing
        if framing.isChunked {
            head.framing = .chunked
        } else if let length = framing.contentLength {
            head.framing = .length(length)
        } else {
            head.framing = .none
        }
        head.expectsContinue = facts.expectsContinue && head.hasBody && head.version == .http11
        head.keepAlive = framing.keepAlive(head.version)
        head.asksForWebSocket = framing.isWebSocketUpgrade && isWebSocketHandshake(bytes)
        head.asksForReverse =
            framing.isReverseUpgrade && head.method == .get && head.version == .http11
        framing.markNamedFields(&head.fields, in: bytes)
        head.bytes.replaceAll(with: bytes)
        body.begin(head.framing)
        phase = .body
    }

    /// Whether what WebSocket adds to a GET is there: one key, and the one version there is.
    private func isWebSocketHandshake(_ bytes: Span<UInt8>) -> Bool {
        guard head.method == .get, head.version == .http11, head.framing == .none else {
            return false
        }
        var keys = 0
        var versions = 0
        for field in head.fields {
            switch field.known {
            case .secWebSocketKey: keys &+= field.value.count == 24 ? 1 : 2
            case .secWebSocketVersion:
                versions &+= bytes.extracting(field.value).equals("13") ? 1 : 2
            default: break
            }
        }
        return keys == 1 && versions == 1
    }
}

/// What the fields of a request's head say about its end, its host and what it expects.
private struct RequestFacts: FieldObserver {
    var framing = MessageFraming()
    var host: Range<Int>?
    var expectsContinue = false

    /// Takes note of `field` if it is one of those.
    @inline(never)
    mutating func observe(
        _ field: Field, in bytes: Span<UInt8>, version: Version
    ) throws(ParseError) {
        switch field.known {
        case .host:
            if host != nil { throw .repeatedHost }
            guard Authority.isValid(bytes, field.value) else { throw .invalidHost }
            host = field.value
        case .expect:
            guard bytes.extracting(field.value).equals(lowercase: "100-continue") else {
                throw .unknownExpectation
            }
            expectsContinue = true
        default:
            try framing.observe(field, in: bytes, version: version)
        }
    }
}
