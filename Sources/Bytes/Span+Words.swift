// Eight bytes at a time. The optimizer turns the eight checked reads, or writes, behind one check
// of the range into a single move; that is what makes scanning and copying short runs cheap without
// leaving checked memory access.

extension Span<UInt8> {
    /// The first eight bytes, the first in the lowest bits.
    ///
    /// Behind a look at `count` this is a single move, also in a loop; with an index from outside it
    /// would often not be.
    @inlinable @inline(__always)
    package var firstWord: UInt64 {
        let low =
            UInt64(self[0]) | UInt64(self[1]) << 8 | UInt64(self[2]) << 16 | UInt64(self[3]) << 24
        let high =
            UInt64(self[4]) | UInt64(self[5]) << 8 | UInt64(self[6]) << 16 | UInt64(self[7]) << 24
        return low | high << 32
    }

    /// The eight bytes from `index` on, the first in the lowest bits.
    @inlinable @inline(__always)
    package func word(at index: Int) -> UInt64 {
        extracting(index..<(index &+ 8)).firstWord
    }

    /// The four bytes from `index` on, the first in the lowest bits.
    @inlinable @inline(__always)
    package func half(at index: Int) -> UInt32 {
        let part = extracting(index..<(index &+ 4))
        return UInt32(part[0]) | UInt32(part[1]) << 8 | UInt32(part[2]) << 16
            | UInt32(part[3]) << 24
    }

    /// The last `size` bytes, fewer than eight, and zeros behind them; only zeros if the span has
    /// fewer than eight bytes.
    @inlinable @inline(__always)
    package func lastWord(_ size: Int) -> UInt64 {
        if count < 8 { return 0 }
        return word(at: count &- 8) &>> UInt64(truncatingIfNeeded: 64 &- 8 &* size)
    }
}
