// SHA-256 of an API key: all that the gateway keeps of it beyond the request.
//
// The uses of `unsafe` here rest on libcrypto's keeping no pointer after its call, on the pointers'
// coming from `with…BufferPointer` and being used within its closure only, and on the digest's
// being 32 bytes, which is what SHA-256 writes.

import CShims

/// A SHA-256 digest.
package struct KeyDigest: Sendable {
    // The bytes as four words, big-endian, so that comparing needs no loop.
    private var first: UInt64 = 0
    private var second: UInt64 = 0
    private var third: UInt64 = 0
    private var fourth: UInt64 = 0

    /// The digest of `key`; nil when there is no memory to compute it with.
    package init?(of key: Span<UInt8>) {
        var bytes = InlineArray<32, UInt8>(repeating: 0)
        var digest = bytes.mutableSpan
        let isMade = unsafe key.withUnsafeBufferPointer { input in
            unsafe digest.withUnsafeMutableBufferPointer { output in
                unsafe penstock_sha256(input.baseAddress, input.count, output.baseAddress)
            }
        }
        guard isMade != 0 else { return nil }
        self.init(bytes.span)
    }

    /// A digest that was made elsewhere, of 32 bytes.
    init(_ bytes: Span<UInt8>) {
        precondition(bytes.count == 32, "SHA-256 has 32 bytes")
        first = KeyDigest.word(bytes, from: 0)
        second = KeyDigest.word(bytes, from: 8)
        third = KeyDigest.word(bytes, from: 16)
        fourth = KeyDigest.word(bytes, from: 24)
    }

    private static func word(_ bytes: Span<UInt8>, from start: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in start..<start + 8 { word = word << 8 | UInt64(bytes[index]) }
        return word
    }

    /// Whether both are the same, found out in the same time wherever they differ.
    func isEqual(to other: KeyDigest) -> Bool {
        (first ^ other.first) | (second ^ other.second) | (third ^ other.third)
            | (fourth ^ other.fourth) == 0
    }

    /// A number that tells most digests apart.
    var hash: Int { Int(truncatingIfNeeded: first) }

    /// The digest as 64 hexadecimal digits.
    package var hexadecimal: String {
        var text = ""
        for word in [first, second, third, fourth] {
            let digits = String(word, radix: 16)
            text += String(repeating: "0", count: 16 - digits.count) + digits
        }
        return text
    }
}
