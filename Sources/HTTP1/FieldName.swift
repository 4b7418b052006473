// The field names that the gateway acts on, recognised once while a head is parsed, so that nothing
// after the parser compares names again.

/// A field name that means something to a proxy; `other` is every name not listed here.
package enum FieldName: UInt8, CaseIterable, Sendable {
    /// `Connection`.
    case connection
    /// `Content-Length`.
    case contentLength
    /// `Transfer-Encoding`.
    case transferEncoding
    /// `Host`.
    case host
    /// `Expect`.
    case expect
    /// `TE`.
    case te
    /// `Trailer`.
    case trailer
    /// `Upgrade`.
    case upgrade
    /// `Keep-Alive`.
    case keepAlive
    /// `Proxy-Connection`.
    case proxyConnection
    /// `Proxy-Authenticate`.
    case proxyAuthenticate
    /// `Proxy-Authorization`.
    case proxyAuthorization
    /// `Via`.
    case via
    /// `X-Forwarded-For`.
    case xForwardedFor
    /// `X-Forwarded-Proto`.
    case xForwardedProto
    /// `X-Forwarded-Host`.
    case xForwardedHost
    /// `Forwarded`.
    case forwarded
    /// `X-Request-ID`.
    case xRequestID
    /// `traceparent`.
    case traceparent
    /// `tracestate`.
    case tracestate
    /// `Content-Type`.
    case contentType
    /// `Content-Encoding`.
    case contentEncoding
    /// `Date`.
    case date
    /// `Server`.
    case server
    /// `Authorization`.
    case authorization
    /// `Cookie`.
    case cookie
    /// `X-API-Key`.
    case xAPIKey
    /// `api-key`.
    case apiKey
    /// `grpc-timeout`.
    case grpcTimeout
    /// `x-request-timeout`.
    case xRequestTimeout
    /// `request-timeout`.
    case requestTimeout
    /// `x-envoy-expected-rq-timeout-ms`.
    case xEnvoyExpectedTimeout
    /// `x-stainless-read-timeout`.
    case xStainlessReadTimeout
    /// `x-stainless-retry-count`.
    case xStainlessRetryCount
    /// `x-envoy-attempt-count`.
    case xEnvoyAttemptCount
    /// `grpc-previous-rpc-attempts`.
    case grpcPreviousAttempts
    /// `Retry-After`.
    case retryAfter
    /// `retry-after-ms`.
    case retryAfterMilliseconds
    /// `Accept`.
    case accept
    /// `Accept-Encoding`.
    case acceptEncoding
    /// `User-Agent`.
    case userAgent
    /// `Max-Forwards`.
    case maxForwards
    /// `Priority`.
    case priority
    /// `X-Penstock-Reason`.
    case xPenstockReason
    /// `Sec-WebSocket-Key`.
    case secWebSocketKey
    /// `Sec-WebSocket-Version`.
    case secWebSocketVersion
    /// `Sec-WebSocket-Accept`.
    case secWebSocketAccept
    /// Any other name; its bytes are in the head.
    case other

    /// The name as this gateway writes it; empty for `other`.
    package var spelling: String {
        switch self {
        case .connection: "Connection"
        case .contentLength: "Content-Length"
        case .transferEncoding: "Transfer-Encoding"
        case .host: "Host"
        case .expect: "Expect"
        case .te: "TE"
        case .trailer: "Trailer"
        case .upgrade: "Upgrade"
        case .keepAlive: "Keep-Alive"
        case .proxyConnection: "Proxy-Connection"
        case .proxyAuthenticate: "Proxy-Authenticate"
        case .proxyAuthorization: "Proxy-Authorization"
        case .via: "Via"
        case .xForwardedFor: "X-Forwarded-For"
        case .xForwardedProto: "X-Forwarded-Proto"
        case .xForwardedHost: "X-Forwarded-Host"
        case .forwarded: "Forwarded"
        case .xRequestID: "X-Request-ID"
        case .traceparent: "traceparent"
        case .tracestate: "tracestate"
        case .contentType: "Content-Type"
        case .contentEncoding: "Content-Encoding"
        case .date: "Date"
        case .server: "Server"
        case .authorization: "Authorization"
        case .cookie: "Cookie"
        case .xAPIKey: "X-API-Key"
        case .apiKey: "api-key"
        case .grpcTimeout: "grpc-timeout"
        case .xRequestTimeout: "x-request-timeout"
        case .requestTimeout: "request-timeout"
        case .xEnvoyExpectedTimeout: "x-envoy-expected-rq-timeout-ms"
        case .xStainlessReadTimeout: "x-stainless-read-timeout"
        case .xStainlessRetryCount: "x-stainless-retry-count"
        case .xEnvoyAttemptCount: "x-envoy-attempt-count"
        case .grpcPreviousAttempts: "grpc-previous-rpc-attempts"
        case .retryAfter: "Retry-After"
        case .retryAfterMilliseconds: "retry-after-ms"
        case .accept: "Accept"
        case .acceptEncoding: "Accept-Encoding"
        case .userAgent: "User-Agent"
        case .maxForwards: "Max-Forwards"
        case .priority: "Priority"
        case .xPenstockReason: "X-Penstock-Reason"
        case .secWebSocketKey: "Sec-WebSocket-Key"
        case .secWebSocketVersion: "Sec-WebSocket-Version"
        case .secWebSocketAccept: "Sec-WebSocket-Accept"
        case .other: ""
        }
    }

    /// Recognises the name in `range` of `bytes`, which holds token bytes only; case is ignored.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let candidate = FieldName.candidate(
            length: range.count, first: bytes[range.lowerBound] | 0x20,
            last: bytes[range.upperBound &- 1] | 0x20)
        if case .other = candidate {
            self = .other
            return
        }
        self = FieldName.words[Int(candidate.rawValue)].equals(bytes, range) ? candidate : .other
    }

    private static let words = allCases.map { name in
        let spelling = name.spelling.utf8.span
        return NameWords(spelling, spelling.indices)
    }

    /// The only listed name that has this length, first and last byte (both in lower case), if any.
    private static func candidate(length: Int, first: UInt8, last: UInt8) -> FieldName {
        switch length {
        case 2:
            return .te
        case 3:
            return .via
        case 4:
            switch first {
            case UInt8(ascii: "d"): return .date
            case UInt8(ascii: "h"): return .host
            default: return .other
            }
        case 6:
            switch first {
            case UInt8(ascii: "a"): return .accept
            case UInt8(ascii: "c"): return .cookie
            case UInt8(ascii: "e"): return .expect
            case UInt8(ascii: "s"): return .server
            default: return .other
            }
        case 7:
            switch first {
            case UInt8(ascii: "a"): return .apiKey
            case UInt8(ascii: "t"): return .trailer
            case UInt8(ascii: "u"): return .upgrade
            default: return .other
            }
        case 8:
            return .priority
        case 9:
            switch first {
            case UInt8(ascii: "f"): return .forwarded
            case UInt8(ascii: "x"): return .xAPIKey
            default: return .other
            }
        case 10:
            switch first {
            case UInt8(ascii: "c"): return .connection
            case UInt8(ascii: "k"): return .keepAlive
            case UInt8(ascii: "t"): return .tracestate
            case UInt8(ascii: "u"): return .userAgent
            default: return .other
            }
        case 11:
            switch first {
            case UInt8(ascii: "r"): return .retryAfter
            case UInt8(ascii: "t"): return .traceparent
            default: return .other
            }
        case 12:
            switch first {
            case UInt8(ascii: "c"): return .contentType
            case UInt8(ascii: "g"): return .grpcTimeout
            case UInt8(ascii: "m"): return .maxForwards
            case UInt8(ascii: "x"): return .xRequestID
            default: return .other
            }
        case 13:
            return .authorization
        case 14:
            switch first {
            case UInt8(ascii: "c"): return .contentLength
            case UInt8(ascii: "r"): return .retryAfterMilliseconds
            default: return .other
            }
        case 15:
            switch first {
            case UInt8(ascii: "a"): return .acceptEncoding
            case UInt8(ascii: "r"): return .requestTimeout
            case UInt8(ascii: "x"): return .xForwardedFor
            default: return .other
            }
        case 16:
            switch first {
            case UInt8(ascii: "c"): return .contentEncoding
            case UInt8(ascii: "p"): return .proxyConnection
            case UInt8(ascii: "x"): return .xForwardedHost
            default: return .other
            }
        case 17:
            switch last {
            case UInt8(ascii: "g"): return .transferEncoding
            case UInt8(ascii: "o"): return .xForwardedProto
            case UInt8(ascii: "n"): return .xPenstockReason
            case UInt8(ascii: "t"): return .xRequestTimeout
            case UInt8(ascii: "y"): return .secWebSocketKey
            default: return .other
            }
        case 18:
            return .proxyAuthenticate
        case 19:
            return .proxyAuthorization
        case 20:
            return .secWebSocketAccept
        case 21:
            return first == UInt8(ascii: "x") ? .xEnvoyAttemptCount : .secWebSocketVersion
        case 23:
            return .xStainlessRetryCount
        case 24:
            return .xStainlessReadTimeout
        case 26:
            return .grpcPreviousAttempts
        case 30:
            return .xEnvoyExpectedTimeout
        default:
            return .other
        }
    }
}

/// A name of up to 32 token bytes in lower case, packed for comparison with one of the same length.
///
/// Setting bit 0x20 folds letters and leaves hyphens and digits alone; it confuses only `^` with
/// `~`, and no listed name has either.
private struct NameWords: Equatable {
    private var first: UInt64 = 0
    private var middle: UInt64 = 0
    private var third: UInt64 = 0
    private var last: UInt64 = 0

    /// Whether the name in `range`, which is as long as this one, is the same.
    @inline(__always)
    func equals(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let count = range.count
        if count < 8 { return NameWords(bytes, range).first == first }
        guard WordMask.folded(bytes.word(at: range.lowerBound)) == first,
            WordMask.folded(bytes.word(at: range.upperBound &- 8)) == last
        else { return false }
        if count <= 16 { return true }
        return self == NameWords(bytes, range)
    }

    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let count = range.count
        if count < 8 {
            for index in range { first = first << 8 | UInt64(bytes[index] | 0x20) }
            return
        }
        first = WordMask.folded(bytes.word(at: range.lowerBound))
        last = WordMask.folded(bytes.word(at: range.upperBound &- 8))
        if count > 16 { middle = WordMask.folded(bytes.word(at: range.lowerBound &+ 8)) }
        if count > 24 { third = WordMask.folded(bytes.word(at: range.lowerBound &+ 16)) }
    }
}
