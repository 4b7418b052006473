// Request methods: those that change how a proxy acts have a name, the rest is `other`.

/// A request's method, RFC 9110 section 9.
package enum Method: UInt8, CaseIterable, Sendable {
    /// `GET`.
    case get
    /// `HEAD`: its answer has no body.
    case head
    /// `POST`.
    case post
    /// `PUT`.
    case put
    /// `DELETE`.
    case delete
    /// `OPTIONS`.
    case options
    /// `PATCH`, RFC 5789.
    case patch
    /// `TRACE`.
    case trace
    /// `CONNECT`: a successful answer turns the connection into a tunnel.
    case connect
    /// Any other valid token; its bytes are in the head.
    case other

    /// Whether the method only reads, RFC 9110 section 9.2.1.
    package var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        case .post, .put, .delete, .patch, .connect, .other: false
        }
    }

    /// Whether sending the request twice has the effect of sending it once, RFC 9110 section 9.2.2.
    package var isIdempotent: Bool {
        isSafe || self == .put || self == .delete
    }

    /// The method's name as it is sent; empty for `other`.
    package var spelling: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .other: ""
        }
    }

    /// Recognises the method in `range` of `bytes`; methods are case-sensitive.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let first = bytes[range.lowerBound]
        let candidate: Method =
            switch (range.count, first) {
            case (3, UInt8(ascii: "G")): .get
            case (3, UInt8(ascii: "P")): .put
            case (4, UInt8(ascii: "P")): .post
            case (4, UInt8(ascii: "H")): .head
            case (5, UInt8(ascii: "P")): .patch
            case (5, UInt8(ascii: "T")): .trace
            case (6, UInt8(ascii: "D")): .delete
            case (7, UInt8(ascii: "O")): .options
            case (7, UInt8(ascii: "C")): .connect
            default: .other
            }
        self = matches(bytes, range, candidate.spelling) ? candidate : .other
    }
}
