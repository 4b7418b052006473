// Reads a request line, stopping at the first wrong byte and resuming at the first unseen one.

internal import Bytes

/// An incremental parser of `method SP target SP version CRLF`, RFC 9112 section 3.
struct RequestLineParser: ~Copyable {
    private enum State: UInt8 {
        case start, emptyLine, method, target, version, lineFeed
    }

    private static let maxMethodBytes = 32
    /// Empty lines that are passed over before a request.
    private static let maxEmptyLines = 4

    /// The first byte that is not looked at yet.
    private(set) var position = 0
    private var state = State.start
    private var start = 0
    private var emptyLines = 0
    /// Bytes of empty lines that were taken.
    private(set) var takenBytes = 0
    private var version = VersionParser()

    /// Looks for the end of the line in `bytes`, which always begins with the same byte, and fills
    /// in method, target and version of `head`; whether the line is complete.
    mutating func next(
        in bytes: Span<UInt8>, _ head: inout RequestHead
    ) throws(ParseError) -> Bool {
        while position < bytes.count {
            switch state {
            case .start:
                // Clients send stray line ends behind a body, RFC 9112 section 2.2.
                if bytes[position] == ByteClass.carriageReturn,
                    emptyLines < RequestLineParser.maxEmptyLines
                {
                    position &+= 1
                    state = .emptyLine
                } else {
                    state = .method
                }
            case .emptyLine:
                try expectLineFeed(bytes[position])
                emptyLines &+= 1
                start = position
                state = .start
            case .method:
                try readMethod(in: bytes, &head)
            case .target:
                try readTarget(in: bytes, &head)
            case .version:
                if version.isEmpty, let found = version.next(in: bytes, at: position) {
                    head.version = found
                    position &+= VersionParser.byteCount
                    state = .lineFeed
                    continue
                }
                if let found = try version.next(bytes[position]) {
                    head.version = found
                    state = .lineFeed
                }
                position &+= 1
            case .lineFeed:
                try expectLineFeed(bytes[position])
                try RequestTarget.read(in: bytes, &head)
                return true
            }
        }
        return false
    }

    /// Takes the bytes of empty lines behind which nothing has come yet: they are no part of a request.
    mutating func takeEmptyLines() -> Int {
        guard state == .start, position > 0 else { return 0 }
        let taken = position
        takenBytes &+= taken
        position = 0
        start = 0
        return taken
    }

    /// Reads the line in one look if all of it is there and as it mostly is; else nothing has
    /// changed.
    ///
    /// That is a method that has a name, a path, perhaps a query, and HTTP/1.1.
    @inline(__always)
    mutating func readUsualLine(_ bytes: Span<UInt8>, _ head: inout RequestHead) -> Bool {
        guard position == 0, bytes.count >= 16 else { return false }
        let word = bytes.firstWord
        let space = WordMask.firstEqual(word, ByteClass.space)
        if space == 0 { return false }
        let methodEnd = WordMask.firstIndex(space)
        let method = Method(word, methodEnd)
        if method == .other || method == .connect { return false }
        let start = methodEnd &+ 1
        var rest = bytes.extracting(droppingFirst: start)
        guard rest.count >= 8, rest[0] == UInt8(ascii: "/") else { return false }
        var stop = WordMask.endsPlainTarget(rest.firstWord)
        while stop == 0 {
            rest = rest.extracting(droppingFirst: 8)
            guard rest.count >= 8 else { return false }
            stop = WordMask.endsPlainTarget(rest.firstWord)
        }
        rest = rest.extracting(droppingFirst: WordMask.firstIndex(stop))
        let pathEnd = bytes.count &- rest.count
        if rest.count >= 8, rest[0] == UInt8(ascii: "?") {
            stop = WordMask.notInTarget(rest.firstWord)
            while stop == 0 {
                rest = rest.extracting(droppingFirst: 8)
                guard rest.count >= 8 else { return false }
                stop = WordMask.notInTarget(rest.firstWord)
            }
            rest = rest.extracting(droppingFirst: WordMask.firstIndex(stop))
        }
        let end = bytes.count &- rest.count
        guard rest.count >= 11, rest[0] == ByteClass.space, rest[9] == ByteClass.carriageReturn,
            rest[10] == ByteClass.lineFeed,
            rest.extracting(droppingFirst: 1).firstWord == VersionParser.http11
        else { return false }
        head.methodRange = 0..<methodEnd
        head.method = method
        head.form = .origin
        head.target = start..<end
        head.path = start..<pathEnd
        head.query = pathEnd..<end
        head.version = .http11
        position = end &+ 11
        return true
    }

    private mutating func readMethod(
        in bytes: Span<UInt8>, _ head: inout RequestHead
    ) throws(ParseError) {
        var index = position
        while index < bytes.count, ByteClass.isToken(bytes[index]) {
            index &+= 1
            if index &- start > RequestLineParser.maxMethodBytes { throw .methodTooLong }
        }
        position = index
        if index == bytes.count { return }
        if bytes[index] == ByteClass.lineFeed { throw .bareLineFeed }
        guard bytes[index] == ByteClass.space, index > start else { throw .invalidMethod }
        head.methodRange = start..<index
        head.method = Method(bytes, head.methodRange)
        state = .target
        position = index &+ 1
        start = position
    }

    private mutating func readTarget(
        in bytes: Span<UInt8>, _ head: inout RequestHead
    ) throws(ParseError) {
        var index = position
        while bytes.count &- index >= 8 {
            let stop = WordMask.notInTarget(bytes.word(at: index))
            index &+= stop == 0 ? 8 : WordMask.firstIndex(stop)
            if stop != 0 { break }
        }
        while index < bytes.count, ByteClass.isVisible(bytes[index]) {
            if bytes[index] == UInt8(ascii: "#") { throw .fragmentInTarget }
            index &+= 1
        }
        position = index
        if index == bytes.count { return }
        switch bytes[index] {
        case ByteClass.space: break
        case ByteClass.carriageReturn: throw .missingVersion
        case ByteClass.lineFeed: throw .bareLineFeed
        default: throw .invalidTarget
        }
        if index == start { throw .invalidTarget }
        head.target = start..<index
        state = .version
        position = index &+ 1
    }

    private mutating func expectLineFeed(_ byte: UInt8) throws(ParseError) {
        guard byte == ByteClass.lineFeed else { throw .bareCarriageReturn }
        position &+= 1
    }
}
