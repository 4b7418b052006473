// What heads are scanned for, eight bytes at a time: names, hosts, targets and controls.

internal import Bytes

extension Span<UInt8> {
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
    /// This span is the end of `whole`. The response may be too early by the one exception of
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

extension WordMask {
    /// The bytes that are neither letters nor hyphens.
    @inline(__always)
    static func notInPlainName(_ word: UInt64) -> UInt64 {
        let lower = folded(word) & low
        let letters = (lower &+ ones &* 0x1f) & ~(lower &+ ones &* 0x05) & ~word
        return ~letters & differs(word, from: UInt8(ascii: "-")) & high
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
}
