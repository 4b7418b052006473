// What one bulk request asks for in its path and its query.
//
//     POST /bulk                              lines of OpenAI's batch files
//     POST /bulk/v1/embeddings?from=1000      bodies alone, the first of which has the index 1000
//     POST /bulk?order=input                  answers in the order of the lines

internal import Bytes
internal import HTTP1
internal import Policy

/// The terms of a bulk request.
struct BulkTerms: Equatable {
    /// The path that lines are for which are bodies alone; empty where lines say their own.
    var target: [UInt8] = []
    /// Whether answers come in the order of the lines.
    var keepsOrder = false
    /// The index of the first line.
    var first = 0

    /// The largest index of a first line: what is added to it stays far from the end of all numbers.
    static let maxFirst = 1 << 53

    /// Whether the path of `head` is that of the bulk lane, or below it.
    static func isMeant(by head: borrowing RequestHead, _ settings: BulkSettings) -> Bool {
        isBelow(head.span(head.path), settings.path)
    }

    /// Whether `path` is `prefix`, or lies below it.
    static func isBelow(_ path: Span<UInt8>, _ prefix: String) -> Bool {
        let prefix = prefix.utf8.span
        guard path.count >= prefix.count, path.extracting(0..<prefix.count).equals(prefix) else {
            return false
        }
        return path.count == prefix.count || path[prefix.count] == UInt8(ascii: "/")
    }

    /// The terms of a request for the bulk lane; nil where its query says something else.
    init?(_ head: borrowing RequestHead, _ settings: BulkSettings) {
        let path = head.span(head.path)
        let rest = path.extracting(settings.path.utf8.count..<path.count)
        // `/bulk/` says no path.
        if rest.count > 1 { target = BulkTerms.copy(rest) }
        let query = head.span(head.query)
        guard query.count > 1 else { return }
        var start = 1
        while start <= query.count {
            var end = start
            while end < query.count, query[end] != UInt8(ascii: "&") { end += 1 }
            guard take(query.extracting(start..<end)) else { return nil }
            start = end + 1
        }
    }

    private mutating func take(_ term: Span<UInt8>) -> Bool {
        if term.equals("order=input") {
            keepsOrder = true
        } else if term.equals("order=ended") {
            keepsOrder = false
        } else if term.count > 5, term.extracting(0..<5).equals("from=") {
            return takeFirst(term.extracting(5..<term.count))
        } else {
            return false
        }
        return true
    }

    private mutating func takeFirst(_ digits: Span<UInt8>) -> Bool {
        guard digits.count <= 16 else { return false }
        var value = 0
        for index in digits.indices {
            guard digits[index] &- 0x30 < 10 else { return false }
            value = value * 10 + Int(digits[index] &- 0x30)
        }
        first = value
        return value <= BulkTerms.maxFirst
    }

    private static func copy(_ bytes: Span<UInt8>) -> [UInt8] {
        var copied: [UInt8] = []
        copied.append(addingCapacity: bytes.count) { output in
            for index in bytes.indices { output.append(bytes[index]) }
        }
        return copied
    }
}
