// Which bytes may stand where, RFC 9110 section 5.6 and RFC 9112 section 3. Each class below 0x80
// is a set of two 64-bit words, bit n of the first for byte n: no table in memory, no check of an
// index.

/// Sets of bytes.
enum ByteClass {
    /// Carriage return.
    static let carriageReturn: UInt8 = 0x0d
    /// Line feed.
    static let lineFeed: UInt8 = 0x0a
    /// Space.
    static let space: UInt8 = 0x20
    /// Horizontal tab.
    static let tab: UInt8 = 0x09

    /// Whether `byte` is a tchar: letters, digits and ``!#$%&'*+-.^_`|~``, RFC 9110 section 5.6.2.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        contains(byte, 0x03ff_6cfa_0000_0000, 0x57ff_ffff_c7ff_fffe)
    }

    /// Whether `byte` may stand in a host name: unreserved and sub-delims, RFC 3986 section 3.2.2,
    /// without `%`.
    @inline(__always)
    static func isHostName(_ byte: UInt8) -> Bool {
        contains(byte, 0x2bff_7fd2_0000_0000, 0x47ff_fffe_87ff_fffe)
    }

    /// Whether `byte` may stand in a field value: visible, space, tab, or 0x80 and above.
    @inline(__always)
    static func isFieldValue(_ byte: UInt8) -> Bool {
        (byte >= 0x20 && byte != 0x7f) || byte == tab
    }

    /// Whether `byte` is a visible ASCII character, without space.
    @inline(__always)
    static func isVisible(_ byte: UInt8) -> Bool {
        byte &- 0x21 < 0x7f &- 0x21
    }

    /// Whether `byte` is a space or a tab.
    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool {
        byte == space || byte == tab
    }

    /// Whether `byte` is a decimal digit.
    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10
    }

    /// The value of a hexadecimal digit of either case, or 16 for any other byte.
    @inline(__always)
    static func hexadecimal(_ byte: UInt8) -> UInt8 {
        if isDigit(byte) { return byte &- 0x30 }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : 16
    }

    @inline(__always)
    private static func contains(_ byte: UInt8, _ low: UInt64, _ high: UInt64) -> Bool {
        let word = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && (word &>> UInt64(byte & 0x3f)) & 1 != 0
    }
}
