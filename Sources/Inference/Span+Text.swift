// Comparing bytes with words that the program knows.

extension Span<UInt8> {
    /// Whether these are exactly the bytes of `word`.
    func equals(_ word: String) -> Bool {
        guard count == word.utf8.count else { return false }
        let other = word.utf8.span
        for index in 0..<count where self[index] != other[index] { return false }
        return true
    }

    /// Whether these are the bytes of `word`, which is in lower case, in any mixture of cases.
    func equals(lowercase word: String) -> Bool {
        count == word.utf8.count && hasPrefix(lowercase: word)
    }

    /// Whether these begin with the bytes of `word`.
    func hasPrefix(_ word: String) -> Bool {
        let other = word.utf8.span
        guard count >= other.count else { return false }
        for index in 0..<other.count where self[index] != other[index] { return false }
        return true
    }

    /// Whether these end with the bytes of `word`.
    func hasSuffix(_ word: String) -> Bool {
        let length = word.utf8.count
        return count >= length && extracting((count - length)..<count).equals(word)
    }

    /// Whether these begin with the bytes of `word`, which is in lower case, in any mixture of
    /// cases.
    func hasPrefix(lowercase word: String) -> Bool {
        let other = word.utf8.span
        guard count >= other.count else { return false }
        for index in 0..<other.count {
            let byte = self[index]
            let folded = byte &- 0x41 < 26 ? byte | 0x20 : byte
            if folded != other[index] { return false }
        }
        return true
    }
}

extension [UInt8] {
    /// Whether these are exactly the bytes of `word`.
    func equals(_ word: String) -> Bool { span.equals(word) }
}
