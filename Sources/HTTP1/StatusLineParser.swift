// Reads a status line, stopping at the first wrong byte and resuming at the first unseen one.

internal import Bytes

/// An incremental parser of `version SP status [SP reason] CRLF`, RFC 9112 section 4.
///
/// The space after the status belongs to the grammar even without a reason, but many servers leave
/// it out and nothing else can be meant, so it may be missing.
struct StatusLineParser: ~Copyable {
    private enum State: UInt8 {
        case version, status, afterStatus, reason, lineFeed
    }

    /// The first byte that is not looked at yet.
    private(set) var position = 0
    private var state = State.version
    private var version = VersionParser()
    private var status = 0
    private var digits = 0
    private var start = 0

    /// Looks for the end of the line in `bytes`, which always begins with the same byte, and fills
    /// in version, status and reason of `head`; whether the line is complete.
    mutating func next(
        in bytes: Span<UInt8>, _ head: inout ResponseHead
    ) throws(ParseError) -> Bool {
        while position < bytes.count {
            let byte = bytes[position]
            if byte == ByteClass.lineFeed && state != .lineFeed { throw .bareLineFeed }
            switch state {
            case .version:
                try readVersion(byte, &head)
            case .status:
                try readStatus(byte, &head)
            case .afterStatus:
                start = position &+ 1
                switch byte {
                case ByteClass.space: state = .reason
                case ByteClass.carriageReturn: endReason(&head)
                default: throw .invalidStatusLine
                }
            case .reason:
                if byte == ByteClass.carriageReturn {
                    endReason(&head)
                } else if !ByteClass.isFieldValue(byte) {
                    throw .invalidStatusLine
                }
            case .lineFeed:
                guard byte == ByteClass.lineFeed else { throw .bareCarriageReturn }
                position &+= 1
                return true
            }
            position &+= 1
        }
        return false
    }

    /// Reads the line in one look if all of it is there and as it mostly is; else nothing has
    /// changed.
    @inline(__always)
    mutating func readUsualLine(_ bytes: Span<UInt8>, _ head: inout ResponseHead) -> Bool {
        guard position == 0, bytes.count >= 16, bytes.firstWord == VersionParser.http11 else {
            return false
        }
        var rest = bytes.extracting(droppingFirst: 8)
        guard rest[0] == ByteClass.space, rest[4] == ByteClass.space,
            ByteClass.isDigit(rest[1]), ByteClass.isDigit(rest[2]), ByteClass.isDigit(rest[3])
        else { return false }
        let status =
            Int(rest[1] &- 0x30) &* 100 &+ Int(rest[2] &- 0x30) &* 10 &+ Int(rest[3] &- 0x30)
        let index = rest.skipPlainText(of: bytes)
        let end = bytes.count &- rest.count &+ index
        guard status >= 100, status <= 599, index &+ 1 < rest.count,
            rest[index] == ByteClass.carriageReturn, rest[index &+ 1] == ByteClass.lineFeed
        else { return false }
        head.version = .http11
        head.status = status
        head.reasonPhrase = min(13, end)..<end
        position = end &+ 2
        return true
    }

    private mutating func endReason(_ head: inout ResponseHead) {
        head.reasonPhrase = min(start, position)..<position
        state = .lineFeed
    }

    private mutating func readVersion(
        _ byte: UInt8, _ head: inout ResponseHead
    ) throws(ParseError) {
        if !version.isComplete {
            _ = try version.next(byte)
        } else {
            guard byte == ByteClass.space else { throw .invalidVersion }
            head.version = try version.version()
            state = .status
        }
    }

    private mutating func readStatus(
        _ byte: UInt8, _ head: inout ResponseHead
    ) throws(ParseError) {
        guard ByteClass.isDigit(byte) else { throw .invalidStatusLine }
        status = status &* 10 &+ Int(byte &- 0x30)
        digits &+= 1
        guard digits == 3 else { return }
        guard status >= 100 && status <= 599 else { throw .invalidStatusCode }
        head.status = status
        state = .afterStatus
    }
}
