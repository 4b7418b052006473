// Takes a request target apart: form, authority, path, query.

internal import Bytes

/// The four forms of a target, RFC 9112 section 3.2.
enum RequestTarget {
    /// Sets form, authority, path and query of `head` from its target and method.
    static func read(in bytes: Span<UInt8>, _ head: inout RequestHead) throws(ParseError) {
        let target = head.target
        if head.method == .connect {
            guard Authority.isValid(bytes, target, needsPort: true) else { throw .invalidTarget }
            head.form = .authority
            head.authority = target
            head.path = target.upperBound..<target.upperBound
            head.query = head.path
        } else if bytes[target.lowerBound] == UInt8(ascii: "/") {
            head.form = .origin
            try splitPath(target, in: bytes, &head)
        } else if head.method == .options, bytes.extracting(target).equals("*") {
            head.form = .asterisk
            head.path = target
            head.query = target.upperBound..<target.upperBound
        } else {
            try readAbsolute(in: bytes, &head)
        }
    }

    private static func readAbsolute(
        in bytes: Span<UInt8>, _ head: inout RequestHead
    ) throws(ParseError) {
        let target = head.target
        let start: Int
        if hasPrefix(bytes, target, "http://") {
            start = target.lowerBound &+ 7
        } else if hasPrefix(bytes, target, "https://") {
            start = target.lowerBound &+ 8
        } else {
            throw .invalidTarget
        }
        var end = start
        while end < target.upperBound, bytes[end] != UInt8(ascii: "/"),
            bytes[end] != UInt8(ascii: "?")
        {
            if bytes[end] == UInt8(ascii: "@") { throw .userInformationInTarget }
            end &+= 1
        }
        guard Authority.isValid(bytes, start..<end) else { throw .invalidAuthority }
        head.form = .absolute
        head.authority = start..<end
        try splitPath(end..<target.upperBound, in: bytes, &head)
    }

    /// A percent sign in a path begins two hexadecimal digits, or servers differ in what it means;
    /// in a query, which they leave to applications, it may stand for itself.
    private static func splitPath(
        _ range: Range<Int>, in bytes: Span<UInt8>, _ head: inout RequestHead
    ) throws(ParseError) {
        var mark = range.lowerBound
        while range.upperBound &- mark >= 8 {
            let stop = WordMask.endsPlainPath(bytes.word(at: mark))
            mark &+= stop == 0 ? 8 : WordMask.firstIndex(stop)
            if stop != 0 { break }
        }
        while mark < range.upperBound, bytes[mark] != UInt8(ascii: "?") {
            if bytes[mark] == UInt8(ascii: "%") {
                guard range.upperBound &- mark > 2, ByteClass.hexadecimal(bytes[mark &+ 1]) < 16,
                    ByteClass.hexadecimal(bytes[mark &+ 2]) < 16
                else { throw .invalidTarget }
            }
            mark &+= 1
        }
        head.path = range.lowerBound..<mark
        head.query = mark..<range.upperBound
    }

    private static func hasPrefix(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ prefix: String
    ) -> Bool {
        let count = prefix.utf8.count
        guard range.count >= count else { return false }
        let start = range.lowerBound
        return bytes.extracting(start..<(start &+ count)).equals(lowercase: prefix)
    }
}
