// The key or short text that a scanner has in hand: storage that is made once, and how much of it is in use. An array that
// is emptied and filled again for each key costs several times what the key's bytes do.

internal import Bytes

/// The first bytes of a text, up to a bound.
package struct ShortText {
    /// As many bytes as are kept.
    package static let mostBytes = 256

    private var storage: [UInt8] = []
    /// Bytes that are kept.
    package private(set) var count = 0

    /// Nothing, without storage.
    init() {}

    /// Whether nothing is kept.
    package var isEmpty: Bool { count == 0 }

    /// What is kept.
    package var span: Span<UInt8> {
        @_lifetime(borrow self)
        get { storage.span.extracting(0..<count) }
    }

    /// Its first eight bytes, the first in the lowest bits, and zeros where it has fewer.
    @inline(__always) var firstWord: UInt64 {
        // There is storage for more than a word, once there is any.
        guard count > 0 else { return 0 }
        return storage.span.word(at: 0) & WordMask.present(count)
    }

    /// Whether all of it is ASCII, as far as it has at most 24 bytes.
    @inline(__always) var isASCII: Bool {
        guard count > 0 else { return true }
        let bytes = storage.span
        let others =
            bytes.word(at: 0) & WordMask.present(count)
            | bytes.word(at: 8) & WordMask.present(count &- 8)
            | bytes.word(at: 16) & WordMask.present(count &- 16)
        return others & WordMask.high == 0
    }

    /// Its last eight bytes, the last in the highest bits; 0 where it has fewer.
    @inline(__always) var lastWord: UInt64 {
        count < 8 ? 0 : storage.span.word(at: count &- 8)
    }

    /// Whether these are its bytes, whose number is compared already: eight at its beginning, or fewer and zeros behind
    /// them, and where it has more than eight its last eight.
    ///
    /// That is all of it where it has at most sixteen.
    @inline(__always) func equals(_ first: UInt64, _ last: UInt64 = 0) -> Bool {
        firstWord == first && (count <= 8 || lastWord == last)
    }

    /// A copy of what is kept.
    package var bytes: [UInt8] { Array(storage[..<count]) }

    /// Appends what is kept to `bytes`.
    func append(to bytes: inout [UInt8]) {
        let kept = span
        bytes.append(addingCapacity: count) { output in
            for index in kept.indices { output.append(kept[index]) }
        }
    }

    /// Whether a control character is among it.
    package var hasControls: Bool {
        let bytes = span
        for index in bytes.indices where bytes[index] < 0x20 || bytes[index] == 0x7f { return true }
        return false
    }

    /// Forgets the text, and keeps the storage.
    @inline(__always) mutating func clear() { count = 0 }

    /// Keeps one byte more; false where there is no room.
    mutating func append(_ byte: UInt8) -> Bool {
        guard count < ShortText.mostBytes else { return false }
        makeStorage()
        storage[count] = byte
        count &+= 1
        return true
    }

    /// Keeps as many more bytes of `range` of `bytes` as there is room for; false where those are not all.
    @inline(__always) mutating func append(_ range: Range<Int>, of bytes: Span<UInt8>) -> Bool {
        let size = range.upperBound &- range.lowerBound
        // Keys are short, and as a rule the whole text: 32 bytes go at once, whatever follows it.
        guard count == 0, size <= 32, bytes.count &- range.lowerBound >= 32, !storage.isEmpty
        else { return append(bytes.extracting(range)) }
        var target = storage.mutableSpan
        var end = 0
        target.write(
            padded: bytes.extracting(range.lowerBound..<(range.lowerBound &+ 32)), count: size,
            before: &end)
        count = end
        return true
    }

    /// Keeps as many more as there is room for; false where those are not all.
    @inline(never) private mutating func append(_ bytes: Span<UInt8>) -> Bool {
        makeStorage()
        let kept = min(ShortText.mostBytes &- count, bytes.count)
        let base = count
        var target = storage.mutableSpan
        target.write(bytes.extracting(0..<kept), at: base)
        count = base &+ kept
        return kept == bytes.count
    }

    @inline(__always) private mutating func makeStorage() {
        if storage.isEmpty { storage = [UInt8](repeating: 0, count: ShortText.mostBytes) }
    }
}
