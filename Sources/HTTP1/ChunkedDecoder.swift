// Takes the chunk framing off a body. Chunk sizes and extensions are consumed as they arrive, byte
// by byte if need be; only a trailer section waits until it is complete, because its fields are
// kept.

/// An incremental decoder of the chunked transfer coding, RFC 9112 section 7.1.
struct ChunkedDecoder: ~Copyable {
    private enum State: UInt8 {
        case size, sizeLineFeed, content, contentReturn, contentLineFeed, trailers, end
        case extensionNameStart, extensionName, extensionNameBlank
        case extensionValueStart, extensionToken, extensionQuoted, extensionEscape, extensionEnd
        case extensionBlank
    }

    private static let maxSizeDigits = 15
    private static let maxExtensionBytes = 256
    private static let maxExcessBytes = 16_384

    private var state = State.size
    private var size = 0
    private var digits = 0
    private var extensionBytes = 0
    private var excess = 0
    private var section = FieldSectionParser(startingAt: 0)

    /// Begins a new body.
    mutating func reset() {
        state = .size
        size = 0
        digits = 0
        extensionBytes = 0
        excess = 0
    }

    /// Looks for the next piece of content in `bytes`, of at most `most` bytes, and collects the
    /// trailer section, which is complete once the body has ended.
    mutating func next(
        in bytes: Span<UInt8>, atMost most: Int, limits: HeadLimits, trailers: inout FieldSection
    ) throws(ParseError) -> ParserEvent {
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            switch state {
            case .content:
                return takeContent(in: bytes, from: index, atMost: most)
            case .contentReturn:
                guard byte == ByteClass.carriageReturn else { throw .missingChunkEnd }
                state = .contentLineFeed
            case .contentLineFeed:
                guard byte == ByteClass.lineFeed else { throw .missingChunkEnd }
                state = .size
            case .size:
                try readSize(byte)
            case .sizeLineFeed:
                guard byte == ByteClass.lineFeed else { throw .bareCarriageReturn }
                try endSizeLine()
            case .trailers:
                let rest = bytes.extracting(index...)
                return try readTrailers(rest, limits, &trailers, skipped: index)
            case .end:
                return .end(consumed: index)
            default:
                try readExtension(byte)
            }
            index &+= 1
        }
        if state == .end { return .end(consumed: index) }
        return .needMoreData(consumed: index)
    }

    private mutating func takeContent(
        in bytes: Span<UInt8>, from index: Int, atMost most: Int
    ) -> ParserEvent {
        let count = min(size, bytes.count &- index, most)
        var end = index &+ count
        let content = index..<end
        size &-= count
        if size == 0 {
            state = .contentReturn
            if bytes.count &- end >= 2, bytes[end] == ByteClass.carriageReturn,
                bytes[end &+ 1] == ByteClass.lineFeed
            {
                end &+= 2
                state = .size
            }
        }
        return .body(consumed: end, content: content)
    }

    private mutating func readSize(_ byte: UInt8) throws(ParseError) {
        let digit = ByteClass.hexadecimal(byte)
        if digit < 16 {
            if digits == ChunkedDecoder.maxSizeDigits { throw .chunkSizeTooLarge }
            size = size << 4 | Int(digit)
            digits &+= 1
            return
        }
        if byte == ByteClass.lineFeed { throw .bareLineFeed }
        if digits == 0 { throw .invalidChunkSize }
        switch byte {
        case ByteClass.carriageReturn: state = .sizeLineFeed
        case UInt8(ascii: ";"): state = .extensionNameStart
        case ByteClass.space, ByteClass.tab: state = .extensionBlank
        default: throw .invalidChunkSize
        }
        if state != .sizeLineFeed { extensionBytes = 1 }
    }

    /// Ends a chunk's first line.
    ///
    /// A sender may use small chunks, but not make the framing many times the content: what a chunk
    /// costs above 16 bytes and twice its content is added up, as Go's net/http does it.
    private mutating func endSizeLine() throws(ParseError) {
        let framing = digits &+ extensionBytes &+ 4
        if size > ChunkedDecoder.maxExcessBytes {
            excess = 0
        } else {
            excess = max(0, excess &+ framing &- 16 &- 2 &* size)
        }
        if excess > ChunkedDecoder.maxExcessBytes { throw .chunkOverheadTooLarge }
        if size == 0 {
            section.restart(at: 0)
            state = .trailers
        } else {
            state = .content
        }
        digits = 0
        extensionBytes = 0
    }

    private mutating func readTrailers(
        _ bytes: Span<UInt8>, _ limits: HeadLimits, _ trailers: inout FieldSection, skipped: Int
    ) throws(ParseError) -> ParserEvent {
        let shown = bytes.extracting(..<min(bytes.count, limits.maxHeadBytes))
        while true {
            switch try section.next(in: shown, maxFields: limits.maxFields) {
            case .needMoreData:
                if shown.count == limits.maxHeadBytes { throw .headTooLarge }
                return .needMoreData(consumed: skipped)
            case .field(let field):
                switch field.known.inTrailers {
                case .refused: throw .forbiddenTrailer
                case .dropped: break
                case .kept: trailers.ownFields.append(field)
                case .passed: trailers.fields.append(field)
                }
            case .end:
                let count = section.position
                trailers.bytes.replaceAll(with: shown.extracting(..<count))
                state = .end
                return .end(consumed: skipped &+ count)
            }
        }
    }
}

extension ChunkedDecoder {
    /// Reads `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )` after a chunk size;
    /// extensions are checked and dropped, RFC 9112 section 7.1.1.
    private mutating func readExtension(_ byte: UInt8) throws(ParseError) {
        if byte == ByteClass.lineFeed { throw .bareLineFeed }
        if byte != ByteClass.carriageReturn { extensionBytes &+= 1 }
        if extensionBytes > ChunkedDecoder.maxExtensionBytes { throw .chunkExtensionTooLong }
        let isBlank = ByteClass.isBlank(byte)
        let isToken = ByteClass.isToken(byte)
        switch (state, byte) {
        case (.extensionNameStart, _) where isBlank, (.extensionNameBlank, _) where isBlank,
            (.extensionValueStart, _) where isBlank, (.extensionBlank, _) where isBlank:
            break
        case (.extensionNameStart, _) where isToken, (.extensionName, _) where isToken:
            state = .extensionName
        case (.extensionName, _) where isBlank:
            state = .extensionNameBlank
        case (.extensionName, UInt8(ascii: "=")), (.extensionNameBlank, UInt8(ascii: "=")):
            state = .extensionValueStart
        case (.extensionValueStart, UInt8(ascii: "\"")):
            state = .extensionQuoted
        case (.extensionValueStart, _) where isToken, (.extensionToken, _) where isToken:
            state = .extensionToken
        case (.extensionToken, _) where isBlank, (.extensionEnd, _) where isBlank:
            state = .extensionBlank
        case (.extensionQuoted, UInt8(ascii: "\"")):
            state = .extensionEnd
        case (.extensionQuoted, UInt8(ascii: "\\")):
            state = .extensionEscape
        case (.extensionQuoted, _) where ByteClass.isFieldValue(byte):
            break
        case (.extensionEscape, _) where ByteClass.isFieldValue(byte):
            state = .extensionQuoted
        default:
            try endExtension(byte)
        }
    }

    /// White space may stand before a semicolon, but not before the line end.
    private mutating func endExtension(_ byte: UInt8) throws(ParseError) {
        switch (state, byte) {
        case (.extensionName, UInt8(ascii: ";")), (.extensionToken, UInt8(ascii: ";")),
            (.extensionNameBlank, UInt8(ascii: ";")), (.extensionEnd, UInt8(ascii: ";")),
            (.extensionBlank, UInt8(ascii: ";")):
            state = .extensionNameStart
        case (.extensionName, ByteClass.carriageReturn),
            (.extensionToken, ByteClass.carriageReturn),
            (.extensionEnd, ByteClass.carriageReturn):
            state = .sizeLineFeed
        default:
            throw .invalidChunkExtension
        }
    }
}

extension FieldName {
    /// What becomes of a field of a trailer section.
    enum TrailerRule {
        /// The message is refused: its field says where messages end, or is about the connection, and
        /// others may go by it.
        case refused
        /// It goes no further: it routes or authenticates the message, or says how to read it.
        case dropped
        /// The same, but it says something to the gateway itself.
        case kept
        /// It is sent on.
        case passed
    }

    /// What becomes of this field in a trailer section, RFC 9110 section 6.5.1.
    var inTrailers: TrailerRule {
        switch self {
        case .connection, .contentLength, .transferEncoding, .host, .expect, .te, .trailer,
            .upgrade, .keepAlive, .proxyConnection:
            .refused
        case .proxyAuthenticate, .proxyAuthorization, .via,
            .xForwardedFor, .xForwardedProto, .xForwardedHost, .xForwardedClientCertificate,
            .forwarded, .xRequestID,
            .contentType, .contentEncoding, .authorization, .cookie, .xAPIKey, .apiKey,
            .grpcTimeout, .xRequestTimeout, .requestTimeout, .xEnvoyExpectedTimeout,
            .xStainlessReadTimeout, .xStainlessRetryCount, .xEnvoyAttemptCount,
            .grpcPreviousAttempts, .retryAfter,
            .retryAfterMilliseconds, .maxForwards, .priority, .xPenstockReason,
            .secWebSocketKey, .secWebSocketVersion, .secWebSocketAccept,
            .endpointLoadMetricsFormat, .lookalike:
            .dropped
        case .penstockSignal, .xEnvoyDegraded, .endpointLoadMetrics, .endpointLoadMetricsJSON,
            .endpointLoadMetricsBinary:
            .kept
        case .traceparent, .tracestate, .date, .server, .accept, .acceptEncoding, .userAgent,
            .other:
            .passed
        }
    }
}
