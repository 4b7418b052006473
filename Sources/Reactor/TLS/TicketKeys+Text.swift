// The keys of tickets as one process of a gateway gives them to the next.

internal import Admission

extension TicketKeys {
    /// The keys and when the newest was made; empty where there are none yet.
    package var text: String {
        let (keys, madeAt) = all
        guard !keys.isEmpty else { return "" }
        let digits = Array("0123456789abcdef")
        let texts = keys.map { key in
            String(key.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xf)]] })
        }
        return "\(madeAt.nanoseconds(since: Instant(nanoseconds: 0))) "
            + texts.joined(separator: " ")
    }

    /// Takes over the keys in a text of `text`; whether it is one.
    @discardableResult
    package func adopt(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: " ")
        guard let first = parts.first, let madeAt = Int64(first) else { return false }
        var keys: [[UInt8]] = []
        for part in parts.dropFirst() {
            guard let key = TicketKeys.bytes(part) else { return false }
            keys.append(key)
        }
        return adopt(keys, madeAt: Instant(nanoseconds: madeAt))
    }

    private static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        let digits = text.utf8.map {
            UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") ? $0 - 48 : $0 &- 87
        }
        guard digits.count.isMultiple(of: 2), digits.allSatisfy({ $0 < 16 }) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
