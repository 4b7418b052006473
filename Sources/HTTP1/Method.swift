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
        guard range.count < 8 else {
            self = .other
            return
        }
        // All names fit into a word, the last letter in the lowest bits.
        var word: UInt64 = 0
        for index in range { word = word << 8 | UInt64(bytes[index]) }
        self =
            switch word {
            case 0x47_4554: .get
            case 0x50_5554: .put
            case 0x504f_5354: .post
            case 0x4845_4144: .head
            case 0x50_4154_4348: .patch
            case 0x54_5241_4345: .trace
            case 0x4445_4c45_5445: .delete
            case 0x4f_5054_494f_4e53: .options
            case 0x43_4f4e_4e45_4354: .connect
            default: .other
            }
    }
}
