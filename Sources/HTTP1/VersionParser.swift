// Reads `HTTP/digit.digit`, for both kinds of start line.

internal import Bytes

/// An incremental parser of an HTTP version, fed byte by byte.
struct VersionParser {
    private var count = 0
    private var major: UInt8 = 0
    private var minor: UInt8 = 0

    /// The length of a version and the carriage return behind it.
    static let byteCount = 9

    /// Whether no byte has been taken.
    var isEmpty: Bool { count == 0 }

    /// The version at `index`, if it and its carriage return are there and nothing is wrong.
    func next(in bytes: Span<UInt8>, at index: Int) -> Version? {
        guard bytes.count &- index >= VersionParser.byteCount,
            bytes[index &+ 8] == ByteClass.carriageReturn
        else { return nil }
        let found = bytes.extracting(index..<(index &+ 8))
        if found.word(at: 0) == VersionParser.http11 { return .http11 }
        return nil
    }

    /// The bytes of `HTTP/1.1`, as a word.
    static let http11: UInt64 = 0x312e_312f_5054_5448

    /// Takes the next byte; the version once a carriage return ends it.
    mutating func next(_ byte: UInt8) throws(ParseError) -> Version? {
        switch count {
        case 0: try expect(byte, UInt8(ascii: "H"))
        case 1, 2: try expect(byte, UInt8(ascii: "T"))
        case 3: try expect(byte, UInt8(ascii: "P"))
        case 4: try expect(byte, UInt8(ascii: "/"))
        case 5: major = try digit(byte)
        case 6: try expect(byte, UInt8(ascii: "."))
        case 7: minor = try digit(byte)
        default:
            try expect(byte, ByteClass.carriageReturn)
            return try version()
        }
        count &+= 1
        return nil
    }

    /// Whether all of the version is read and only its delimiter is missing.
    var isComplete: Bool { count == 8 }

    /// The version read, if it is one that is supported.
    func version() throws(ParseError) -> Version {
        guard major == 1, minor <= 1 else { throw .unsupportedVersion }
        return minor == 0 ? .http10 : .http11
    }

    private func digit(_ byte: UInt8) throws(ParseError) -> UInt8 {
        try expect(ByteClass.isDigit(byte), byte)
        return byte &- 0x30
    }

    private func expect(_ byte: UInt8, _ wanted: UInt8) throws(ParseError) {
        try expect(byte == wanted, byte)
    }

    private func expect(_ holds: Bool, _ byte: UInt8) throws(ParseError) {
        if holds { return }
        throw byte == ByteClass.lineFeed ? .bareLineFeed : .invalidVersion
    }
}
