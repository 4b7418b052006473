// Base64 (RFC 4648 section 4), with padding or without, as gRPC's binary fields have it, and browsers' passwords.

/// Reads and writes base64.
package enum Base64 {
    /// The bytes that `text` stands for; nil where it is no base64.
    package static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        var count = text.count
        while count > 0, text.count - count < 2, text[count - 1] == 0x3d { count -= 1 }
        // Padding fills up to four; one letter alone is no byte.
        guard count == text.count || text.count % 4 == 0, count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count / 4 * 3 + 2)
        var bits: UInt32 = 0
        var bitCount = 0
        for index in 0..<count {
            guard let value = value(of: text[index]) else { return nil }
            bits = bits << 6 | value
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
        }
        return bytes
    }

    /// `bytes` as letters, padded with `=`.
    package static func encode(_ bytes: Span<UInt8>) -> String {
        var letters: [UInt8] = []
        letters.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            var bits: UInt32 = 0
            let count = min(3, bytes.count - start)
            for index in 0..<3 {
                bits = bits << 8 | (index < count ? UInt32(bytes[start + index]) : 0)
            }
            for index in 0..<4 {
                let value = bits >> UInt32(18 - 6 * index) & 0x3f
                letters.append(index > count ? 0x3d : letter(of: UInt8(value)))
            }
        }
        return String(decoding: letters, as: UTF8.self)
    }

    private static func letter(of value: UInt8) -> UInt8 {
        switch value {
        case 0..<26: 0x41 + value
        case 26..<52: 0x61 + value - 26
        case 52..<62: 0x30 + value - 52
        case 62: 0x2b
        default: 0x2f
        }
    }

    private static func value(of letter: UInt8) -> UInt32? {
        switch letter {
        case 0x41...0x5a: UInt32(letter) - 0x41
        case 0x61...0x7a: UInt32(letter) - 0x61 + 26
        case 0x30...0x39: UInt32(letter) - 0x30 + 52
        case 0x2b: 62
        case 0x2f: 63
        default: nil
        }
    }
}
