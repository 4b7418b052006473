// What a client of the bulk lane reads: one line of an answer.

internal import Bytes
internal import Inference

/// One line that a bulk request is answered with, as far as a client counts it.
package enum BulkAnswer: Equatable, Sendable {
    /// What became of the line `index`; `status` is nil where there is no response, and all lines below
    /// `doneBelow` are answered, where that is said.
    case result(index: Int, status: Int?, doneBelow: Int?)
    /// The last line.
    case end(BulkEnd)

    /// What `line` says, which has no end of its own; nil where it is neither.
    package init?(_ line: Span<UInt8>) {
        var reader = BulkAnswerReader()
        guard let answer = reader.read(line) else { return nil }
        self = answer
    }
}

private struct BulkAnswerReader {
    private enum Field {
        case other, object, index, response, status, doneBelow, total, completed, failed, code
    }

    private var scanner = JSONScanner()
    private var field = Field.other
    private var isInResponse = false
    private var isEnd = false
    private var index: Int?
    private var status: Int?
    private var doneBelow: Int?
    private var end = BulkEnd(total: 0, completed: 0, failed: 0, doneBelow: 0, code: nil)

    init() { scanner.reportedDepth = 2 }

    mutating func read(_ line: Span<UInt8>) -> BulkAnswer? {
        var place = 0
        do throws(BodyFault) {
            while true {
                let event = try scanner.next(in: line, at: &place)
                if event == .needMoreData { break }
                take(event)
            }
        } catch {
            return nil
        }
        guard scanner.isComplete else { return nil }
        if isEnd {
            end.doneBelow = doneBelow ?? 0
            return .end(end)
        }
        guard let index, index >= 0 else { return nil }
        return .result(index: index, status: status, doneBelow: doneBelow)
    }

    private mutating func take(_ event: JSONEvent) {
        switch event {
        case .key:
            field =
                scanner.depth == 1
                ? BulkAnswerReader.field(scanner.text.span)
                : isInResponse && scanner.text.span.equals("status_code") ? .status : .other
            scanner.captures = field == .object || field == .code
            return
        case .open: isInResponse = isInResponse || field == .response && scanner.depth == 2
        case .close: if scanner.depth == 1 { isInResponse = false }
        case .number: note(scanner.number)
        case .string:
            if field == .object { isEnd = scanner.text.span.equals("bulk.end") }
            if field == .code { end.code = String(decoding: scanner.text.bytes, as: UTF8.self) }
        case .literal, .needMoreData: break
        }
        field = .other
    }

    private mutating func note(_ number: Int?) {
        switch field {
        case .index: index = number
        case .status: status = number
        case .doneBelow: doneBelow = number
        case .total: end.total = number ?? 0
        case .completed: end.completed = number ?? 0
        case .failed: end.failed = number ?? 0
        case .other, .object, .response, .code: break
        }
    }

    private static func field(_ name: Span<UInt8>) -> Field {
        if name.equals("index") { return .index }
        if name.equals("response") { return .response }
        if name.equals("done_below") { return .doneBelow }
        if name.equals("object") { return .object }
        if name.equals("total") { return .total }
        if name.equals("completed") { return .completed }
        if name.equals("failed") { return .failed }
        return name.equals("code") ? .code : .other
    }
}
