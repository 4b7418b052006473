// Comparing bytes with words that the program knows, and with one another: one family for all modules.
// `lowercase` words are compared with any mixture of cases, of ASCII letters only.

extension Span<UInt8> {
    /// Whether these are exactly the bytes of `word`.
    package func equals(_ word: String) -> Bool {
        // Its length is a part of it, and its bytes are asked for by a call.
        count == word.utf8.count && equals(word.utf8.span)
    }

    /// Whether these are exactly the bytes of `other`.
    @inlinable package func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        if count >= 8 {
            // By words, the last of which overlaps the one before.
            let last = count &- 8
            var index = 0
            while index < last {
                if word(at: index) != other.word(at: index) { return false }
                index &+= 8
            }
            return word(at: last) == other.word(at: last)
        }
        for index in 0..<count where self[index] != other[index] { return false }
        return true
    }

    /// Whether these are exactly the bytes of `other`.
    @inlinable package func equals(_ other: [UInt8]) -> Bool { equals(other.span) }

    /// Whether these are the bytes of `other`, which are in lower case, in any mixture of cases.
    @inlinable package func equals(lowercase other: [UInt8]) -> Bool {
        equals(lowercase: other.span)
    }

    /// Whether these are the bytes of `word`, which is in lower case, in any mixture of cases.
    package func equals(lowercase word: String) -> Bool { equals(lowercase: word.utf8.span) }

    /// Whether these are the bytes of `other`, which are in lower case, in any mixture of cases.
    @inlinable package func equals(lowercase other: Span<UInt8>) -> Bool {
        count == other.count && hasPrefix(lowercase: other)
    }

    /// Whether these are the bytes of `other` but for the case of letters.
    package func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count where self[index].lowered != other[index].lowered { return false }
        return true
    }

    /// Whether these are the bytes of `other`, which are small letters and underscores of ASCII, to one who
    /// compares text in UTF-8 without regard to case.
    ///
    /// The Kelvin sign folds to k, and the long s to s (Unicode, CaseFolding.txt).
    package func folds(to other: Span<UInt8>) -> Bool {
        var index = 0
        for expected in other.indices {
            guard index < count else { return false }
            if self[index].lowered == other[expected] {
                index += 1
            } else if other[expected] == 0x73, hasBytes([0xc5, 0xbf], at: index) {
                index += 2
            } else if other[expected] == 0x6b, hasBytes([0xe2, 0x84, 0xaa], at: index) {
                index += 3
            } else {
                return false
            }
        }
        return index == count
    }

    private func hasBytes(_ bytes: [UInt8], at index: Int) -> Bool {
        count - index >= bytes.count && extracting(index..<index + bytes.count).equals(bytes)
    }

    /// Whether these begin with the bytes of `word`.
    package func hasPrefix(_ word: String) -> Bool { hasPrefix(word.utf8.span) }

    /// Whether these begin with the bytes of `other`.
    @inlinable package func hasPrefix(_ other: Span<UInt8>) -> Bool {
        count >= other.count && extracting(0..<other.count).equals(other)
    }

    /// Whether these end with the bytes of `word`.
    package func hasSuffix(_ word: String) -> Bool {
        let length = word.utf8.count
        return count >= length && extracting((count - length)..<count).equals(word)
    }

    /// Whether these begin with the bytes of `word`, which is in lower case, in any mixture of
    /// cases.
    package func hasPrefix(lowercase word: String) -> Bool { hasPrefix(lowercase: word.utf8.span) }

    /// Whether these begin with the bytes of `other`, which are in lower case, in any mixture of
    /// cases.
    @inlinable package func hasPrefix(lowercase other: Span<UInt8>) -> Bool {
        guard count >= other.count else { return false }
        // As a rule they are in lower case too, and words are compared at once.
        if extracting(0..<other.count).equals(other) { return true }
        for index in 0..<other.count where self[index].lowered != other[index] { return false }
        return true
    }
}

extension [UInt8] {
    /// Whether these are exactly the bytes of `word`.
    package func equals(_ word: String) -> Bool { span.equals(word) }
}

extension UInt8 {
    /// The letter in lower case, if it is one of ASCII; else itself.
    @inlinable @inline(__always)
    package var lowered: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}
