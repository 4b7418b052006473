// Load reports as the message itself, in protobuf's encoding
// (https://protobuf.dev/programming-guides/encoding/): tags with a wire type each, of which what is not known is skipped.

internal import Bytes

extension LoadReportReader {
    /// What a message says; nil where it is none.
    static func message(_ bytes: Span<UInt8>) -> LoadReport? {
        var reader = MessageReader(end: bytes.count)
        var entries = LoadReportEntries()
        while reader.index < reader.end {
            guard let tag = reader.tag(bytes) else { return nil }
            if let map = LoadReportEntries.Map(rawValue: UInt8(clamping: tag.field)) {
                guard tag.type == .bytes, let range = reader.bytes(bytes),
                    takeEntry(of: map, range, bytes, &entries)
                else { return nil }
            } else if let name = name(ofField: tag.field) {
                guard tag.type == .fixed64, let value = reader.double(bytes),
                    entries.take(name, value)
                else { return nil }
            } else if !reader.skip(tag.type, bytes) {
                return nil
            }
        }
        return entries.report
    }

    /// An entry of a map is a message of a key, 1, and a value, 2, each left out where it is empty.
    private static func takeEntry(
        of map: LoadReportEntries.Map, _ range: Range<Int>, _ bytes: Span<UInt8>,
        _ entries: inout LoadReportEntries
    ) -> Bool {
        var reader = MessageReader(index: range.lowerBound, end: range.upperBound)
        var key: [UInt8] = []
        var value = 0.0
        while reader.index < reader.end {
            guard let tag = reader.tag(bytes) else { return false }
            switch (tag.field, tag.type) {
            case (1, .bytes):
                guard let range = reader.bytes(bytes) else { return false }
                key = array(bytes.extracting(range))
            case (2, .fixed64):
                guard let double = reader.double(bytes) else { return false }
                value = double
            default: return false
            }
        }
        return entries.take(key, of: map, value)
    }

    /// The numbers of the message that are doubles.
    private static func name(ofField number: UInt64) -> [UInt8]? {
        switch number {
        case 1: Array("cpu_utilization".utf8)
        case 2: Array("mem_utilization".utf8)
        case 6: Array("rps_fractional".utf8)
        case 7: Array("eps".utf8)
        case 9: Array("application_utilization".utf8)
        default: nil
        }
    }
}

/// Reads a message's parts, up to its end.
private struct MessageReader {
    enum WireType: UInt8 { case varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 }

    var index = 0
    let end: Int

    mutating func tag(_ bytes: Span<UInt8>) -> (field: UInt64, type: WireType)? {
        guard let tag = varint(bytes), tag >> 3 > 0,
            let type = WireType(rawValue: UInt8(tag & 7))
        else { return nil }
        return (tag >> 3, type)
    }

    /// Seven bits a byte, the lowest first, ten bytes at most.
    mutating func varint(_ bytes: Span<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard index < end else { return nil }
            let byte = bytes[index]
            index += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    mutating func double(_ bytes: Span<UInt8>) -> Double? {
        guard end - index >= 8 else { return nil }
        var bits: UInt64 = 0
        for offset in 0..<8 { bits |= UInt64(bytes[index + offset]) << UInt64(8 * offset) }
        index += 8
        return Double(bitPattern: bits)
    }

    /// The content of a part with a length.
    mutating func bytes(_ bytes: Span<UInt8>) -> Range<Int>? {
        guard let length = varint(bytes), length <= UInt64(end - index) else { return nil }
        let range = index..<(index + Int(length))
        index = range.upperBound
        return range
    }

    mutating func skip(_ type: WireType, _ bytes: Span<UInt8>) -> Bool {
        switch type {
        case .varint: return varint(bytes) != nil
        case .bytes: return self.bytes(bytes) != nil
        case .fixed64: return skip(8)
        case .fixed32: return skip(4)
        }
    }

    private mutating func skip(_ count: Int) -> Bool {
        guard end - index >= count else { return false }
        index += count
        return true
    }
}
