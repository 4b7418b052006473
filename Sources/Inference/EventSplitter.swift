// Finds the events in a stream as its bytes pass: server-sent events (HTML, section 9.2.6) or a
// JSON text a line. It says where the data of events are and when each ends, and whether a text of
// the gateway's own could go in between here.

internal import Bytes

/// An incremental splitter of one stream.
package struct EventSplitter {
    /// How events are told apart.
    package enum Format: Sendable {
        /// `text/event-stream`.
        case serverSent
        /// `application/x-ndjson`: an event a line.
        case lines
    }

    /// What was found.
    package enum Piece: Equatable, Sendable {
        /// Nothing more in the bytes shown.
        case needMoreData
        /// Bytes of the event's data.
        case data(Range<Int>)
        /// An event with data is complete; Anthropic's pings are no progress.
        case event(isProgress: Bool)
    }

    private enum State: UInt8 {
        case lineStart, name, dataStart, data, eventName, other
    }

    /// Whether nothing of an event has come since the last one was complete.
    package private(set) var isAtBoundary = true

    private let format: Format
    private var state = State.lineStart
    /// Letters of the field's name that matched `data` and `event`.
    private var nameCount = 0
    private var isData = true
    private var isEventName = true
    private var hasData = false
    /// Letters of the event's name that matched `ping`, 5 for another name.
    private var pingCount = 0
    private var isPing = false
    private var followsReturn = false

    /// A splitter at the beginning of a stream.
    package init(_ format: Format) { self.format = format }

    /// Goes on in `bytes` from `index` to the next piece.
    package mutating func next(in bytes: Span<UInt8>, at index: inout Int) -> Piece {
        format == .lines ? nextLine(bytes, &index) : nextEvent(bytes, &index)
    }

    private mutating func nextLine(_ bytes: Span<UInt8>, _ index: inout Int) -> Piece {
        while index < bytes.count {
            let start = index
            index = bytes.endOfLine(from: start)
            if index > start {
                isAtBoundary = false
                return .data(start..<index)
            }
            index &+= 1
            if !isAtBoundary {
                isAtBoundary = true
                return .event(isProgress: true)
            }
        }
        return .needMoreData
    }

    private mutating func nextEvent(_ bytes: Span<UInt8>, _ index: inout Int) -> Piece {
        while index < bytes.count {
            switch state {
            case .lineStart:
                if let piece = beginLine(bytes[index], &index) { return piece }
            case .name: readName(bytes[index], &index)
            case .dataStart:
                // One space after the colon is not part of the value.
                if bytes[index] == 0x20 { index &+= 1 }
                state = .data
            case .data:
                let start = index
                index = bytes.endOfLine(from: start)
                if index == bytes.count { return .data(start..<index) }
                endLine(bytes[index], &index)
                if index &- 1 > start { return .data(start..<(index &- 1)) }
            case .eventName:
                if bytes[index] == 0x0a || bytes[index] == 0x0d {
                    isPing = pingCount == 4
                    endLine(bytes[index], &index)
                } else {
                    readEventName(bytes[index])
                    index &+= 1
                }
            case .other:
                index = bytes.endOfLine(from: index)
                if index < bytes.count { endLine(bytes[index], &index) }
            }
        }
        return .needMoreData
    }

    /// The first byte of a line: an empty line ends an event.
    private mutating func beginLine(_ byte: UInt8, _ index: inout Int) -> Piece? {
        if byte == 0x0a, followsReturn {
            followsReturn = false
            index &+= 1
            return nil
        }
        followsReturn = false
        if byte == 0x0a || byte == 0x0d {
            endLine(byte, &index)
            defer {
                hasData = false
                isPing = false
            }
            isAtBoundary = true
            return hasData ? .event(isProgress: !isPing) : nil
        }
        isAtBoundary = false
        nameCount = 0
        isData = true
        isEventName = true
        state = .name
        return nil
    }

    private mutating func endLine(_ byte: UInt8, _ index: inout Int) {
        followsReturn = byte == 0x0d
        state = .lineStart
        index &+= 1
    }

    private mutating func readName(_ byte: UInt8, _ index: inout Int) {
        switch byte {
        case UInt8(ascii: ":"):
            index &+= 1
            if isData, nameCount == 4 {
                hasData = true
                state = .dataStart
            } else if isEventName, nameCount == 5 {
                pingCount = 0
                state = .eventName
            } else {
                state = .other
            }
        case 0x0a, 0x0d:
            if isData, nameCount == 4 { hasData = true }
            endLine(byte, &index)
        default:
            isData = isData && byte == EventSplitter.letter(0x6174_6164, nameCount)
            isEventName = isEventName && byte == EventSplitter.letter(0x74_6e65_7665, nameCount)
            nameCount = min(nameCount &+ 1, 6)
            index &+= 1
        }
    }

    private mutating func readEventName(_ byte: UInt8) {
        if byte == 0x20, pingCount == 0 { return }
        let isNext = byte == EventSplitter.letter(0x676e_6970, pingCount)
        pingCount = isNext && pingCount < 4 ? pingCount &+ 1 : 5
    }

    /// The byte at `index` of a word whose first byte is the lowest; 0 past its end.
    private static func letter(_ word: UInt64, _ index: Int) -> UInt8 {
        index < 8 ? UInt8(truncatingIfNeeded: word >> UInt64(8 &* index)) : 0
    }
}
