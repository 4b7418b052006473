// Which proxies a message has passed, RFC 9110 section 7.6.3.

internal import Bytes

/// The field Via.
package enum ViaField {
    /// How often `name` has received the message: the second word of an element of the list.
    package static func count(of name: Span<UInt8>, in value: Span<UInt8>) -> Int {
        var count = 0
        var index = 0
        while index < value.count {
            _ = word(in: value, &index)
            let receiver = word(in: value, &index)
            if value.extracting(receiver).equalsIgnoringCase(name) { count += 1 }
            // A comment may follow, with commas in it.
            var depth = 0
            while index < value.count {
                let byte = value[index]
                index += 1
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") { depth -= 1 }
                if byte == UInt8(ascii: ","), depth <= 0 { break }
            }
        }
        return count
    }

    /// The next word before a comma or a comment.
    private static func word(in value: Span<UInt8>, _ index: inout Int) -> Range<Int> {
        while index < value.count, value[index] == 0x20 || value[index] == 0x09 { index += 1 }
        let start = index
        while index < value.count {
            switch value[index] {
            case 0x20, 0x09, UInt8(ascii: ","), UInt8(ascii: "("): return start..<index
            default: index += 1
            }
        }
        return start..<index
    }
}
