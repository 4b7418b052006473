// The parameters behind a media type or a disposition, as RFC 9110 section 5.6.6 writes them. Whatever is
// written otherwise is a fault: readers that are lenient are so in different ways.

internal import Bytes

/// Reads `; name=value` after `; name=value`.
struct ParameterReader: ~Escapable {
    /// One parameter, as ranges of the text.
    struct Parameter {
        let name: Range<Int>
        /// Without quotation marks.
        let value: Range<Int>
        /// Whether the value means its bytes as they stand: it has no escapes.
        let isPlain: Bool
    }

    private let text: Span<UInt8>
    private var index = 0

    /// A reader of what follows the first semicolon.
    @_lifetime(copy text)
    init(_ text: Span<UInt8>) {
        self.text = text
        while index < text.count, text[index] != UInt8(ascii: ";") { index += 1 }
    }

    /// The next parameter; nil at the end.
    @_lifetime(self: copy self)
    mutating func next() throws(BodyFault) -> Parameter? {
        skipSpaces()
        if index == text.count { return nil }
        guard text[index] == UInt8(ascii: ";") else { throw .notMultipart }
        index += 1
        skipSpaces()
        // A semicolon that ends the text, as some clients write.
        if index == text.count { return nil }
        let name = token()
        guard !name.isEmpty, index < text.count, text[index] == UInt8(ascii: "=") else {
            throw .notMultipart
        }
        index += 1
        guard index < text.count, text[index] == 0x22 else {
            let value = token()
            guard !value.isEmpty else { throw .notMultipart }
            return Parameter(name: name, value: value, isPlain: true)
        }
        return try quoted(name)
    }

    @_lifetime(self: copy self)
    private mutating func quoted(_ name: Range<Int>) throws(BodyFault) -> Parameter {
        index += 1
        let start = index
        var isPlain = true
        while index < text.count, text[index] != 0x22 {
            if text[index] == UInt8(ascii: "\\") {
                isPlain = false
                index += 1
            }
            index += 1
        }
        guard index < text.count else { throw .notMultipart }
        index += 1
        return Parameter(name: name, value: start..<index - 1, isPlain: isPlain)
    }

    /// Bytes up to a separator; of what RFC 9110 section 5.6.2 allows and a little more.
    @_lifetime(self: copy self)
    private mutating func token() -> Range<Int> {
        let start = index
        while index < text.count {
            switch text[index] {
            case 0...0x20, 0x22, UInt8(ascii: ";"), UInt8(ascii: "="), 0x7f:
                return start..<index
            default: index += 1
            }
        }
        return start..<index
    }

    @_lifetime(self: copy self)
    private mutating func skipSpaces() {
        while index < text.count, text[index] == 0x20 || text[index] == 0x09 { index += 1 }
    }
}
