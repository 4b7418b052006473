// The `Priority` field of RFC 9218: a dictionary of structured fields (RFC 9651 section 3.2), of
// which the urgency counts here.

/// Reads the `Priority` field.
enum PriorityField {
    /// There are that many urgencies, 0 the most urgent.
    static let urgencies = 8

    /// The urgency that `value` asks for, 0..7; nil when it asks for none or is no dictionary.
    static func urgency(_ value: Span<UInt8>) -> Int? {
        var urgency: Int?
        var index = 0
        while index < value.count {
            let start = index
            while index < value.count && StructuredReader.isKey(value[index]) { index &+= 1 }
            guard index > start else { return nil }
            let isUrgency = index == start &+ 1 && value[start] == UInt8(ascii: "u")
            var item = index..<index
            if index < value.count && value[index] == UInt8(ascii: "=") {
                index &+= 1
                guard let end = endOfItem(value, from: index) else { return nil }
                item = index..<end
                index = end
            }
            // A key that comes again counts anew.
            if isUrgency { urgency = digit(value.extracting(item)) }
            guard let next = startOfNext(value, from: index) else { return nil }
            index = next
        }
        return urgency
    }

    /// The index behind an item's bare value, strings with all that they hold.
    private static func endOfItem(_ value: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        guard index < value.count else { return nil }
        guard value[index] == UInt8(ascii: "\"") else {
            while index < value.count && !isSeparator(value[index]) { index &+= 1 }
            return index > start ? index : nil
        }
        index &+= 1
        while index < value.count && value[index] != UInt8(ascii: "\"") {
            index &+= value[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return index < value.count ? index &+ 1 : nil
    }

    /// The place of the next member's key, behind parameters and the comma; nil for bad syntax.
    private static func startOfNext(_ value: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < value.count && value[index] != UInt8(ascii: ",") {
            // A parameter's value may be a string with a comma in it.
            if value[index] == UInt8(ascii: "\"") {
                guard let end = endOfItem(value, from: index) else { return nil }
                index = end
            } else {
                index &+= 1
            }
        }
        guard index < value.count else { return index }
        index &+= 1
        while index < value.count && isSpace(value[index]) { index &+= 1 }
        // A comma at the end is an error.
        return index < value.count ? index : nil
    }

    private static func digit(_ item: Span<UInt8>) -> Int? {
        guard item.count == 1, item[0] >= 0x30, item[0] < 0x38 else { return nil }
        return Int(item[0] &- 0x30)
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";") || isSpace(byte)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
