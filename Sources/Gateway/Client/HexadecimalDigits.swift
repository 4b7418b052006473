// Request ids are made for every request, so their digits are made eight at a time.

/// Hexadecimal digits of a number.
enum HexadecimalDigits {
    /// Writes the 16 digits of `value` from `start` on, the lowest first.
    static func write(_ value: UInt64, to bytes: inout [UInt8], at start: Int) {
        precondition(start >= 0 && start &+ 16 <= bytes.count, "digits out of bounds")
        var span = bytes.mutableSpan
        store(digits(of: UInt32(truncatingIfNeeded: value)), in: &span, at: start)
        store(digits(of: UInt32(truncatingIfNeeded: value >> 32)), in: &span, at: start &+ 8)
    }

    /// Stores a word's bytes, the lowest first.
    ///
    /// Behind one check of the range the optimizer makes a single move of the eight.
    @inline(__always)
    private static func store(_ word: UInt64, in span: inout MutableSpan<UInt8>, at start: Int) {
        var target = span._mutatingExtracting(start..<(start &+ 8))
        target[0] = UInt8(truncatingIfNeeded: word)
        target[1] = UInt8(truncatingIfNeeded: word >> 8)
        target[2] = UInt8(truncatingIfNeeded: word >> 16)
        target[3] = UInt8(truncatingIfNeeded: word >> 24)
        target[4] = UInt8(truncatingIfNeeded: word >> 32)
        target[5] = UInt8(truncatingIfNeeded: word >> 40)
        target[6] = UInt8(truncatingIfNeeded: word >> 48)
        target[7] = UInt8(truncatingIfNeeded: word >> 56)
    }

    /// The eight digits of `value` in the bytes of a word, the lowest first.
    static func digits(of value: UInt32) -> UInt64 {
        // Each nibble goes into a byte of its own.
        var spread = UInt64(value)
        spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff
        spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff
        spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f
        // Six more than nine carries into the next four bits: those are letters.
        let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }
}
