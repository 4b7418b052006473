// What the fields of a head say about the body's end and the connection's: the part of a message in
// which a disagreement between two servers lets one request hide inside another, so nothing here is
// repaired or guessed.

internal import Bytes

/// Collects Content-Length, Transfer-Encoding and Connection while a head is parsed.
struct MessageFraming: FieldObserver {
    /// Each option is compared with every field, so their number has to be small.
    private static let maxConnectionOptions = 32

    /// The Content-Length, or `nil`.
    private(set) var contentLength: Int?
    /// Whether Transfer-Encoding is `chunked`.
    private(set) var isChunked = false
    private var closes = false
    private var keepsAlive = false
    private var options = 0
    private var namesFields = false
    /// Whether Connection has the option `upgrade`.
    private var namesUpgrade = false
    private var upgradeFields = 0
    private var isToWebSocket = false
    private var isToReverse = false

    /// Whether the message is about a change to the protocol `websocket` and to nothing else,
    /// RFC 9110 section 7.8.
    var isWebSocketUpgrade: Bool { namesUpgrade && isToWebSocket && upgradeFields == 1 }

    /// The same for a change of sides, after which who was asked does the asking: the protocol `ptth`.
    var isReverseUpgrade: Bool { namesUpgrade && isToReverse && upgradeFields == 1 }

    /// Takes note of `field` if it is one of the four.
    @inline(never)
    mutating func observe(
        _ field: Field, in bytes: Span<UInt8>, version: Version
    ) throws(ParseError) {
        switch field.known {
        case .contentLength:
            if contentLength != nil { throw .repeatedContentLength }
            if isChunked { throw .contentLengthWithTransferEncoding }
            contentLength = try MessageFraming.length(bytes, field.value)
        case .transferEncoding:
            if version == .http10 { throw .transferEncodingInOldVersion }
            if isChunked { throw .repeatedTransferEncoding }
            if contentLength != nil { throw .contentLengthWithTransferEncoding }
            try MessageFraming.checkTransferEncoding(bytes, field.value)
            isChunked = true
        case .connection:
            try readConnection(bytes, field.value)
        case .upgrade:
            upgradeFields &+= 1
            isToWebSocket = bytes.extracting(field.value).equals(lowercase: "websocket")
            isToReverse = bytes.extracting(field.value).equals(lowercase: "ptth")
        default:
            break
        }
    }

    /// Whether the connection persists after the message, RFC 9112 section 9.3.
    func keepAlive(_ version: Version) -> Bool {
        !closes && (version == .http11 || keepsAlive)
    }

    /// Marks the fields that Connection names as hop-by-hop, except those that have a `FieldName`.
    @inline(__always)
    func markNamedFields(_ fields: inout [Field], in bytes: Span<UInt8>) {
        if namesFields { mark(&fields, in: bytes) }
    }

    @inline(never)
    private func mark(_ fields: inout [Field], in bytes: Span<UInt8>) {
        for connection in fields.indices where fields[connection].known == .connection {
            var rest = fields[connection].value
            while let option = nextElement(of: &rest, in: bytes) {
                if option.isEmpty { continue }
                for index in fields.indices where fields[index].known == .other {
                    if bytes.extracting(fields[index].name).equalsIgnoringCase(
                        bytes.extracting(option))
                    {
                        fields[index].isHopByHop = true
                    }
                }
            }
        }
    }

    @inline(__always)
    private mutating func readConnection(
        _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(ParseError) {
        if value.count == 10,
            WordMask.folded(bytes.word(at: value.lowerBound))
                == WordMask.of("k", "e", "e", "p", "-", "a", "l", "i"),
            WordMask.folded(bytes.word(at: value.upperBound &- 8))
                == WordMask.of("e", "p", "-", "a", "l", "i", "v", "e")
        {
            // By far the most frequent, and a list of one.
            options &+= 1
            if options > MessageFraming.maxConnectionOptions { throw .tooManyConnectionOptions }
            keepsAlive = true
        } else {
            try readOptions(bytes, value)
        }
    }

    @inline(never)
    private mutating func readOptions(
        _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(ParseError) {
        var rest = value
        while let option = nextElement(of: &rest, in: bytes) {
            if option.isEmpty { continue }
            options &+= 1
            if options > MessageFraming.maxConnectionOptions { throw .tooManyConnectionOptions }
            for index in option where !ByteClass.isToken(bytes[index]) { throw .invalidConnection }
            if bytes.extracting(option).equals(lowercase: "close") {
                closes = true
            } else if bytes.extracting(option).equals(lowercase: "keep-alive") {
                keepsAlive = true
            } else if bytes.extracting(option).equals(lowercase: "upgrade") {
                namesUpgrade = true
            } else {
                namesFields = true
            }
        }
    }

    @inline(__always)
    private static func length(
        _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(ParseError) -> Int {
        let digits = value.count
        if digits > 0, digits <= 8, value.upperBound >= 8,
            let length = WordMask.number(bytes.word(at: value.upperBound &- 8), digits)
        {
            return length
        }
        return try longLength(bytes, value)
    }

    @inline(never)
    private static func longLength(
        _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(ParseError) -> Int {
        var length = 0
        for index in value {
            let byte = bytes[index]
            if byte == UInt8(ascii: ",") { throw .repeatedContentLength }
            guard ByteClass.isDigit(byte), index &- value.lowerBound < 18 else {
                throw .invalidContentLength
            }
            length = length &* 10 &+ Int(byte &- 0x30)
        }
        if value.isEmpty { throw .invalidContentLength }
        return length
    }

    private static func checkTransferEncoding(
        _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(ParseError) {
        if bytes.extracting(value).equals(lowercase: "chunked") { return }
        if value.isEmpty || bytes[value.upperBound &- 1] == UInt8(ascii: ",") {
            throw .invalidTransferEncoding
        }
        var rest = value
        var last = 0..<0
        while let coding = nextElement(of: &rest, in: bytes) {
            if coding.isEmpty { throw .invalidTransferEncoding }
            for index in coding where !ByteClass.isToken(bytes[index]) {
                throw .invalidTransferEncoding
            }
            if bytes.extracting(coding).equals(lowercase: "identity") {
                throw .invalidTransferEncoding
            }
            if bytes.extracting(last).equals(lowercase: "chunked") {
                throw .invalidTransferEncoding
            }
            last = coding
        }
        throw .unsupportedTransferEncoding
    }
}

/// Takes the first element off the comma-separated list in `rest`, without white space around it.
///
/// The element may be empty. `nil` once the list is used up.
func nextElement(of rest: inout Range<Int>, in bytes: Span<UInt8>) -> Range<Int>? {
    if rest.isEmpty { return nil }
    var comma = rest.lowerBound
    while comma < rest.upperBound, bytes[comma] != UInt8(ascii: ",") { comma &+= 1 }
    var start = rest.lowerBound
    var end = comma
    while start < end, ByteClass.isBlank(bytes[start]) { start &+= 1 }
    while end > start, ByteClass.isBlank(bytes[end &- 1]) { end &-= 1 }
    rest = min(comma &+ 1, rest.upperBound)..<rest.upperBound
    return start..<end
}

/// What collects something about a message from its fields.
protocol FieldObserver {
    /// Takes note of `field`; only called for certain if `isObserved` is true for its name.
    mutating func observe(
        _ field: Field, in bytes: Span<UInt8>, version: Version
    ) throws(ParseError)
}

extension FieldName {
    /// Whether a parser has to look at such a field while it reads the head.
    @inline(__always)
    var isObserved: Bool {
        switch self {
        case .connection, .contentLength, .transferEncoding, .host, .expect, .upgrade: true
        default: false
        }
    }
}
