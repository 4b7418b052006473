// An input of the fuzzer as a tape: decisions are read off its front, the rest is the message.

/// Bytes that decide what happens.
package struct FuzzInput {
    /// What is left.
    package private(set) var rest: ArraySlice<UInt8>

    /// Reads from the beginning of `bytes`.
    package init(_ bytes: [UInt8]) { rest = bytes[...] }

    /// Whether every byte was used.
    package var isEmpty: Bool { rest.isEmpty }

    /// The next byte; 0 once there are none.
    package mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    /// The next bytes, as many as are left, at most `count`.
    package mutating func bytes(_ count: Int) -> [UInt8] {
        let taken = Array(rest.prefix(count))
        rest = rest.dropFirst(count)
        return taken
    }
}

/// Piece sizes for one message, from one byte: all at once, one by one, or in between.
package struct Pieces {
    private var state: UInt64

    /// The sizes that `seed` stands for.
    package init(seed: UInt8) { state = UInt64(seed) &+ 1 }

    /// The next piece's size, 1 to 64.
    package mutating func next() -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let bits = Int(truncatingIfNeeded: state >> 58)
        return state & (1 << 40) == 0 ? 1 : 1 + bits
    }
}
