// The lines of a bulk request's body, found in pieces of it however they are cut. Lines end with LF or CRLF
// (RFC 8259 has neither within a text), the last one perhaps with the body; blank ones are nothing.
//
// Held is the line in hand, up to its bound; of a longer one nothing is, up to its end.

internal import Bytes

/// Finds lines in pieces of bytes.
package struct BulkLineReader {
    /// What was found.
    package enum Event: Equatable, Sendable {
        /// No line ends in what is left of the bytes, all of which were taken.
        case needMoreData
        /// A line is complete: it is in `line` until the next call.
        case line
        /// A line has ended that has more bytes than a line may.
        case tooLong
    }

    /// The line that was found, without its end.
    package private(set) var line: [UInt8] = []
    private let maxLineBytes: Int
    /// Whether the line in hand is longer than it may be.
    private var isTooLong = false
    /// Whether the line in hand has nothing but white space so far.
    private var isBlank = true
    /// Whether `line` was told of, and is not the beginning of the next one.
    private var isTold = false

    /// What is kept of a line's storage for the next one.
    private static let keptBytes = 64 * 1024

    /// A reader of lines that have at most `maxLineBytes` bytes, without their ends.
    package init(maxLineBytes: Int) { self.maxLineBytes = maxLineBytes }

    /// Bytes of a line that has not ended.
    package var heldBytes: Int { isTold ? 0 : line.count }

    /// Goes on in `bytes` from `index` to the end of a line; after `needMoreData` with the bytes that follow,
    /// from their beginning.
    package mutating func next(in bytes: Span<UInt8>, at index: inout Int) -> Event {
        forgetTold()
        while index < bytes.count {
            var end = bytes.endOfLine(from: index)
            while end < bytes.count, bytes[end] != 0x0a { end = bytes.endOfLine(from: end + 1) }
            hold(bytes.extracting(index..<end))
            index = min(end + 1, bytes.count)
            guard end < bytes.count else { break }
            if let event = ended() { return event }
        }
        return .needMoreData
    }

    /// The body has ended: the last line, where it has no end of its own; else `needMoreData`.
    package mutating func finish() -> Event {
        forgetTold()
        return ended() ?? .needMoreData
    }

    private mutating func forgetTold() {
        guard isTold else { return }
        isTold = false
        if line.capacity > BulkLineReader.keptBytes {
            line = []
        } else {
            line.removeAll(keepingCapacity: true)
        }
    }

    private mutating func hold(_ bytes: Span<UInt8>) {
        var index = 0
        while isBlank, index < bytes.count {
            isBlank = bytes[index] == 0x20 || bytes[index] == 0x09 || bytes[index] == 0x0d
            index += 1
        }
        if isTooLong { return }
        // Its end may have a CR that is no part of it.
        guard line.count + bytes.count <= maxLineBytes + 1 else {
            isTooLong = true
            line = []
            return
        }
        line.append(addingCapacity: bytes.count) { output in
            for index in bytes.indices { output.append(bytes[index]) }
        }
    }

    /// The line in hand has ended; nil where it is blank.
    private mutating func ended() -> Event? {
        let wasBlank = isBlank
        let wasTooLong = isTooLong
        isBlank = true
        isTooLong = false
        if wasBlank {
            line.removeAll(keepingCapacity: true)
            return nil
        }
        if line.last == 0x0d { line.removeLast() }
        if wasTooLong || line.count > maxLineBytes {
            line = []
            return .tooLong
        }
        isTold = true
        return .line
    }
}
