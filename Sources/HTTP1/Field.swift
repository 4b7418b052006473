// One field line, as offsets into the bytes of its head.

/// A field line: where its name and value stand, and what is known about the name; 16 bytes.
package struct Field: Equatable, Sendable {
    private var nameStart: UInt32
    private var valueStart: UInt32
    private var valueCount: UInt32
    private var nameCount: UInt16

    /// The name, if it is one that a proxy acts on.
    package let known: FieldName

    /// Whether the field ends at this hop and must not be forwarded, RFC 9110 section 7.6.1.
    ///
    /// True for Connection, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding and Upgrade, and
    /// for every field that Connection names, unless its name is in `FieldName`: a sender cannot
    /// strip Host, Content-Length, Authorization or X-Forwarded-For from a message by naming them
    /// there. Such an option is ignored and the field kept.
    package internal(set) var isHopByHop: Bool

    /// Makes a field; starts are offsets into the bytes of the head.
    @inline(__always)
    init(nameStart: Int, nameCount: Int, valueStart: Int, valueCount: Int, _ known: KnownName) {
        self.nameStart = UInt32(truncatingIfNeeded: nameStart)
        self.nameCount = UInt16(truncatingIfNeeded: nameCount)
        self.valueStart = UInt32(truncatingIfNeeded: valueStart)
        self.valueCount = UInt32(truncatingIfNeeded: valueCount)
        self.known = known.name
        isHopByHop = known.isHopByHop
    }

    /// Where the name stands in the bytes of the head.
    package var name: Range<Int> {
        let start = Int(nameStart)
        return start..<(start &+ Int(nameCount))
    }

    /// Where the value stands in the bytes of the head, without white space around it.
    package var value: Range<Int> {
        let start = Int(valueStart)
        return start..<(start &+ Int(valueCount))
    }
}

extension [Field] {
    /// Makes room for more fields by placeholders.
    ///
    /// A parser writes fields over those that are there, which is cheaper than appending each: most
    /// messages have as many as the one before.
    @inline(never)
    mutating func addRoom() {
        let placeholder = Field(
            nameStart: 0, nameCount: 0, valueStart: 0, valueCount: 0, .other)
        append(contentsOf: repeatElement(placeholder, count: 8))
    }

    /// Drops what is behind the first `count` fields.
    @inline(__always)
    mutating func cut(to count: Int) {
        if self.count > count { removeLast(self.count &- count) }
    }
}
