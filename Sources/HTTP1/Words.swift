// Eight bytes at a time. The optimizer turns the eight checked reads, or writes, behind one check
// of the range into a single move; that is what makes scanning and copying short runs cheap without
// leaving checked memory access.

extension Span<UInt8> {
    /// The first eight bytes, the first in the lowest bits.
    ///
    /// Behind a look at `count` this is a single move, also in a loop; with an index from outside it
    /// would often not be.
    @inline(__always)
    var firstWord: UInt64 {
        let low =
            UInt64(self[0]) | UInt64(self[1]) << 8 | UInt64(self[2]) << 16 | UInt64(self[3]) << 24
        let high =
            UInt64(self[4]) | UInt64(self[5]) << 8 | UInt64(self[6]) << 16 | UInt64(self[7]) << 24
        return low | high << 32
    }

    /// The eight bytes from `index` on, the first in the lowest bits.
    @inline(__always)
    func word(at index: Int) -> UInt64 {
        extracting(index..<(index &+ 8)).firstWord
    }

    /// The four bytes from `index` on, the first in the lowest bits.
    @inline(__always)
    func half(at index: Int) -> UInt32 {
        let part = extracting(index..<(index &+ 4))
        return UInt32(part[0]) | UInt32(part[1]) << 8 | UInt32(part[2]) << 16
            | UInt32(part[3]) << 24
    }

    /// Drops the letters and hyphens at the beginning; their last eight, the last one in the highest
    /// bits, and zeros where there are fewer.
    ///
    /// Nothing if fewer than eight bytes are left before something else has come.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func skipPlainName() -> UInt64? {
        var before: UInt64 = 0
        while count >= 8 {
            let word = firstWord
            let stop = WordMask.notInPlainName(word)
            if stop != 0 {
                let index = WordMask.firstIndex(stop)
                self = extracting(droppingFirst: index)
                return WordMask.joined(before, word, index)
            }
            before = word
            self = extracting(droppingFirst: 8)
        }
        return nil
    }

    /// Drops words that have no control byte; how many bytes stand before the first one in what is
    /// left, or all that are left.
    ///
    /// This span is the end of `whole`. The answer may be too early by the one exception of
    /// `WordMask.firstControl`.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func skipPlainText(of whole: Span<UInt8>) -> Int {
        while count >= 16 {
            let stop = WordMask.firstControl(firstWord)
            if stop != 0 { return WordMask.firstIndex(stop) }
            let later = WordMask.firstControl(extracting(droppingFirst: 8).firstWord)
            if later != 0 { return 8 &+ WordMask.firstIndex(later) }
            self = extracting(droppingFirst: 16)
        }
        if count >= 8 {
            let stop = WordMask.firstControl(firstWord)
            if stop != 0 { return WordMask.firstIndex(stop) }
            self = extracting(droppingFirst: 8)
        }
        if count == 0 { return 0 }
        return WordMask.firstIndex(WordMask.firstControl(whole.lastWord(count)))
    }

    /// Drops words of a usual host name; how many bytes of what is left belong to it too.
    ///
    /// This span is the end of `whole`.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func skipPlainHost(of whole: Span<UInt8>) -> Int {
        while count >= 8 {
            let stop = WordMask.notInPlainHost(firstWord)
            if stop != 0 { return WordMask.firstIndex(stop) }
            self = extracting(droppingFirst: 8)
        }
        if count == 0 { return 0 }
        return WordMask.firstIndex(WordMask.notInPlainHost(whole.lastWord(count)))
    }

    /// The last `size` bytes, fewer than eight, and zeros behind them; only zeros if the span has
    /// fewer than eight bytes.
    @inline(__always)
    func lastWord(_ size: Int) -> UInt64 {
        if count < 8 { return 0 }
        return word(at: count &- 8) &>> UInt64(truncatingIfNeeded: 64 &- 8 &* size)
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
    /// Writes the 32 bytes and more of `source`, a multiple of 32, from `place` on, which moves on
    /// by `count`: what is written behind that is scratch.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func write(padded source: Span<UInt8>, count: Int, before place: inout Int) {
        let whole = source.count & ~31
        var target = _mutatingExtracting(place..<(place &+ whole))
        precondition(target.count == whole, "another range than asked for")
        for index in 0..<whole { target[index] = source[index] }
        place &+= count
    }

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

    /// Writes `value`, 0 or more, in lower-case hexadecimal digits from `place` on, which moves behind
    /// them.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func write(hexadecimal value: Int, before place: inout Int) {
        precondition(value >= 0, "a negative length")
        let significant = Int.bitWidth &- value.leadingZeroBitCount
        let digits = max(1, (significant &+ 3) &>> 2)
        var target = _mutatingExtracting(place..<(place &+ digits))
        var rest = value
        var index = digits
        while index > 0 {
            index &-= 1
            let digit = UInt8(truncatingIfNeeded: rest & 0xf)
            target[index] = digit < 10 ? 0x30 &+ digit : 0x57 &+ digit
            rest &>>= 4
        }
        place &+= digits
    }

    /// Writes a line end at `place`, which moves behind it.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func writeLineEnd(before place: inout Int) {
        var bytes = MutableRawSpan(_elements: &self)
        bytes.storeBytes(of: UInt16(0x0a0d).littleEndian, toByteOffset: place, as: UInt16.self)
        place &+= 2
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

    /// Clears the bit in which upper and lower case letters differ, in every byte.
    @inline(__always)
    static func caseless(_ word: UInt64) -> UInt64 {
        word & ~(ones &* 0x20)
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

    /// Not 0 if there is a byte that is below 0x20 or 0x7f.
    ///
    /// The lowest bit is then in the first one, or before that in a 0x7e behind a 0xff; what is set
    /// above it means nothing. That is what makes it cheaper than `controls`.
    @inline(__always)
    static func firstControl(_ word: UInt64) -> UInt64 {
        ((word &- ones &* 0x20) | (word &+ ones)) & ~word & high
    }

    /// The last eight bytes of what ends before byte `index` of `word` and began with `before`.
    @inline(__always)
    static func joined(_ before: UInt64, _ word: UInt64, _ index: Int) -> UInt64 {
        let bits = UInt64(truncatingIfNeeded: 8 &* index)
        return before &>> bits | (word &<< 1) &<< (63 &- bits)
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

    /// Not 0 if there is a byte that is no visible ASCII character, or `#`, `?` or `%`.
    ///
    /// The lowest bit is then in the first such byte; what is set above it means nothing.
    @inline(__always)
    static func endsPlainTarget(_ word: UInt64) -> UInt64 {
        let isOutside = (word &- ones &* 0x21) | (word &+ ones) | word
        let marks =
            firstEqual(word, UInt8(ascii: "#")) | firstEqual(word, UInt8(ascii: "?"))
            | firstEqual(word, UInt8(ascii: "%"))
        return (isOutside | marks) & high
    }

    /// Not 0 if there is such a byte.
    ///
    /// The lowest bit is then in the first one; what is set above it means nothing.
    @inline(__always)
    static func firstEqual(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return (difference &- ones) & ~difference & high
    }

    /// A word of these eight ASCII characters, the first in the lowest bits: a constant.
    @inline(__always)
    static func of(
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
    @inline(__always)
    static func number(_ word: UInt64, _ digits: Int) -> Int? {
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
