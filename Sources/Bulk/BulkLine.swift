// What one line of a bulk request asks for. There are two forms:
//
//     {"custom_id":"r17","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"a"}}
//     {"model":"m","input":"a"}
//
// The first is that of OpenAI's batch files, the second a body alone, for requests that say the path
// themselves. Nothing of a body is changed: its bytes go on as they came.

internal import Bytes
internal import Inference

/// One line that can be asked.
package struct BulkLine: Equatable, Sendable {
    /// `custom_id` as it stands in the line, with escapes and without quotation marks; nil where there is none.
    package var customID: [UInt8]?
    /// The path, and perhaps a query; empty where the request itself says it.
    package var target: [UInt8]
    /// Where the request's body stands in the line.
    package var body: Range<Int>
}

extension BulkLine {
    /// What `line` asks for, which has neither line end nor, beyond white space, anything but JSON.
    ///
    /// `target` is what the bulk request's own path says, empty for nothing: then the line has to. Throws the
    /// first fault that is found, and with it what is known of `custom_id`.
    package init(_ line: Span<UInt8>, target: [UInt8], customID: inout [UInt8]?) throws(BulkFault) {
        var reader = BulkObjectReader()
        do throws(BulkFault) {
            try reader.read(line)
        } catch {
            customID = reader.customID
            throw error
        }
        customID = reader.customID
        let isWrapped = target.isEmpty || reader.customID != nil && reader.body != nil
        guard isWrapped else {
            guard !reader.isStreamed else { throw .streamed }
            self.init(customID: nil, target: [], body: reader.root)
            return
        }
        guard !reader.hasOtherMethod else { throw .invalidMethod }
        guard let body = reader.body else { throw .invalidBody }
        guard !reader.isBodyStreamed else { throw .streamed }
        if let asked = reader.target {
            guard target.isEmpty || asked == target else { throw .invalidURL }
            self.init(customID: reader.customID, target: target.isEmpty ? asked : [], body: body)
        } else {
            guard !target.isEmpty else { throw .invalidURL }
            self.init(customID: reader.customID, target: [], body: body)
        }
    }
}

/// Reads the object that a line is.
private struct BulkObjectReader {
    private enum Field { case other, customID, method, target, body, stream, streamOfBody }

    private(set) var customID: [UInt8]?
    private(set) var target: [UInt8]?
    private(set) var hasOtherMethod = false
    /// Where the object under `body` stands, and the line's own.
    private(set) var body: Range<Int>?
    private(set) var root = 0..<0
    private(set) var isStreamed = false
    private(set) var isBodyStreamed = false

    private var scanner = JSONScanner()
    private var field = Field.other
    private var seen: UInt8 = 0
    private var bodyStart: Int?

    init() { scanner.reportedDepth = 2 }

    mutating func read(_ line: Span<UInt8>) throws(BulkFault) {
        var index = 0
        while true {
            let event: JSONEvent
            do throws(BodyFault) {
                event = try scanner.next(in: line, at: &index)
            } catch {
                throw .notJSON
            }
            if event == .needMoreData { break }
            try take(event, line, end: index)
        }
        guard scanner.isComplete else { throw .notJSON }
    }

    private mutating func take(
        _ event: JSONEvent, _ line: Span<UInt8>, end: Int
    ) throws(BulkFault) {
        switch event {
        case .key:
            if scanner.depth == 1 {
                try takeKey()
            } else {
                let isStream = bodyStart != nil && named("stream")
                field = isStream ? .streamOfBody : .other
            }
        case .open(let isObject):
            if scanner.depth == 1 {
                guard isObject else { throw .notAnObject }
                root = scanner.valueStart..<line.count
            } else {
                try open(isObject: isObject)
            }
        case .close:
            if scanner.depth == 0 { root = root.lowerBound..<end }
            if scanner.depth == 1, let start = bodyStart {
                body = start..<end
                bodyStart = nil
            }
        case .string, .number, .literal: try takeValue(event, line)
        case .needMoreData: break
        }
    }

    private func named(_ name: String) -> Bool {
        !scanner.isTextCut && scanner.text.span.equals(name)
    }

    private mutating func takeKey() throws(BulkFault) {
        let bit: UInt8
        if named("custom_id") {
            (field, bit) = (.customID, 1)
        } else if named("method") {
            (field, bit) = (.method, 2)
        } else if named("url") {
            (field, bit) = (.target, 4)
        } else if named("body") {
            (field, bit) = (.body, 8)
        } else {
            field = named("stream") ? .stream : .other
            return
        }
        if seen & bit != 0 { throw .repeatedField }
        seen |= bit
        scanner.captures = field != .body
    }

    /// A container begins that is not the root.
    private mutating func open(isObject: Bool) throws(BulkFault) {
        switch field {
        case .customID: throw .invalidCustomID
        case .method: hasOtherMethod = true
        case .target: throw .invalidURL
        case .body: if isObject, scanner.depth == 2 { bodyStart = scanner.valueStart }
        case .stream: isStreamed = true
        case .streamOfBody: isBodyStreamed = true
        case .other: break
        }
        field = .other
    }

    private mutating func takeValue(_ event: JSONEvent, _ line: Span<UInt8>) throws(BulkFault) {
        guard scanner.depth > 0 else { throw .notAnObject }
        let isText = event == .string && !scanner.isTextCut
        switch field {
        case .customID:
            guard isText, JSONText.isWellFormed(line.extracting(scanner.textRange)) else {
                throw .invalidCustomID
            }
            customID = BulkObjectReader.copy(line.extracting(scanner.textRange))
        case .method: hasOtherMethod = !(isText && scanner.text.span.equals("POST"))
        case .target:
            guard isText, BulkObjectReader.isTarget(scanner.text.bytes) else { throw .invalidURL }
            target = scanner.text.bytes
        case .stream: isStreamed = isStreamed || BulkObjectReader.isYes(event)
        case .streamOfBody: isBodyStreamed = isBodyStreamed || BulkObjectReader.isYes(event)
        case .body, .other: break
        }
        field = .other
    }

    /// Whether `stream` is anything but no: what one server takes for false is true to another.
    private static func isYes(_ event: JSONEvent) -> Bool {
        event != .literal(false) && event != .literal(nil)
    }

    /// Whether `text` can stand in a request line: an absolute path, and perhaps a query (RFC 9112 section 3.2.1).
    private static func isTarget(_ text: [UInt8]) -> Bool {
        text.first == UInt8(ascii: "/") && text.dropFirst().first != UInt8(ascii: "/")
            && text.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") }
    }

    private static func copy(_ bytes: Span<UInt8>) -> [UInt8] {
        var copied: [UInt8] = []
        copied.append(addingCapacity: bytes.count) { output in
            for index in bytes.indices { output.append(bytes[index]) }
        }
        return copied
    }
}
