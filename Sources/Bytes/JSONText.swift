// JSON and plain text into a byte buffer, for logs, pages and lines of results. String literals are
// passed as `String`: they are constants of the binary, and their UTF-8 is borrowed as a span
// without a copy.

extension ByteBuffer {
    /// Appends the UTF-8 of `text`.
    @inlinable package mutating func append(text: String) {
        append(text.utf8.span)
    }

    /// Appends `value` in decimal digits.
    @inlinable package mutating func append(unsigned value: UInt64) {
        if value <= UInt64(Int.max) {
            append(decimal: Int(value))
        } else {
            append(decimal: Int(value / 10))
            append(decimal: Int(value % 10))
        }
    }

    /// Appends `value` in decimal digits, with a minus sign where it is negative.
    package mutating func append(signed value: Int) {
        if value < 0 { append(0x2d) }
        append(unsigned: UInt64(value.magnitude))
    }

    /// Appends the bytes of `text`, at most about `limit` of them, as they stand inside a JSON
    /// string.
    ///
    /// Quotation marks, backslashes and control characters are escaped (RFC 8259 section 7). Bytes
    /// that are not UTF-8 become U+FFFD, one for each; a character that does not fit whole is left
    /// out.
    package mutating func append(jsonEscaped text: Span<UInt8>, limit: Int = .max) {
        let end = JSONText.characterBoundary(in: text, atMost: limit)
        var start = 0
        var index = 0
        while index < end {
            let byte = text[index]
            if byte >= 0x20 && byte < 0x7f && byte != 0x22 && byte != 0x5c {
                index &+= 1
                continue
            }
            if byte >= 0x80 {
                let length = JSONText.characterLength(in: text, at: index, end: end)
                if length > 0 {
                    index &+= length
                    continue
                }
            }
            append(text.extracting(start..<index))
            append(escapeOf: byte)
            index &+= 1
            start = index
        }
        append(text.extracting(start..<end))
    }

    /// Appends `text` as a JSON string with its quotation marks.
    package mutating func append(jsonString text: String) {
        append(0x22)
        append(jsonEscaped: text.utf8.span)
        append(0x22)
    }

    /// Appends a JSON array of what `write` makes of each of `elements`.
    package mutating func append<Element>(
        jsonListOf elements: some Sequence<Element>,
        _ write: (Element, inout ByteBuffer) -> Void
    ) {
        append(0x5b)
        var isFirst = true
        for element in elements {
            if !isFirst { append(0x2c) }
            isFirst = false
            write(element, &self)
        }
        append(0x5d)
    }

    private mutating func append(escapeOf byte: UInt8) {
        switch byte {
        case 0x22: append(text: "\\\"")
        case 0x5c: append(text: "\\\\")
        case 0x0a: append(text: "\\n")
        case 0x0d: append(text: "\\r")
        case 0x09: append(text: "\\t")
        case 0x80...: append(text: "\u{fffd}")
        default:
            append(text: "\\u00")
            append(byte < 0x10 ? 0x30 : 0x30 &+ byte &>> 4)
            append(hexadecimal: Int(byte & 0xf))
        }
    }
}

/// The parts of UTF-8 (RFC 3629) that logs and labels need.
package enum JSONText {
    /// Whether `text` is UTF-8.
    package static func isWellFormed(_ text: Span<UInt8>) -> Bool {
        var index = 0
        while index < text.count {
            let length =
                text[index] < 0x80 ? 1 : characterLength(in: text, at: index, end: text.count)
            if length == 0 { return false }
            index &+= length
        }
        return true
    }

    /// The length of the well-formed multi-byte character at `index`, or 0 where there is none
    /// before `end`.
    package static func characterLength(in text: Span<UInt8>, at index: Int, end: Int) -> Int {
        let first = text[index]
        let length: Int
        switch first {
        case 0xc2...0xdf: length = 2
        case 0xe0...0xef: length = 3
        case 0xf0...0xf4: length = 4
        default: return 0
        }
        guard index &+ length <= end else { return 0 }
        let second = text[index &+ 1]
        // The second byte's range rules out overlong forms, surrogates and what is above U+10FFFF.
        let isSecondValid =
            switch first {
            case 0xe0: second >= 0xa0 && second <= 0xbf
            case 0xed: second >= 0x80 && second <= 0x9f
            case 0xf0: second >= 0x90 && second <= 0xbf
            case 0xf4: second >= 0x80 && second <= 0x8f
            default: second >= 0x80 && second <= 0xbf
            }
        guard isSecondValid else { return 0 }
        for offset in 2..<max(2, length) where text[index &+ offset] & 0xc0 != 0x80 { return 0 }
        return length
    }

    /// The longest length up to `limit` that does not cut a character of `text` in two.
    package static func characterBoundary(in text: Span<UInt8>, atMost limit: Int) -> Int {
        guard text.count > limit else { return text.count }
        var end = max(0, limit)
        // At most three bytes back there is the first byte of the character, if there is one.
        var steps = 0
        while end > 0 && steps < 3 && text[end] & 0xc0 == 0x80 {
            end &-= 1
            steps &+= 1
        }
        return characterLength(in: text, at: end, end: text.count) > 0 ? end : max(0, limit)
    }
}
