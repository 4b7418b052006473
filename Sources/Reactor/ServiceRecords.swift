// What a DNS message says of the servers of a service: SRV records (RFC 2782) with their times to live, which c-ares'
// own reader leaves out. Bytes come from the network: every length is checked, and a name that points forward, or
// round, is a fault (RFC 1035 section 4.1.4).

/// A server that a service record names.
package struct ServiceRecord: Equatable, Sendable {
    /// Those of the lowest priority come first.
    package var priority: UInt16
    /// Its port.
    package var port: UInt16
    /// Its name, without a dot at its end; empty where the service is decidedly not available.
    package var target: String
    /// How long the record holds, in seconds.
    package var seconds: UInt32
}

/// Reads service records.
package enum ServiceRecords {
    /// The records in a DNS message's answer, in its order; nil where it is none.
    package static func read(_ message: [UInt8]) -> [ServiceRecord]? {
        var reader = MessageReader(bytes: message)
        guard reader.skip(4), let questions = reader.number16(), let answers = reader.number16(),
            reader.skip(4)
        else { return nil }
        for _ in 0..<questions {
            guard reader.name() != nil, reader.skip(4) else { return nil }
        }
        var records: [ServiceRecord] = []
        for _ in 0..<answers {
            guard reader.name() != nil, let type = reader.number16(), let kind = reader.number16(),
                let seconds = reader.number32(), let length = reader.number16(),
                reader.has(Int(length))
            else { return nil }
            let end = reader.place + Int(length)
            if type == serviceType, kind == internet {
                guard let priority = reader.number16(), reader.skip(2),
                    let port = reader.number16(), let target = reader.name(), reader.place == end
                else { return nil }
                records.append(
                    ServiceRecord(priority: priority, port: port, target: target, seconds: seconds))
            }
            reader.place = end
        }
        return records
    }

    private static let serviceType: UInt16 = 33
    private static let internet: UInt16 = 1
}

/// Goes through a DNS message.
private struct MessageReader {
    let bytes: [UInt8]
    var place = 0

    /// Characters of the longest name, and what a message has at most of one kind.
    private static let longestName = 255

    func has(_ count: Int) -> Bool { bytes.count - place >= count }

    mutating func skip(_ count: Int) -> Bool {
        guard has(count) else { return false }
        place += count
        return true
    }

    mutating func number16() -> UInt16? {
        guard has(2) else { return nil }
        defer { place += 2 }
        return UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1])
    }

    mutating func number32() -> UInt32? {
        guard let high = number16(), let low = number16() else { return nil }
        return UInt32(high) << 16 | UInt32(low)
    }

    /// A name, whose end may stand before it in the message; nil for none.
    mutating func name() -> String? {
        var labels: [String] = []
        var length = 0
        var at = place
        // Where the name goes on in the message, once it has pointed elsewhere.
        var end: Int?
        while at < bytes.count {
            let count = Int(bytes[at])
            if count == 0 {
                place = end ?? at + 1
                return labels.joined(separator: ".")
            }
            if count >= 0xc0 {
                guard at + 1 < bytes.count else { return nil }
                let target = (count & 0x3f) << 8 | Int(bytes[at + 1])
                if end == nil { end = at + 2 }
                // Only ever backwards, so that it comes to an end.
                guard target < at else { return nil }
                at = target
                continue
            }
            length += count + 1
            guard count < 0x40, length <= Self.longestName, at + 1 + count < bytes.count else {
                return nil
            }
            labels.append(String(decoding: bytes[at + 1..<at + 1 + count], as: UTF8.self))
            at += 1 + count
        }
        return nil
    }
}
