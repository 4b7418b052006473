// Request methods: those that change how a proxy acts have a name, the rest is `other`.

/// A request's method, RFC 9110 section 9.
package enum Method: UInt8, CaseIterable, Sendable {
    /// `GET`.
    case get
    /// `HEAD`: its response has no body.
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
    /// `CONNECT`: a successful response turns the connection into a tunnel.
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
        var word: UInt64 = 0
        for index in range.reversed() { word = word << 8 | UInt64(bytes[index]) }
        self.init(word, range.count)
    }

    /// Recognises the method in the first `count` bytes of `word`, fewer than eight.
    @inline(__always)
    init(_ word: UInt64, _ count: Int) {
        let bits = UInt64(truncatingIfNeeded: 8 &* count)
        let name = word & ~(~0 &<< bits)
        // Behind a shorter name could be a zero, which would change nothing in the word.
        guard name &>> (bits &- 8) != 0 else {
            self = .other
            return
        }
        self =
            switch name {
            case 0x54_4547: .get
            case 0x54_5550: .put
            case 0x5453_4f50: .post
            case 0x4441_4548: .head
            case 0x48_4354_4150: .patch
            case 0x45_4341_5254: .trace
            case 0x4554_454c_4544: .delete
            case 0x53_4e4f_4954_504f: .options
            case 0x54_4345_4e4e_4f43: .connect
            default: .other
            }
    }
}
