// A response's head: its bytes and everything that the parser found out about them.

/// A response's head.
///
/// It owns a copy of its bytes, and all ranges are offsets in that copy.
///
/// As a request's it is looked at where it is, and never copied unless somebody says so.
package struct ResponseHead: ~Copyable, Sendable {
    /// The head as received, with the empty line that ends it.
    package internal(set) var bytes: [UInt8] = []
    /// The field lines in order.
    package internal(set) var fields: [Field] = []

    /// The version of the status line.
    package internal(set) var version: Version = .http11
    /// The status code, 100 to 599.
    package internal(set) var status = 0
    /// The reason phrase; may be empty.
    package internal(set) var reasonPhrase: Range<Int> = 0..<0
    /// How the body is delimited; depends on the request's method, RFC 9112 section 6.3.
    package internal(set) var framing: BodyFraming = .none
    /// Whether the connection can carry another exchange once this response has ended.
    ///
    /// False too if the body runs until close, and if a response that can have no body announces
    /// one: what such a peer sends next cannot be trusted to be the next response.
    package internal(set) var keepAlive = false

    /// Makes an empty head, for a parser to fill.
    package init() {}

    /// Another one like it, which shares its bytes for as long as neither changes.
    package func copy() -> ResponseHead {
        var other = ResponseHead()
        other.bytes = bytes
        other.fields = fields
        other.version = version
        other.status = status
        other.reasonPhrase = reasonPhrase
        other.framing = framing
        other.keepAlive = keepAlive
        return other
    }

    /// Whether this is an interim response (1xx but 101), after which another head comes.
    package var isInformational: Bool { status < 200 && status != 101 }

    /// Whether the connection is no longer HTTP's after this head.
    package var isSwitch: Bool { status == 101 }

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
        framing = .none
        keepAlive = false
    }
}
