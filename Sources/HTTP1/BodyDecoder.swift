// Follows a body to its end, whatever its framing.

/// An incremental reader of one body at a time.
struct BodyDecoder: ~Copyable {
    private var framing = BodyFraming.none
    private var remaining = 0
    private var chunks = ChunkedDecoder()

    /// Whether the body ends where the peer closes.
    var endsAtClose: Bool { framing == .untilClose }

    /// Begins a body.
    mutating func begin(_ framing: BodyFraming) {
        self.framing = framing
        switch framing {
        case .length(let length): remaining = length
        case .chunked: chunks.reset()
        case .none, .untilClose: break
        }
    }

    /// Drops what is left of the last body.
    mutating func reset() { framing = .none }

    /// Looks for the next piece of the body in `bytes`, of at most `most` bytes; a trailer section
    /// goes to `trailers`.
    mutating func next(
        in bytes: Span<UInt8>, atMost most: Int, limits: HeadLimits, trailers: inout FieldSection
    ) throws(ParseError) -> ParserEvent {
        switch framing {
        case .none:
            return .end(consumed: 0)
        case .length:
            if remaining == 0 { return .end(consumed: 0) }
            if bytes.isEmpty { return .needMoreData(consumed: 0) }
            let count = min(remaining, bytes.count, most)
            remaining &-= count
            return .body(consumed: count, content: 0..<count)
        case .chunked:
            return try chunks.next(in: bytes, atMost: most, limits: limits, trailers: &trailers)
        case .untilClose:
            if bytes.isEmpty { return .needMoreData(consumed: 0) }
            let count = min(bytes.count, most)
            return .body(consumed: count, content: 0..<count)
        }
    }
}
