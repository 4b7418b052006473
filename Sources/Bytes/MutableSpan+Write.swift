// Writing bytes, words and numbers, eight bytes at a time where that is possible; the optimizer turns
// the checked writes behind one check of the range into single moves.

extension MutableSpan<UInt8> {
    /// Writes the eight bytes of `word` from `index` on, the lowest bits first.
    @inlinable @inline(__always)
    @_lifetime(self: copy self)
    package mutating func write(_ word: UInt64, at index: Int) {
        // Bytes that were read one by one would be written one by one.
        var bytes = MutableRawSpan(_elements: &self)
        bytes.storeBytes(of: word.littleEndian, toByteOffset: index, as: UInt64.self)
    }

    /// Writes the four bytes of `half` from `index` on, the lowest bits first.
    @inlinable @inline(__always)
    @_lifetime(self: copy self)
    package mutating func write(_ half: UInt32, at index: Int) {
        var bytes = MutableRawSpan(_elements: &self)
        bytes.storeBytes(of: half.littleEndian, toByteOffset: index, as: UInt32.self)
    }

    /// Writes the bytes of `source` from `base` on.
    @inlinable @inline(__always)
    @_lifetime(self: copy self)
    package mutating func write(_ source: Span<UInt8>, at base: Int) {
        let size = source.count
        var target = _mutatingExtracting(base..<(base &+ size))
        // It is; the optimizer then asks no more.
        precondition(target.count == size, "another range than asked for")
        if size < 8 {
            if size >= 4 {
                target.write(source.half(at: 0), at: 0)
                target.write(source.half(at: size &- 4), at: size &- 4)
            } else {
                for index in 0..<size { target[index] = source[index] }
            }
            return
        }
        if size > 32 {
            // One check of the range; the loop has none left and is turned into moves of sixteen
            // bytes and more. It goes by whole pieces, so that no slow end is left.
            let whole = size & ~31
            for index in 0..<whole { target[index] = source[index] }
            if whole == size { return }
        }
        // Words that overlap those before them: no bytes are left for a slow end.
        if size > 16 {
            if size < 32 {
                target.write(source.word(at: 0), at: 0)
                target.write(source.word(at: 8), at: 8)
            } else {
                target.write(source.word(at: size &- 32), at: size &- 32)
                target.write(source.word(at: size &- 24), at: size &- 24)
            }
            target.write(source.word(at: size &- 16), at: size &- 16)
        } else {
            target.write(source.word(at: 0), at: 0)
        }
        target.write(source.word(at: size &- 8), at: size &- 8)
    }
}

extension MutableSpan<UInt8> {
    /// Writes the 32 bytes and more of `source`, a multiple of 32, from `offset` on, which moves on
    /// by `count`: what is written behind that is scratch.
    @inlinable @inline(__always)
    @_lifetime(self: copy self)
    package mutating func write(padded source: Span<UInt8>, count: Int, before offset: inout Int) {
        let whole = source.count & ~31
        var target = _mutatingExtracting(offset..<(offset &+ whole))
        precondition(target.count == whole, "another range than asked for")
        for index in 0..<whole { target[index] = source[index] }
        offset &+= count
    }

    /// Writes the bytes of `source` from `offset` on, which moves behind them.
    @inlinable @inline(__always)
    @_lifetime(self: copy self)
    package mutating func write(_ source: Span<UInt8>, before offset: inout Int) {
        write(source, at: offset)
        offset &+= source.count
    }

    /// Writes `value`, 0 or more, in decimal digits from `offset` on, which moves behind them.
    @inlinable @inline(__always)
    @_lifetime(self: copy self)
    package mutating func write(decimal value: Int, before offset: inout Int) {
        if value >= 0 && value < 10 {
            self[offset] = 0x30 &+ UInt8(truncatingIfNeeded: value)
            offset &+= 1
        } else {
            offset &+= writeDigits(of: value, at: offset)
        }
    }

    /// Writes `value`, 0 or more, in lower-case hexadecimal digits from `offset` on, which moves
    /// behind them.
    @inlinable @inline(__always)
    @_lifetime(self: copy self)
    package mutating func write(hexadecimal value: Int, before offset: inout Int) {
        precondition(value >= 0, "a negative length")
        let significant = Int.bitWidth &- value.leadingZeroBitCount
        let digits = max(1, (significant &+ 3) &>> 2)
        var target = _mutatingExtracting(offset..<(offset &+ digits))
        var rest = value
        var index = digits
        while index > 0 {
            index &-= 1
            let digit = UInt8(truncatingIfNeeded: rest & 0xf)
            target[index] = digit < 10 ? 0x30 &+ digit : 0x57 &+ digit
            rest &>>= 4
        }
        offset &+= digits
    }

    /// Writes a line end at `offset`, which moves behind it.
    @inlinable @inline(__always)
    @_lifetime(self: copy self)
    package mutating func writeLineEnd(before offset: inout Int) {
        var bytes = MutableRawSpan(_elements: &self)
        bytes.storeBytes(of: UInt16(0x0a0d).littleEndian, toByteOffset: offset, as: UInt16.self)
        offset &+= 2
    }

    /// Writes a number of more than one digit, and returns how many it has.
    @inline(never)
    @_lifetime(self: copy self)
    @usableFromInline
    mutating func writeDigits(of value: Int, at offset: Int) -> Int {
        precondition(value >= 0, "a negative length")
        var rest = UInt(bitPattern: value)
        var digits = 1
        var bound: UInt = 10
        while digits < 19 && rest >= bound {
            digits &+= 1
            bound &*= 10
        }
        var target = _mutatingExtracting(offset..<(offset &+ digits))
        var index = digits
        while index > 0 {
            index &-= 1
            let next = rest / 10
            target[index] = UInt8(truncatingIfNeeded: 0x30 &+ rest &- next &* 10)
            rest = next
        }
        return digits
    }
}
