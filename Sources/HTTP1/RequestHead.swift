// A request's head: its bytes and everything that the parser found out about them.

/// A request's head.
///
/// It owns a copy of its bytes, and all ranges are offsets in that copy.
///
/// It is looked at where it is, by many, for every request: so it is never copied unless somebody says so.
package struct RequestHead: ~Copyable, Sendable {
    /// The head as received, with the empty line that ends it.
    package internal(set) var bytes: [UInt8] = []
    /// The field lines in order.
    package internal(set) var fields: [Field] = []

    // The small ones come last, so that all are less than 128 bytes: what is larger is copied by a call.

    /// The method's bytes.
    package internal(set) var methodRange: Range<Int> = 0..<0
    /// The target as received.
    package internal(set) var target: Range<Int> = 0..<0
    /// The target's path without its query.
    ///
    /// Empty for an absolute-form target without a path, which means `/` (or `*` for `OPTIONS`,
    /// RFC 9112 section 3.2.4), and for the authority form; `*` for the asterisk form.
    package internal(set) var path: Range<Int> = 0..<0
    /// The target's query with its `?`; empty if there is none.
    package internal(set) var query: Range<Int> = 0..<0
    /// The `host[:port]` that counts: the target's if it has one, else that of Host.
    ///
    /// A target's authority wins over Host, RFC 9112 section 3.2.2, so a Host that is sent on has
    /// to be made from this. `nil` only for an HTTP/1.0 request without Host.
    package internal(set) var authority: Range<Int>?
    /// How the body is delimited.
    package internal(set) var framing: BodyFraming = .none
    /// The method; `other` if it has no case of its own.
    package internal(set) var method: Method = .other
    /// Which of the four forms the target has.
    package internal(set) var form: TargetForm = .origin
    /// The version of the request line.
    package internal(set) var version: Version = .http11
    /// Whether the client wants to use the connection for another request, RFC 9112 section 9.3.
    package internal(set) var keepAlive = false
    /// Whether the client waits for a 100 response before it sends the body.
    ///
    /// False if the request is HTTP/1.0 or has no body, RFC 9110 section 10.1.1.
    package internal(set) var expectsContinue = false

    /// Whether the request asks to change to WebSocket, and to nothing else, in a way that a server
    /// can accept: RFC 6455 section 4.2.1, version 13.
    ///
    /// Every other Upgrade is ignored, as RFC 9110 section 7.8 lets a server do.
    package internal(set) var asksForWebSocket = false

    /// Whether the request asks to change sides, and for nothing else: `Upgrade: ptth`, after which the server sends the
    /// requests (draft-kazuho-ptth-ptth-00).
    package internal(set) var asksForReverse = false

    /// Whether a body follows, be it an empty one in chunks.
    package var hasBody: Bool {
        switch framing {
        case .none, .length(0): false
        case .length, .chunked, .untilClose: true
        }
    }

    /// Makes an empty head, for a parser to fill.
    package init() {}

    /// Another one like it, which shares its bytes for as long as neither changes.
    package func copy() -> RequestHead {
        var other = RequestHead()
        other.bytes = bytes
        other.fields = fields
        other.methodRange = methodRange
        other.target = target
        other.path = path
        other.query = query
        other.authority = authority
        other.framing = framing
        other.method = method
        other.form = form
        other.version = version
        other.keepAlive = keepAlive
        other.expectsContinue = expectsContinue
        other.asksForWebSocket = asksForWebSocket
        other.asksForReverse = asksForReverse
        return other
    }

    /// The name of `field`, as received.
    @_lifetime(borrow self)
    package func name(of field: Field) -> Span<UInt8> {
        bytes.span.extracting(field.name)
    }

    /// The value of `field`, as received, without white space around it.
    @_lifetime(borrow self)
    package func value(of field: Field) -> Span<UInt8> {
        bytes.span.extracting(field.value)
    }

    /// The bytes in `range`, which is one of this head's ranges.
    @_lifetime(borrow self)
    package func span(_ range: Range<Int>) -> Span<UInt8> {
        bytes.span.extracting(range)
    }

    /// The first field line with this name.
    package func firstField(_ name: FieldName) -> Field? {
        for field in fields where field.known == name { return field }
        return nil
    }

    /// Becomes an empty head; its bytes and fields stay until others replace them.
    mutating func reset() {
        authority = nil
        framing = .none
        keepAlive = false
        expectsContinue = false
        asksForWebSocket = false
        asksForReverse = false
    }
}
