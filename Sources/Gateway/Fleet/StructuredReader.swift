// Members of a dictionary of structured fields, RFC 9651 section 4.2: every kind of value is read to its end, and the
// kinds that the gateway has a use for are told.

/// A place in the text of a structured field.
struct StructuredReader {
    /// A value without its parameters.
    enum Value: Equatable {
        case integer(Int)
        case decimal(Double)
        /// Where its text is.
        case token(Range<Int>)
        /// True, which is also what a key alone stands for, or another value that nobody asks for.
        case other

        /// The number that it is; nil where it is none.
        var number: Double? {
            switch self {
            case .integer(let value): Double(value)
            case .decimal(let value): value
            case .token, .other: nil
            }
        }
    }

    /// The next byte.
    private(set) var index = 0

    /// Skips spaces.
    mutating func skipSpaces(_ text: Span<UInt8>) {
        while index < text.count, text[index] == 0x20 { index &+= 1 }
    }

    /// Skips spaces and tabs.
    mutating func skipWhiteSpace(_ text: Span<UInt8>) {
        while index < text.count, text[index] == 0x20 || text[index] == 0x09 { index &+= 1 }
    }

    /// Skips that byte; false where another one comes.
    mutating func skip(_ byte: UInt8, _ text: Span<UInt8>) -> Bool {
        guard index < text.count, text[index] == byte else { return false }
        index &+= 1
        return true
    }

    /// Where the key is that comes; nil for none.
    mutating func key(_ text: Span<UInt8>) -> Range<Int>? {
        let start = index
        guard index < text.count, StructuredReader.beginsKey(text[index]) else { return nil }
        while index < text.count, StructuredReader.isKey(text[index]) { index &+= 1 }
        return start..<index
    }

    /// What a dictionary has for the key before, with its parameters read too; nil for bad syntax.
    mutating func member(_ text: Span<UInt8>) -> Value? {
        var value = Value.other
        if skip(UInt8(ascii: "="), text) {
            guard let read = isAt(UInt8(ascii: "("), text) ? list(text) : item(text) else {
                return nil
            }
            value = read
        }
        return parameters(text) ? value : nil
    }

    private func isAt(_ byte: UInt8, _ text: Span<UInt8>) -> Bool {
        index < text.count && text[index] == byte
    }

    private mutating func parameters(_ text: Span<UInt8>) -> Bool {
        while skip(UInt8(ascii: ";"), text) {
            skipSpaces(text)
            guard key(text) != nil else { return false }
            if skip(UInt8(ascii: "="), text), item(text) == nil { return false }
        }
        return true
    }

    private mutating func list(_ text: Span<UInt8>) -> Value? {
        guard skip(UInt8(ascii: "("), text) else { return nil }
        while index < text.count {
            skipSpaces(text)
            if skip(UInt8(ascii: ")"), text) { return .other }
            guard item(text) != nil, parameters(text) else { return nil }
            guard isAt(0x20, text) || isAt(UInt8(ascii: ")"), text) else { return nil }
        }
        return nil
    }

    /// A value without its parameters; nil for bad syntax.
    mutating func item(_ text: Span<UInt8>) -> Value? {
        guard index < text.count else { return nil }
        switch text[index] {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number(text)
        case UInt8(ascii: "\""): return string(text)
        case UInt8(ascii: "?"):
            index &+= 1
            let isBoolean = skip(UInt8(ascii: "0"), text) || skip(UInt8(ascii: "1"), text)
            return isBoolean ? .other : nil
        case UInt8(ascii: "@"):
            index &+= 1
            if case .integer? = number(text) { return .other }
            return nil
        case UInt8(ascii: ":"): return bytes(text)
        case UInt8(ascii: "%"):
            index &+= 1
            return string(text)
        case UInt8(ascii: "*"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            let start = index
            while index < text.count, StructuredReader.isToken(text[index]) { index &+= 1 }
            return .token(start..<index)
        default: return nil
        }
    }

    /// At most fifteen digits, or twelve with up to three decimals.
    private mutating func number(_ text: Span<UInt8>) -> Value? {
        let isNegative = skip(UInt8(ascii: "-"), text)
        guard let (whole, digits) = digits(text, most: 15), digits > 0 else { return nil }
        guard skip(UInt8(ascii: "."), text) else {
            return .integer(isNegative ? -whole : whole)
        }
        guard digits <= 12, let (part, decimals) = self.digits(text, most: 3), decimals > 0 else {
            return nil
        }
        let scale = [1.0, 10, 100, 1000][decimals]
        let value = Double(whole) + Double(part) / scale
        return .decimal(isNegative ? -value : value)
    }

    /// The number that digits make, and how many there are; nil for more than `most`.
    private mutating func digits(_ text: Span<UInt8>, most: Int) -> (value: Int, count: Int)? {
        var value = 0
        let start = index
        while index < text.count, text[index] &- 0x30 < 10 {
            guard index &- start < most else { return nil }
            value = 10 * value + Int(text[index] &- 0x30)
            index &+= 1
        }
        return (value, index &- start)
    }

    private mutating func string(_ text: Span<UInt8>) -> Value? {
        guard skip(UInt8(ascii: "\""), text) else { return nil }
        while index < text.count {
            let byte = text[index]
            index &+= 1
            if byte == UInt8(ascii: "\"") { return .other }
            guard (0x20...0x7e).contains(byte) else { return nil }
            if byte == UInt8(ascii: "\\") {
                let isEscape =
                    skip(UInt8(ascii: "\""), text) || skip(UInt8(ascii: "\\"), text)
                guard isEscape else { return nil }
            }
        }
        return nil
    }

    private mutating func bytes(_ text: Span<UInt8>) -> Value? {
        guard skip(UInt8(ascii: ":"), text) else { return nil }
        while index < text.count {
            let byte = text[index]
            index &+= 1
            if byte == UInt8(ascii: ":") { return .other }
            guard StructuredReader.isBase64(byte) else { return nil }
        }
        return nil
    }

    private static func beginsKey(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "*")
    }

    /// Whether a key may have that byte behind its first.
    static func isKey(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "*"):
            true
        default: false
        }
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "/"):
            true
        default: StructuredReader.signs.contains(byte)
        }
    }

    /// What a token may have beside letters, digits, `:` and `/` (RFC 9110 section 5.6.2).
    private static let signs = Array("!#$%&'*+-.^_`|~".utf8)

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"),
            UInt8(ascii: "="):
            true
        default: false
        }
    }
}
