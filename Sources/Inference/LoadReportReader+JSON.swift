// Load reports in JSON: protobuf's mapping of the message, with its names as they are or with humps, and numbers as
// they are or, as that has it for 64 bits, in quotation marks.

internal import Bytes

extension LoadReportReader {
    /// What a report in JSON says; nil where it is none.
    static func json(_ value: Span<UInt8>) -> LoadReport? {
        var reader = JSONReport()
        do throws(BodyFault) {
            var index = 0
            while true {
                let event = try reader.scanner.next(in: value, at: &index)
                if event == .needMoreData { break }
                guard reader.take(event, value, upTo: index) else { return nil }
            }
        } catch {
            return nil
        }
        return reader.scanner.isComplete && reader.isObject ? reader.entries.report : nil
    }
}

/// A report, as far as it was read.
private struct JSONReport {
    var scanner = JSONScanner()
    var entries = LoadReportEntries()
    var isObject = false
    private var name: [UInt8] = []
    /// The map that is open, or whose brace is next.
    private var map: LoadReportEntries.Map?

    init() { scanner.reportedDepth = 2 }

    /// Takes a step that ended before `end`; false where it is no report.
    mutating func take(_ event: JSONEvent, _ text: Span<UInt8>, upTo end: Int) -> Bool {
        switch event {
        case .needMoreData: return true
        case .key:
            guard !scanner.isTextCut else { return false }
            name = scanner.text.bytes
            scanner.captures = true
            if scanner.depth == 1 { map = LoadReportEntries.Map(key: name.span) }
            return true
        case .open(let isObject):
            if scanner.depth == 1 { self.isObject = isObject }
            // The root, and maps with their values.
            return isObject && (scanner.depth == 1 || scanner.depth == 2 && map != nil)
        case .close: return true
        case .string: return takeValue(LoadReportReader.number(scanner.text.span))
        case .number:
            var last = scanner.valueStart
            while last < end, Self.isOfNumber(text[last]) { last += 1 }
            return takeValue(
                LoadReportReader.number(text.extracting(scanner.valueStart..<last)))
        // What is not set.
        case .literal(let value): return value == nil && scanner.depth >= 1
        }
    }

    private mutating func takeValue(_ value: Double?) -> Bool {
        guard let value, scanner.depth >= 1 else { return false }
        if scanner.depth == 2, let map { return entries.take(name, of: map, value) }
        return scanner.depth == 1 && entries.take(name, value)
    }

    private static func isOfNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x2b, 0x2d, 0x2e, 0x45, 0x65: true
        default: false
        }
    }
}
