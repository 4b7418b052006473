// Eight bytes at a time. The optimizer turns the eight checked reads, or writes, behind one check
// of the range into a single move; that is what makes scanning and copying short runs cheap without
// leaving checked memory access.

extension Span<UInt8> {
    /// The eight bytes from `index` on, the first in the lowest bits.
    @inline(__always)
    func word(at index: Int) -> UInt64 {
        let part = extracting(index..<(index &+ 8))
        let low =
            UInt64(part[0]) | UInt64(part[1]) << 8 | UInt64(part[2]) << 16 | UInt64(part[3]) << 24
        let high =
            UInt64(part[4]) | UInt64(part[5]) << 8 | UInt64(part[6]) << 16 | UInt64(part[7]) << 24
        return low | high << 32
    }
}

extension Span<UInt8> {
    /// The four bytes from `index` on, the first in the lowest bits.
    @inline(__always)
    func half(at index: Int) -> UInt32 {
        let part = extracting(index..<(index &+ 4))
        return UInt32(part[0]) | UInt32(part[1]) << 8 | UInt32(part[2]) << 16
            | UInt32(part[3]) << 24
    }

    /// The sixteen bytes from `index` on in two words.
    @inline(__always)
    func words(at index: Int) -> (UInt64, UInt64) {
        let part = extracting(index..<(index &+ 16))
        return (part.word(at: 0), part.word(at: 8))
    }
}

extension MutableSpan<UInt8> {
    /// Writes the eight bytes of `word` from `index` on, the lowest bits first.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func write(_ word: UInt64, at index: Int) {
        // Bytes that were read one by one would be written one by one.
        var bytes = MutableRawSpan(_elements: &self)
        bytes.storeBytes(of: word.littleEndian, toByteOffset: index, as: UInt64.self)
    }

    /// Writes the four bytes of `half` from `index` on, the lowest bits first.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func write(_ half: UInt32, at index: Int) {
        var bytes = MutableRawSpan(_elements: &self)
        bytes.storeBytes(of: half.littleEndian, toByteOffset: index, as: UInt32.self)
    }

    /// Writes the bytes of `source` from `base` on.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func write(_ source: Span<UInt8>, at base: Int) {
        let size = source.count
        var target = _mutatingExtracting(base..<(base &+ size))
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
    /// Writes the bytes of `source` from `place` on, which moves behind them.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func write(_ source: Span<UInt8>, before place: inout Int) {
        write(source, at: place)
        place &+= source.count
    }

    /// Writes `value`, 0 or more, in decimal digits from `place` on, which moves behind them.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func write(decimal value: Int, before place: inout Int) {
        if value >= 0 && value < 10 {
            self[place] = 0x30 &+ UInt8(truncatingIfNeeded: value)
            place &+= 1
        } else {
            place &+= writeDigits(of: value, at: place)
        }
    }

    /// Writes a number of more than one digit, and returns how many it has.
    @inline(never)
    @_lifetime(self: copy self)
    private mutating func writeDigits(of value: Int, at place: Int) -> Int {
        precondition(value >= 0, "a negative length")
        var rest = UInt(bitPattern: value)
        var digits = 1
        var bound: UInt = 10
        while digits < 19 && rest >= bound {
            digits &+= 1
            bound &*= 10
        }
        var target = _mutatingExtracting(place..<(place &+ digits))
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

extension Span<UInt8> {
    /// How many bytes are below 0x20 or 0x7f, of 255 at most; those behind the last whole 32 do not
    /// count.
    ///
    /// The optimizer looks at 32 bytes at once.
    @inline(never)
    func countOfControls() -> Int {
        let whole = count & 0xe0
        var controls: UInt8 = 0
        for index in 0..<whole {
            let byte = self[index]
            controls &+= (byte < 0x20 ? 1 : 0) | (byte == 0x7f ? 1 : 0)
        }
        return Int(controls)
    }
}

/// Tests of eight bytes at once.
///
/// Each result has bit 7 set in every byte that the test holds for; the
/// sums never carry from one byte into the next.
enum WordMask {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let low = ones &* 0x7f
    private static let high = ones &* 0x80

    /// Sets the bit in which upper and lower case letters differ, in every byte.
    @inline(__always)
    static func folded(_ word: UInt64) -> UInt64 {
        word | (ones &* 0x20)
    }

    /// The bytes that are neither letters nor hyphens.
    @inline(__always)
    static func notInPlainName(_ word: UInt64) -> UInt64 {
        let lower = folded(word) & low
        let letters = (lower &+ ones &* 0x1f) & ~(lower &+ ones &* 0x05) & ~word
        return ~letters & differs(word, from: UInt8(ascii: "-")) & high
    }

    /// The bytes that are below 0x20 or 0x7f: all that a field value cannot have, and tab.
    @inline(__always)
    static func controls(_ word: UInt64) -> UInt64 {
        let atLeastSpace = ((word & low) &+ ones &* 0x60) | word
        return ~(atLeastSpace & differs(word, from: 0x7f)) & high
    }

    /// The bytes that are not letters, digits, full stops or hyphens: what no usual host name has.
    @inline(__always)
    static func notInPlainHost(_ word: UInt64) -> UInt64 {
        let lower = folded(word) & low
        let letters = (lower &+ ones &* 0x1f) & ~(lower &+ ones &* 0x05)
        let seven = word & low
        // From the hyphen to 9, and without the slash in between.
        let others = (seven &+ ones &* 0x53) & ~(seven &+ ones &* 0x46)
        let plain = (letters | (others & differs(word, from: UInt8(ascii: "/")))) & ~word
        return ~plain & high
    }

    /// The bytes that are `?` or `%`.
    @inline(__always)
    static func endsPlainPath(_ word: UInt64) -> UInt64 {
        let isOther =
            differs(word, from: UInt8(ascii: "?")) & differs(word, from: UInt8(ascii: "%"))
        return ~isOther & high
    }

    /// The bytes that are not visible ASCII characters, and `#`.
    @inline(__always)
    static func notInTarget(_ word: UInt64) -> UInt64 {
        let aboveSpace = (word & low) &+ ones &* 0x5f
        let visible = aboveSpace & differs(word, from: 0x7f) & ~word
        return ~(visible & differs(word, from: UInt8(ascii: "#"))) & high
    }

    /// How many bytes stand before the first for which `mask` is set; `mask` is not 0.
    @inline(__always)
    static func firstIndex(_ mask: UInt64) -> Int {
        mask.trailingZeroBitCount &>> 3
    }

    /// Bit 7 of every byte that is not `byte`; the other bits mean nothing.
    @inline(__always)
    private static func differs(_ word: UInt64, from byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return ((difference & low) &+ low) | difference
    }
}
