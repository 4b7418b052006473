// The hash by which beginnings of prompts are told apart: a fold of 64-bit words by one multiplication each.
//
// It is the same in all processes, so that gateways which share their backends agree on where a prompt belongs.
// Whoever makes two prompts of one hash has one of them sent where it is not known, and gains nothing.

internal import Bytes

/// A hash of a sequence of texts and numbers.
///
/// The step is that of wyhash (Wang Yi, 2019): both halves of the product of what came before and the next word.
struct PromptHash: Equatable, Sendable {
    /// The hash of what was taken in so far.
    private(set) var value: UInt64

    /// The hash of nothing, told apart from others by `seed`.
    init(seed: UInt64 = 0) { value = seed ^ 0xa076_1d64_78bd_642f }

    /// Takes in a number.
    @inline(__always) mutating func absorb(_ word: UInt64) {
        let product = (value ^ 0xe703_7ed1_a0b4_28db).multipliedFullWidth(
            by: word ^ 0x8ebc_6af0_9c88_c6e3)
        value = product.high ^ product.low ^ word
    }

    /// Takes in the bytes from `start` to `end`, which are told apart from the same bytes cut in another way.
    mutating func absorb(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) {
        var index = start
        while index &+ 8 <= end {
            absorb(bytes.word(at: index))
            index &+= 8
        }
        endText(bytes, index, end)
    }

    /// Takes in the last bytes of a text, fewer than eight.
    mutating func endText(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) {
        var rest = (UInt64(end &- start) &+ 1) &<< 56
        for index in start..<end { rest |= UInt64(bytes[index]) &<< UInt64(8 &* (index &- start)) }
        absorb(rest)
    }
}
