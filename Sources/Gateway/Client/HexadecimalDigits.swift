// Request ids are made for every request, so their digits are made eight at a time.

/// Hexadecimal digits of a number.
enum HexadecimalDigits {
    /// Appends the 16 digits of `value`, the lowest first.
    static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        bytes.append(addingCapacity: 16) { output in
            var low = digits(of: UInt32(truncatingIfNeeded: value))
            var high = digits(of: UInt32(truncatingIfNeeded: value >> 32))
            for _ in 0..<8 {
                output.append(UInt8(truncatingIfNeeded: low))
                low >>= 8
            }
            for _ in 0..<8 {
                output.append(UInt8(truncatingIfNeeded: high))
                high >>= 8
            }
        }
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
