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

    /// Keeps as many more as there is room for; false where those are not all.
    mutating func append(_ bytes: Span<UInt8>) -> Bool {
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
