// Tests of eight bytes in a word at once.

/// Tests of eight bytes at once.
///
/// Each result has bit 7 set in every byte that the test holds for; the
/// sums never carry from one byte into the next.
@usableFromInline package enum WordMask {
    /// A word whose bytes are all 1.
    ///
    /// No stored constant: those of another module are asked for with a call.
    @inlinable @inline(__always)
    package static var ones: UInt64 { 0x0101_0101_0101_0101 }
    /// A word whose bytes are all 0x7f.
    @inlinable @inline(__always)
    package static var low: UInt64 { ones &* 0x7f }
    /// A word whose bytes are all 0x80.
    @inlinable @inline(__always)
    package static var high: UInt64 { ones &* 0x80 }

    /// Sets the bit in which upper and lower case letters differ, in every byte.
    @inlinable @inline(__always)
    package static func folded(_ word: UInt64) -> UInt64 {
        word | (ones &* 0x20)
    }

    /// Clears the bit in which upper and lower case letters differ, in every byte.
    @inlinable @inline(__always)
    package static func caseless(_ word: UInt64) -> UInt64 {
        word & ~(ones &* 0x20)
    }

    /// The bytes that are below 0x20 or 0x7f: all that a field value cannot have, and tab.
    @inlinable @inline(__always)
    package static func controls(_ word: UInt64) -> UInt64 {
        let atLeastSpace = ((word & low) &+ ones &* 0x60) | word
        return ~(atLeastSpace & differs(word, from: 0x7f)) & high
    }

    /// Not 0 if there is a byte that is below 0x20 or 0x7f.
    ///
    /// The lowest bit is then in the first one, or before that in a 0x7e behind a 0xff; what is set
    /// above it means nothing. That is what makes it cheaper than `controls`.
    @inlinable @inline(__always)
    package static func firstControl(_ word: UInt64) -> UInt64 {
        ((word &- ones &* 0x20) | (word &+ ones)) & ~word & high
    }

    /// Not 0 if there is a quotation mark, a backslash or a byte below 0x20: what ends or interrupts a string of JSON.
    ///
    /// The lowest bit is then in the first one; what is set above it means nothing. With its second bit changed a quotation
    /// mark is 0x20, a space is 0x22, and bytes below 0x20 stay there: one comparison with 0x21 finds both.
    @inlinable @inline(__always)
    package static func firstOfPlainTextEnd(_ word: UInt64) -> UInt64 {
        let quotes = (word ^ (ones &* 0x02)) &- ones &* 0x21
        let backslashes = (word ^ (ones &* 0x5c)) &- ones
        return (quotes | backslashes) & ~word & high
    }

    /// Not 0 if there is such a byte.
    ///
    /// The lowest bit is then in the first one; what is set above it means nothing.
    @inlinable @inline(__always)
    package static func firstEqual(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return (difference &- ones) & ~difference & high
    }

    /// A word of these eight ASCII characters, the first in the lowest bits: a constant.
    @inlinable @inline(__always)
    package static func of(
        _ one: Unicode.Scalar, _ two: Unicode.Scalar, _ three: Unicode.Scalar,
        _ four: Unicode.Scalar, _ five: Unicode.Scalar, _ six: Unicode.Scalar,
        _ seven: Unicode.Scalar, _ eight: Unicode.Scalar
    ) -> UInt64 {
        let low =
            UInt64(UInt8(ascii: one)) | UInt64(UInt8(ascii: two)) << 8
            | UInt64(UInt8(ascii: three)) << 16 | UInt64(UInt8(ascii: four)) << 24
        let high =
            UInt64(UInt8(ascii: five)) | UInt64(UInt8(ascii: six)) << 8
            | UInt64(UInt8(ascii: seven)) << 16 | UInt64(UInt8(ascii: eight)) << 24
        return low | high << 32
    }

    /// The number that the last `digits` bytes of `word` stand for, 1 to 8 decimal digits, the first
    /// in the lower bits; nothing if one of them is none.
    ///
    /// Pairs, fours and eights are added up at once.
    @inlinable @inline(__always)
    package static func number(_ word: UInt64, _ digits: Int) -> Int? {
        let zeros = ones &* 0x30
        let empty = UInt64(truncatingIfNeeded: 64 &- 8 &* digits)
        // Zeros in front of the first digit; what stands there is not looked at.
        let values = ((word &>> empty) &<< empty) ^ ((zeros &>> empty) &<< empty)
        guard (values | (values &+ ones &* 0x76)) & high == 0 else { return nil }
        let pairs = (values &* 10) &+ (values &>> 8)
        let mask: UInt64 = 0x0000_00ff_0000_00ff
        let first = (pairs & mask) &* 0x000f_4240_0000_0064
        let second = ((pairs &>> 16) & mask) &* 0x0000_2710_0000_0001
        return Int(truncatingIfNeeded: (first &+ second) &>> 32)
    }

    /// All bits of the first `count` bytes; of all eight where there are more, of none where there are fewer than one.
    @inlinable @inline(__always)
    package static func present(_ count: Int) -> UInt64 {
        if count >= 8 { return ~0 }
        return count <= 0 ? 0 : (1 &<< UInt64(truncatingIfNeeded: 8 &* count)) &- 1
    }

    /// How many bytes stand before the first for which `mask` is set; `mask` is not 0.
    @inlinable @inline(__always)
    package static func firstIndex(_ mask: UInt64) -> Int {
        mask.trailingZeroBitCount &>> 3
    }

    /// Bit 7 of every byte that is not `byte`; the other bits mean nothing.
    @inlinable @inline(__always)
    package static func differs(_ word: UInt64, from byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return ((difference & low) &+ low) | difference
    }
}
