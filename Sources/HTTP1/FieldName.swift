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
        case .retryAfter: "Retry-After"
        case .retryAfterMilliseconds: "retry-after-ms"
        case .accept: "Accept"
        case .acceptEncoding: "Accept-Encoding"
        case .userAgent: "User-Agent"
        case .maxForwards: "Max-Forwards"
        case .priority: "Priority"
        case .xPenstockReason: "X-Penstock-Reason"
        case .other: ""
        }
    }

    /// Recognises the name in `range` of `bytes`, which holds token bytes only; case is ignored.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let candidate = FieldName.candidate(
            length: range.count, first: bytes[range.lowerBound] | 0x20,
            last: bytes[range.upperBound &- 1] | 0x20)
        if candidate != .other, matchesIgnoringCase(bytes, range, candidate.spelling) {
            self = candidate
        } else {
            self = .other
        }
    }

    /// The only listed name that has this length, first and last byte (both in lower case), if any.
    private static func candidate(length: Int, first: UInt8, last: UInt8) -> FieldName {
        switch (UInt8(truncatingIfNeeded: min(length, 255)), first, last) {
        case (2, UInt8(ascii: "t"), UInt8(ascii: "e")): .te
        case (3, UInt8(ascii: "v"), UInt8(ascii: "a")): .via
        case (4, UInt8(ascii: "d"), UInt8(ascii: "e")): .date
        case (4, UInt8(ascii: "h"), UInt8(ascii: "t")): .host
        case (6, UInt8(ascii: "a"), UInt8(ascii: "t")): .accept
        case (6, UInt8(ascii: "c"), UInt8(ascii: "e")): .cookie
        case (6, UInt8(ascii: "e"), UInt8(ascii: "t")): .expect
        case (6, UInt8(ascii: "s"), UInt8(ascii: "r")): .server
        case (7, UInt8(ascii: "t"), UInt8(ascii: "r")): .trailer
        case (7, UInt8(ascii: "u"), UInt8(ascii: "e")): .upgrade
        case (8, UInt8(ascii: "p"), UInt8(ascii: "y")): .priority
        case (9, UInt8(ascii: "f"), UInt8(ascii: "d")): .forwarded
        case (9, UInt8(ascii: "x"), UInt8(ascii: "y")): .xAPIKey
        case (10, UInt8(ascii: "c"), UInt8(ascii: "n")): .connection
        case (10, UInt8(ascii: "k"), UInt8(ascii: "e")): .keepAlive
        case (10, UInt8(ascii: "t"), UInt8(ascii: "e")): .tracestate
        case (10, UInt8(ascii: "u"), UInt8(ascii: "t")): .userAgent
        case (11, UInt8(ascii: "r"), UInt8(ascii: "r")): .retryAfter
        case (11, UInt8(ascii: "t"), UInt8(ascii: "t")): .traceparent
        case (12, UInt8(ascii: "c"), UInt8(ascii: "e")): .contentType
        case (12, UInt8(ascii: "m"), UInt8(ascii: "s")): .maxForwards
        case (12, UInt8(ascii: "x"), UInt8(ascii: "d")): .xRequestID
        case (13, UInt8(ascii: "a"), UInt8(ascii: "n")): .authorization
        case (14, UInt8(ascii: "c"), UInt8(ascii: "h")): .contentLength
        case (14, UInt8(ascii: "r"), UInt8(ascii: "s")): .retryAfterMilliseconds
        case (15, UInt8(ascii: "a"), UInt8(ascii: "g")): .acceptEncoding
        case (15, UInt8(ascii: "x"), UInt8(ascii: "r")): .xForwardedFor
        case (16, UInt8(ascii: "c"), UInt8(ascii: "g")): .contentEncoding
        case (16, UInt8(ascii: "p"), UInt8(ascii: "n")): .proxyConnection
        case (16, UInt8(ascii: "x"), UInt8(ascii: "t")): .xForwardedHost
        case (17, UInt8(ascii: "t"), UInt8(ascii: "g")): .transferEncoding
        case (17, UInt8(ascii: "x"), UInt8(ascii: "o")): .xForwardedProto
        case (17, UInt8(ascii: "x"), UInt8(ascii: "n")): .xPenstockReason
        case (18, UInt8(ascii: "p"), UInt8(ascii: "e")): .proxyAuthenticate
        case (19, UInt8(ascii: "p"), UInt8(ascii: "n")): .proxyAuthorization
        default: .other
        }
    }
}
