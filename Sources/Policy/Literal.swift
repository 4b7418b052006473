// A value as plain data: what a default or a whole policy looks like before it is written as YAML
// or JSON.

/// A value that YAML and JSON can both say.
indirect enum Literal: Equatable, Sendable {
    case integer(Int)
    case number(Double)
    case boolean(Bool)
    case text(String)
    case list([Literal])
    case mapping([(key: String, value: Literal)])

    static func == (left: Literal, right: Literal) -> Bool { left.json == right.json }
}

// MARK: - JSON

extension Literal {
    /// JSON with two spaces of indentation, keys in their order.
    var json: String { json(indentation: "") }

    private func json(indentation: String) -> String {
        let inner = indentation + "  "
        switch self {
        case .integer(let value): return "\(value)"
        case .number(let value): return "\(value)"
        case .boolean(let value): return "\(value)"
        case .text(let text): return Self.jsonString(text)
        case .list(let items) where items.isEmpty: return "[]"
        case .mapping(let entries) where entries.isEmpty: return "{}"
        case .list(let items):
            let lines = items.map { inner + $0.json(indentation: inner) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(indentation)]"
        case .mapping(let entries):
            let lines = entries.map {
                "\(inner)\(Self.jsonString($0.key)): \($0.value.json(indentation: inner))"
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indentation)}"
        }
    }

    /// A JSON string, which is also a YAML string in double quotes (RFC 8259 section 7).
    private static func jsonString(_ text: String) -> String {
        var escaped = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\t": escaped += "\\t"
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{A0}", "\u{2028}", "\u{2029}", "\u{FEFF}":
                let code = String(scalar.value, radix: 16)
                escaped += "\\u" + String(repeating: "0", count: 4 - code.count) + code
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped + "\""
    }
}

// MARK: - YAML

extension Literal {
    /// YAML in block style, ending with a line break.
    var yaml: String { yamlLines.joined(separator: "\n") + "\n" }

    /// YAML on one line; of a list or mapping in flow style.
    var yamlInline: String {
        switch self {
        case .integer, .number, .boolean: json
        case .text(let text): Self.yamlString(text)
        case .list(let items): "[" + items.map(\.yamlInline).joined(separator: ", ") + "]"
        case .mapping(let entries):
            "{" + entries.map { "\($0.key): \($0.value.yamlInline)" }.joined(separator: ", ") + "}"
        }
    }

    private var yamlLines: [String] {
        switch self {
        case .list(let items) where !items.isEmpty:
            return items.flatMap { item in
                item.yamlLines.enumerated().map { ($0.offset == 0 ? "- " : "  ") + $0.element }
            }
        case .mapping(let entries) where !entries.isEmpty:
            return entries.flatMap { entry in
                let lines = entry.value.yamlLines
                let key = Self.yamlString(entry.key) + ":"
                return entry.value.isBlock
                    ? [key] + lines.map { "  " + $0 } : ["\(key) \(lines[0])"]
            }
        default: return [yamlInline]
        }
    }

    private var isBlock: Bool {
        switch self {
        case .list(let items): !items.isEmpty
        case .mapping(let entries): !entries.isEmpty
        case .integer, .number, .boolean, .text: false
        }
    }

    private static func yamlString(_ text: String) -> String {
        let isSafe = text.unicodeScalars.allSatisfy {
            let character = Character($0)
            return character.isASCIILetter || character.isASCIIDigit || "_-./:+".contains(character)
        }
        let startsSafe = text.first.map { !"-:+".contains($0) } ?? false
        if isSafe, startsSafe, text.last != ":", case .text = PlainScalar(text) { return text }
        return jsonString(text)
    }
}
