// What a request of OpenAI's dialect says of usage in its stream, and how it is made to ask for that: by
// bytes that are put between its own, which stay as they are.
//
//     {"stream": true}                                         {"stream_options":{"include_usage":true},
//     "stream_options": {}                                     {"include_usage":true}
//     "stream_options": {"include_usage": false, ...}          true
//     "stream_options": null                                   {"include_usage":true}

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
    private enum Container: Sendable {
        case missing
        /// `null`, and where.
        case null(Range<Int>)
        /// An object, and what is behind its brace.
        case object(Int, isEmpty: Bool)
        /// Something that no server takes.
        case other
    }

    /// Behind the brace that begins the request.
    var rootStart = 0
    /// Whether the object is being read.
    private(set) var isOpen = false
    private var container = Container.missing
    /// Where usage is declined, which is `false` or `null`.
    private var declined: Range<Int>?
    private var isSaid = false

    /// The value of `stream_options` begins with, or is, `event`, at `start`.
    mutating func take(_ event: JSONEvent, at start: Int) {
        switch event {
        case .open(isObject: true):
            container = .object(start + 1, isEmpty: true)
            isOpen = true
        case .literal(nil): container = .null(start..<start + 4)
        default: container = .other
        }
    }

    /// A key is in the object; whether it is the one that asks for usage, which may come once.
    mutating func takeKey(isUsage: Bool) throws(BodyFault) -> Bool {
        if case .object(let start, _) = container { container = .object(start, isEmpty: false) }
        guard isUsage else { return false }
        if isSaid { throw .repeatedField }
        isSaid = true
        return true
    }

    /// The value of the key that asks for usage is `literal`, at `start`.
    mutating func takeUsage(_ literal: Bool?, at start: Int) {
        if literal != true { declined = start..<start + (literal == nil ? 4 : 5) }
    }

    /// The object has ended.
    mutating func close() { isOpen = false }

    /// What makes the request ask for usage; nil where it does, or nothing that can be changed.
    var edit: TextEdit? {
        switch container {
        case .missing:
            TextEdit(
                rootStart..<rootStart, Array("\"stream_options\":{\"include_usage\":true},".utf8))
        case .null(let range): TextEdit(range, Array("{\"include_usage\":true}".utf8))
        case .object(let start, let isEmpty):
            if isSaid {
                declined.map { TextEdit($0, Array("true".utf8)) }
            } else {
                TextEdit(
                    start..<start,
                    Array((isEmpty ? "\"include_usage\":true" : "\"include_usage\":true,").utf8))
            }
        case .other: nil
        }
    }
}
