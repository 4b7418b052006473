// Request ids are made for every request, so their digits are made eight at a time.

/// Hexadecimal digits of a number.
@usableFromInline package enum HexadecimalDigits {
    /// Writes the 16 digits of `value` from `start` on, the lowest first.
    @inlinable @inline(__always)
    package static func write(_ value: UInt64, to span: inout MutableSpan<UInt8>, at start: Int) {
        var bytes = MutableRawSpan(_elements: &span)
        let low = digits(of: UInt32(truncatingIfNeeded: value))
        let high = digits(of: UInt32(truncatingIfNeeded: value >> 32))
        bytes.storeBytes(of: low.littleEndian, toByteOffset: start, as: UInt64.self)
        bytes.storeBytes(of: high.littleEndian, toByteOffset: start &+ 8, as: UInt64.self)
    }

    /// The eight digits of `value` in the bytes of a word, the lowest first.
    @inlinable @inline(__always)
    package static func digits(of value: UInt32) -> UInt64 {
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
