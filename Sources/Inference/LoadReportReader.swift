// The spellings of load reports in fields of responses, all of which are in use: vLLM and Triton write `TEXT` with `=`,
// Envoy knows it with `:`; both know `JSON`, and `BIN` is the message itself in base64. Older Envoys have a name of its own for
// each.

internal import Bytes

/// Reads load reports.
package enum LoadReportReader {
    /// How a field spells its report.
    package enum Spelling: Sendable {
        /// `endpoint-load-metrics`: a word says which of the others it is, text without one.
        case prefixed
        /// `endpoint-load-metrics-json`.
        case json
        /// `endpoint-load-metrics-bin`.
        case binary
    }

    /// What `value` says; nil where it is no report.
    package static func read(_ value: Span<UInt8>, _ spelling: Spelling) -> LoadReport? {
        guard value.count <= LoadReport.mostBytes else { return nil }
        switch spelling {
        case .json: return json(value)
        case .binary: return base64(value)
        case .prefixed: return prefixed(value)
        }
    }

    private static func prefixed(_ value: Span<UInt8>) -> LoadReport? {
        guard let space = value.indices.first(where: { value[$0] == 0x20 }) else {
            return text(value)
        }
        let word = value.extracting(..<space)
        let rest = value.extracting((space + 1)...)
        if word.equals("TEXT") { return text(rest) }
        if word.equals("JSON") { return json(rest) }
        if word.equals("BIN") { return base64(rest.extracting(trimmed(rest, rest.indices))) }
        return text(value)
    }

    private static func base64(_ value: Span<UInt8>) -> LoadReport? {
        guard let bytes = Base64.decode(value) else { return nil }
        return message(bytes.span)
    }

    /// `name=0.4, name:3`.
    private static func text(_ value: Span<UInt8>) -> LoadReport? {
        var entries = LoadReportEntries()
        var start = 0
        while start < value.count {
            var end = start
            while end < value.count, value[end] != 0x2c { end += 1 }
            let entry = trimmed(value, start..<end)
            start = end + 1
            // Some writers end each entry with a comma.
            if entry.isEmpty { continue }
            guard take(entry, of: value, &entries) else { return nil }
        }
        return entries.report
    }

    private static func take(
        _ entry: Range<Int>, of text: Span<UInt8>, _ entries: inout LoadReportEntries
    ) -> Bool {
        // Names may have colons, such as `vllm:num_requests_waiting`.
        let mark =
            entry.first { text[$0] == 0x3d } ?? entry.last { text[$0] == 0x3a }
        guard let mark else { return false }
        let name = trimmed(text, entry.lowerBound..<mark)
        let figures = trimmed(text, (mark + 1)..<entry.upperBound)
        guard !name.isEmpty, name.allSatisfy({ (0x21...0x7e).contains(text[$0]) }),
            let number = number(text.extracting(figures))
        else { return false }
        return entries.take(array(text.extracting(name)), number)
    }

    /// What is left of a part of `text` without spaces and tabs around it.
    private static func trimmed(_ text: Span<UInt8>, _ part: Range<Int>) -> Range<Int> {
        var start = part.lowerBound
        var end = part.upperBound
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        while start < end, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }

    /// A number in figures; nil for anything else, words for what is no number among them.
    static func number(_ text: Span<UInt8>) -> Double? {
        guard (1...32).contains(text.count) else { return nil }
        for index in text.indices {
            switch text[index] {
            case 0x30...0x39, 0x2b, 0x2d, 0x2e, 0x45, 0x65: break
            default: return nil
            }
        }
        let value = Double(String(decoding: array(text), as: UTF8.self))
        return value.flatMap { $0.isFinite ? $0 : nil }
    }

    /// A copy of `bytes`.
    static func array(_ bytes: Span<UInt8>) -> [UInt8] {
        var copy = [UInt8](repeating: 0, count: bytes.count)
        for index in bytes.indices { copy[index] = bytes[index] }
        return copy
    }
}
