// Lines of a bulk request as they pass, counted as the gateway counts them: blank ones are nothing.

internal import Bytes

/// Counts lines in pieces of bytes, however they are cut.
package struct BulkLineCounter {
    /// Lines that have ended.
    package private(set) var count = 0
    /// Whether the line in hand has nothing but white space so far.
    private var isBlank = true

    /// A counter at the beginning of a line, which has the number `count` of those that are not blank.
    package init(count: Int = 0) { self.count = count }

    /// Passes over `bytes` from `index` until that many lines in all have ended; the index behind the last one's
    /// end, or behind the bytes.
    package mutating func pass(_ bytes: Span<UInt8>, from index: Int = 0, to lines: Int = .max)
        -> Int
    {
        var index = index
        while index < bytes.count, count < lines {
            let byte = bytes[index]
            if byte == 0x0a {
                if !isBlank { count += 1 }
                isBlank = true
                index += 1
            } else if isBlank {
                isBlank = byte == 0x20 || byte == 0x09 || byte == 0x0d
                index += 1
            } else {
                index = bytes.endOfLine(from: index)
                if index < bytes.count, bytes[index] == 0x0d { index += 1 }
            }
        }
        return index
    }

    /// The bytes have ended, and with them the last line.
    package mutating func finish() {
        if !isBlank { count += 1 }
        isBlank = true
    }
}
