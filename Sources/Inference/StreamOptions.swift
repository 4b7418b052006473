// What a request of OpenAI's dialect says of usage in its stream, and how it is made to ask for that: by
// bytes that are put between its own, which stay as they are.
//
//     {"stream": true}                                         {"stream_options":{"include_usage":true},
//     "stream_options": {}                                     {"include_usage":true}
//     "stream_options": {"include_usage": false, ...}          true
//     "stream_options": null                                   {"include_usage":true}
//
// Whatever else stands there is replaced too: what one engine takes for true, or refuses, is false to another.

/// Bytes that stand for a range of a text.
package struct TextEdit: Equatable, Sendable {
    /// What is replaced; empty where the bytes are put before it.
    package let range: Range<Int>
    /// What stands there instead.
    package let bytes: [UInt8]

    /// Replaces `range` by `bytes`.
    package init(_ range: Range<Int>, _ bytes: [UInt8]) {
        self.range = range
        self.bytes = bytes
    }

    /// How much longer the text becomes.
    package var growth: Int { bytes.count - range.count }
}

/// The option of a stream that asks for usage.
struct StreamOptions: Sendable {
    /// Behind the brace that begins the request.
    var rootStart = 0
    /// Whether the object is being read.
    private(set) var isOpen = false
    /// Whether the present key, which asks for usage, is not the first.
    private(set) var isRepeated = false
    /// Where the value stands; nil while there is none, or it has not ended.
    private var range: Range<Int>?
    /// Where a value began that has not ended.
    private var openedAt: Int?
    private var isObject = false
    private var isEmpty = true
    /// The same for the value of the key that asks for usage.
    private var usageRange: Range<Int>?
    private var usageOpenedAt: Int?
    private var usage: LenientBool?
    private var isPlain = false

    /// The value of `stream_options`, of which the last counts, is `event`, or begins with it.
    mutating func take(_ event: JSONEvent, at place: Range<Int>) {
        isObject = event == .open(isObject: true)
        isOpen = isObject
        isEmpty = true
        usage = nil
        range = nil
        if case .open = event { openedAt = place.lowerBound } else { range = place }
    }

    /// A key is in the object; whether it is the one that asks for usage.
    mutating func takeKey(isUsage: Bool) -> Bool {
        isEmpty = false
        isRepeated = isUsage && usage != nil
        return isUsage
    }

    /// The value of the key that asks for usage, of which the last counts, is `event`, or begins with it.
    mutating func takeUsage(
        _ event: JSONEvent, at place: Range<Int>, in scanner: borrowing JSONScanner
    ) {
        usage = LenientBool(event, in: scanner)
        isPlain = event == .literal(true)
        usageRange = place
        if case .open = event { usageOpenedAt = place.lowerBound }
    }

    /// A container has ended, and so many are open still.
    mutating func close(depth: Int, at end: Int) {
        if depth == 2, let start = usageOpenedAt {
            usageRange = start..<end
            usageOpenedAt = nil
        } else if depth == 1, let start = openedAt {
            range = start..<end
            openedAt = nil
            isOpen = false
        }
    }

    /// Whether usage is asked for, as lenient servers read it.
    var isAsking: Bool { isObject && usage == .yes }

    /// What makes the request ask for usage; nil where it does so in the one way that all servers read.
    var edit: TextEdit? {
        guard let range else {
            return TextEdit(
                rootStart..<rootStart, Array("\"stream_options\":{\"include_usage\":true},".utf8))
        }
        guard isObject else { return TextEdit(range, Array("{\"include_usage\":true}".utf8)) }
        if usage != nil, let usageRange {
            return isPlain ? nil : TextEdit(usageRange, Array("true".utf8))
        }
        let start = range.lowerBound + 1
        return TextEdit(
            start..<start,
            Array((isEmpty ? "\"include_usage\":true" : "\"include_usage\":true,").utf8))
    }
}
