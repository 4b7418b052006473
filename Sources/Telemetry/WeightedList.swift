// Lists of names with weights: the grammar that Accept and Accept-Encoding share (RFC 9110 section
// 12.4.2).

/// Reads the value of a field such as `Accept-Encoding`.
enum WeightedList {
    /// Calls `body` with the range of each name in `value` and its weight in thousandths, 0..1000.
    ///
    /// A weight that cannot be read counts as 0, which refuses the name; parameters other than `q`
    /// are skipped.
    static func forEach(in value: Span<UInt8>, _ body: (Range<Int>, Int) -> Void) {
        var start = 0
        while start < value.count {
            let end = value.index(ofAnyOf: 0x2c, in: start..<value.count)
            let nameEnd = value.index(ofAnyOf: 0x3b, in: start..<end)
            let name = value.trimmed(start..<nameEnd)
            if !name.isEmpty {
                var weight = 1000
                var position = nameEnd
                while position < end {
                    let next = value.index(ofAnyOf: 0x3b, in: (position + 1)..<end)
                    if let found = self.weight(of: value, in: value.trimmed((position + 1)..<next))
                    {
                        weight = found
                    }
                    position = next
                }
                body(name, weight)
            }
            start = end + 1
        }
    }

    /// The weight that the parameter at `range` sets, or `nil` when it is another parameter.
    private static func weight(of value: Span<UInt8>, in range: Range<Int>) -> Int? {
        guard range.count >= 2, value[range.lowerBound] | 0x20 == 0x71,
            value[range.lowerBound + 1] == 0x3d
        else { return nil }
        let digits = (range.lowerBound + 2)..<range.upperBound
        guard let first = digits.first, digits.count <= 5, value[first] & 0xfe == 0x30 else {
            return 0
        }
        var weight = value[first] == 0x31 ? 1000 : 0
        if digits.count > 1 {
            guard value[first + 1] == 0x2e else { return 0 }
            var scale = 100
            for index in (first + 2)..<max(first + 2, digits.upperBound) {
                guard value[index] >= 0x30 && value[index] <= 0x39 else { return 0 }
                weight += scale * Int(value[index] - 0x30)
                scale /= 10
            }
        }
        return min(weight, 1000)
    }
}

extension Span<UInt8> {
    /// Where `byte` stands first within `range`, or the range's end.
    fileprivate func index(ofAnyOf byte: UInt8, in range: Range<Int>) -> Int {
        var index = range.lowerBound
        while index < range.upperBound && self[index] != byte { index += 1 }
        return index
    }

    /// `range` without spaces and tabs at its ends.
    fileprivate func trimmed(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end && (self[start] == 0x20 || self[start] == 0x09) { start += 1 }
        while end > start && (self[end - 1] == 0x20 || self[end - 1] == 0x09) { end -= 1 }
        return start..<end
    }
}
