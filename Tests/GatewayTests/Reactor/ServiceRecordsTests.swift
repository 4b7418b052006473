// DNS messages with service records: read as they are meant, and whatever else they say, read to an end.

import Admission
import Testing

@testable import Reactor

@Suite struct ServiceRecordsTests {
    /// Asks for `_h._t.m`, and answers with two records whose second target is compressed, and one of another type.
    private static var message: [UInt8] {
        let question: [UInt8] = [2, 0x5f, 0x68, 2, 0x5f, 0x74, 1, 0x6d, 0, 0, 33, 0, 1]
        let first: [UInt8] = [0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 30, 0, 11, 0, 10, 0, 1, 0x1f, 0x40]
        let other: [UInt8] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 0, 0, 1]
        let second: [UInt8] = [0xc0, 12, 0, 33, 0, 1, 0, 1, 0, 0, 0, 10, 0, 20, 0, 1, 0, 80]
        return [1, 2, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0] + question + first
            + [1, 0x61, 1, 0x6d, 0] + other + second + [1, 0x62, 0xc0, 18]
    }

    @Test func recordsAreRead() {
        #expect(
            ServiceRecords.read(Self.message) == [
                ServiceRecord(priority: 10, port: 8000, target: "a.m", seconds: 30),
                ServiceRecord(priority: 20, port: 80, target: "b.m", seconds: 65_536),
            ])
        let empty: [UInt8] = [1, 2, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0]
        #expect(ServiceRecords.read(empty) == [])
    }

    @Test func whatIsCutShortIsNone() {
        for length in 0..<Self.message.count {
            #expect(ServiceRecords.read(Array(Self.message.prefix(length))) == nil, "\(length)")
        }
    }

    /// A name that points at itself, forward, or into what points back at it.
    @Test func namesComeToAnEnd() {
        let head: [UInt8] = [1, 2, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]
        for name: [UInt8] in [
            [0xc0, 12], [0xc0, 14, 0], [1, 0x61, 0xc0, 12], [0x80, 0], [0x40],
        ] {
            #expect(ServiceRecords.read(head + name + [0, 33, 0, 1, 0]) == nil, "\(name)")
        }
    }

    /// Any bytes are read to an end.
    @Test(arguments: 1...50) func anyBytes(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        for _ in 0..<200 {
            var bytes = Self.message
            for _ in 0..<Int(1 + random.next() % 6) {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(
                    truncatingIfNeeded: random.next())
            }
            let records = ServiceRecords.read(bytes) ?? []
            #expect(records.count <= bytes.count / 12, "seed \(seed)")
            #expect(records.allSatisfy { $0.target.utf8.count <= 1_024 }, "seed \(seed)")
        }
    }
}
