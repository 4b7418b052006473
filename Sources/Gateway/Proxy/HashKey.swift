// A hash whose results a client cannot foresee, so that nobody can aim at the queue that somebody
// else is hashed into.

/// A secret key, and SipHash-2-4 with it (Aumasson and Bernstein, "SipHash: a fast short-input
/// PRF", 2012).
package struct HashKey: Sendable {
    /// The key's bytes 0..<8 and 8..<16, little-endian.
    let low: UInt64
    let high: UInt64

    /// A key from the system's source of randomness, not from the seed that ids are made of: those
    /// are shown to clients.
    package static func random() -> HashKey {
        var system = SystemRandomNumberGenerator()
        return HashKey(low: system.next(), high: system.next())
    }

    /// The hash of `bytes`.
    func hash(_ bytes: Span<UInt8>) -> UInt64 {
        var state = State(low: low, high: high)
        let whole = bytes.count & ~7
        var index = 0
        while index < whole {
            state.absorb(HashKey.word(bytes, from: index, count: 8))
            index &+= 8
        }
        let rest = HashKey.word(bytes, from: whole, count: bytes.count &- whole)
        state.absorb(rest | UInt64(truncatingIfNeeded: bytes.count) &<< 56)
        return state.finish()
    }

    private static func word(_ bytes: Span<UInt8>, from start: Int, count: Int) -> UInt64 {
        var word: UInt64 = 0
        for offset in 0..<count {
            word |= UInt64(bytes[start &+ offset]) &<< UInt64(8 &* offset)
        }
        return word
    }

    private struct State {
        private var first: UInt64
        private var second: UInt64
        private var third: UInt64
        private var fourth: UInt64

        init(low: UInt64, high: UInt64) {
            first = low ^ 0x736f_6d65_7073_6575
            second = high ^ 0x646f_7261_6e64_6f6d
            third = low ^ 0x6c79_6765_6e65_7261
            fourth = high ^ 0x7465_6462_7974_6573
        }

        mutating func absorb(_ word: UInt64) {
            fourth ^= word
            for _ in 0..<2 { round() }
            first ^= word
        }

        mutating func finish() -> UInt64 {
            third ^= 0xff
            for _ in 0..<4 { round() }
            return first ^ second ^ third ^ fourth
        }

        private mutating func round() {
            first &+= second
            second = State.rotate(second, 13) ^ first
            first = State.rotate(first, 32)
            third &+= fourth
            fourth = State.rotate(fourth, 16) ^ third
            first &+= fourth
            fourth = State.rotate(fourth, 21) ^ first
            third &+= second
            second = State.rotate(second, 17) ^ third
            third = State.rotate(third, 32)
        }

        private static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 {
            word &<< count | word &>> (64 &- count)
        }
    }
}
