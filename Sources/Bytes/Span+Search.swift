// Looking for a few bytes among many, eight bytes in a word and eight words in a vector.
//
// A word is made of eight reads behind one check of the range, which the optimizer turns into a
// single move. A byte of the word is 0 after the exclusive or with what is looked for; subtracting
// 1 then borrows into its highest bit, and subtracting more finds all that is less. A borrow can also mark a byte above a
// real one, never the lowest one, so the first mark is exact.

extension Span<UInt8> {
    /// The first index from `start` on of a byte that ends or interrupts a JSON string: a quotation
    /// mark, a backslash or a control character; `count` when there is none.
    @inlinable @inline(__always)
    package func endOfPlainText(from start: Int) -> Int {
        var index = start
        // Keys and names are short, and the start of a vector is dear.
        let short = Swift.min(start &+ 16, count &- 8)
        while index <= short {
            let marks = plainTextMarks(at: index)
            if marks != 0 { return index &+ WordMask.firstIndex(marks) }
            index &+= 8
        }
        while index <= count &- 64 {
            if Marks.any(Marks.ofPlainText(vector(at: index))) { break }
            index &+= 64
        }
        while index <= count &- 8 {
            let marks = plainTextMarks(at: index)
            if marks != 0 { return index &+ WordMask.firstIndex(marks) }
            index &+= 8
        }
        while index < count {
            let byte = self[index]
            if byte == 0x22 || byte == 0x5c || byte < 0x20 { return index }
            index &+= 1
        }
        return count
    }

    /// Not 0 if one of the eight bytes from `index` on ends or interrupts a JSON string.
    @inlinable @inline(__always)
    func plainTextMarks(at index: Int) -> UInt64 {
        WordMask.firstOfPlainTextEnd(word(at: index))
    }

    /// The first index from `start` on of a carriage return or a line feed; `count` when there is
    /// none.
    @inlinable @inline(__always)
    package func endOfLine(from start: Int) -> Int {
        var index = start
        while index <= count &- 8 {
            let word = word(at: index)
            let marks = WordMask.firstEqual(word, 0x0d) | WordMask.firstEqual(word, 0x0a)
            if marks != 0 { return index &+ WordMask.firstIndex(marks) }
            index &+= 8
        }
        while index < count, self[index] != 0x0d, self[index] != 0x0a { index &+= 1 }
        return index
    }

    /// The 64 bytes from `index` on.
    @inlinable @inline(__always)
    func vector(at index: Int) -> SIMD8<UInt64> {
        let part = extracting(index..<(index &+ 64))
        // It is; the optimizer then asks no more.
        precondition(part.count == 64, "another range than asked for")
        return SIMD8(
            part.inner(at: 0), part.inner(at: 8), part.inner(at: 16), part.inner(at: 24),
            part.inner(at: 32), part.inner(at: 40), part.inner(at: 48), part.inner(at: 56))
    }

    /// `word(at:)` for a place of which the optimizer knows that it is within: a part of a part would be a pointer that
    /// is looked at once more.
    @inlinable @inline(__always)
    func inner(at index: Int) -> UInt64 {
        let low =
            UInt64(self[index]) | UInt64(self[index &+ 1]) << 8 | UInt64(self[index &+ 2]) << 16
            | UInt64(self[index &+ 3]) << 24
        let high =
            UInt64(self[index &+ 4]) | UInt64(self[index &+ 5]) << 8
            | UInt64(self[index &+ 6]) << 16 | UInt64(self[index &+ 7]) << 24
        return low | high << 32
    }
}

/// The tests of `WordMask` for eight words at once.
@usableFromInline
enum Marks {
    /// Sets highest bits as `WordMask.firstOfPlainTextEnd` does, and others that mean nothing.
    @inlinable @inline(__always)
    static func ofPlainText(_ words: SIMD8<UInt64>) -> SIMD8<UInt64> {
        (((words ^ repeated(0x02)) &- repeated(0x21)) | ((words ^ repeated(0x5c)) &- repeated(1)))
            & ~words
    }

    /// Words in which every byte is `byte`.
    @inlinable @inline(__always)
    static func repeated(_ byte: UInt64) -> SIMD8<UInt64> {
        SIMD8(repeating: WordMask.ones &* byte)
    }

    /// Whether a highest bit is set.
    @inlinable @inline(__always)
    static func any(_ marks: SIMD8<UInt64>) -> Bool {
        let half = marks.lowHalf | marks.highHalf
        let quarter = half.lowHalf | half.highHalf
        return (quarter[0] | quarter[1]) & WordMask.high != 0
    }
}
