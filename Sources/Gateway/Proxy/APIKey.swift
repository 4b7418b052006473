// Where a request has its API key, and the digest of the last key of a connection: clients send the
// same key with every request, and hashing it again would only cost time.

internal import Bytes
internal import HTTP1

/// Finds API keys in requests.
enum APIKey {
    /// A place of a request that has a key.
    struct Place {
        /// Which of the places it is, from 0.
        let rank: Int
        /// The key, in the head's bytes.
        let range: Range<Int>
    }

    /// The first place where the head has a key, from that of rank `first` on; nil for none.
    ///
    /// They are `Authorization: Bearer`, `x-api-key`, `api-key` and, where a WebSocket is asked for, the
    /// subprotocol that browsers put it into because they can set no other field. What is empty counts
    /// as missing.
    static func place(in head: borrowing RequestHead, from first: Int = 0) -> Place? {
        var best: Place?
        for field in head.fields where !field.value.isEmpty {
            guard let rank = rank(of: field, in: head), rank >= first,
                rank < best?.rank ?? .max
            else { continue }
            let start = field.value.lowerBound + (rank == 0 ? bearer.count : 0)
            let range = skippingSpaces(start..<field.value.upperBound, in: head)
            if !range.isEmpty { best = Place(rank: rank, range: range) }
        }
        if best == nil, first <= subprotocolRank, head.asksForWebSocket,
            let range = subprotocolRange(in: head)
        {
            return Place(rank: subprotocolRank, range: range)
        }
        return best
    }

    private static let subprotocolRank = 3

    /// Whether a field is a place for API keys.
    static func isKey(_ field: Field, in head: borrowing RequestHead) -> Bool {
        rank(of: field, in: head) != nil
    }

    private static func rank(of field: Field, in head: borrowing RequestHead) -> Int? {
        switch field.known {
        case .authorization: isBearer(head.value(of: field)) ? 0 : nil
        case .xAPIKey: 1
        case .apiKey: 2
        default: nil
        }
    }

    /// Where a subprotocol is a key, in the head's bytes.
    private static func subprotocolRange(in head: borrowing RequestHead) -> Range<Int>? {
        for field in head.fields where isSubprotocols(field, in: head) {
            let value = head.value(of: field)
            var index = 0
            while let item = Subprotocols.next(in: value, &index) {
                guard let key = keyRange(of: item, in: value) else { continue }
                let start = field.value.lowerBound
                return (start + key.lowerBound)..<(start + key.upperBound)
            }
        }
        return nil
    }

    /// The key that a subprotocol is, as a range of the field's value; nil for one that is none.
    static func keyRange(of item: Range<Int>, in value: Span<UInt8>) -> Range<Int>? {
        guard item.count > subprotocol.count, value.extracting(item).hasPrefix(subprotocol.span)
        else { return nil }
        return (item.lowerBound + subprotocol.count)..<item.upperBound
    }

    /// Whether a field lists the subprotocols of a WebSocket.
    static func isSubprotocols(_ field: Field, in head: borrowing RequestHead) -> Bool {
        field.known == .other
            && head.name(of: field).equals(lowercase: "sec-websocket-protocol")
    }

    /// What stands before the key in OpenAI's realtime API.
    private static let subprotocol = Array("openai-insecure-api-key.".utf8)

    private static let bearer = Array("bearer ".utf8)

    /// RFC 6750 section 2.1; schemes are compared without case (RFC 9110 section 11.1).
    private static func isBearer(_ value: Span<UInt8>) -> Bool {
        value.count > bearer.count && value.hasPrefix(lowercase: bearer.span)
    }

    private static func skippingSpaces(
        _ range: Range<Int>, in head: borrowing RequestHead
    ) -> Range<Int> {
        var start = range.lowerBound
        while start < range.upperBound && head.bytes[start] == 0x20 { start += 1 }
        return start..<range.upperBound
    }
}

/// The last API key of a connection with its digest.
struct LastKey {
    private var key: [UInt8] = []
    private var digest: KeyDigest?

    /// Longer keys are hashed each time.
    private static let longest = 256

    /// The digest of `key`; nil when there is no memory to compute it with.
    mutating func digest(of key: Span<UInt8>) -> KeyDigest? {
        if let digest, isLast(key) { return digest }
        let made = KeyDigest(of: key)
        guard key.count <= LastKey.longest else { return made }
        digest = made
        self.key.removeAll(keepingCapacity: true)
        for index in key.indices { self.key.append(key[index]) }
        return made
    }

    /// Compared in the same time wherever they differ: behind a proxy a connection carries the keys
    /// of many clients.
    private func isLast(_ other: Span<UInt8>) -> Bool {
        guard other.count == key.count else { return false }
        var difference: UInt8 = 0
        for index in key.indices { difference |= key[index] ^ other[index] }
        return difference == 0
    }
}
