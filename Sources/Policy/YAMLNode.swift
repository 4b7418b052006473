// A YAML document as a tree that knows where everything stood, with aliases and merge keys
// resolved. It keeps scalars as they were written: what a scalar means depends on the key it is
// for.

/// A value of a YAML document.
struct YAMLNode: Sendable {
    /// What the value is.
    enum Content: Sendable {
        /// A scalar without quotes, which may be a number, a boolean or nothing at all.
        case plain(String)
        /// A scalar in quotes or a block scalar: always text.
        case quoted(String)
        case list([YAMLNode])
        case mapping([Entry])
    }

    /// One key of a mapping and its value.
    struct Entry: Sendable {
        var key: String
        var position: Position
        var value: YAMLNode
    }

    var content: Content
    var position: Position
    /// Nodes in this tree, aliases counted as often as they are used.
    var size: Int

    /// The scalar's characters, whatever it was written like.
    var scalar: String? {
        switch content {
        case .plain(let text), .quoted(let text): text
        case .list, .mapping: nil
        }
    }

    /// Whether nothing was written.
    var isNull: Bool {
        if case .plain(let text) = content, case .null = PlainScalar(text) { true } else { false }
    }

    /// What a reader of the file would call the value.
    var description: String {
        switch content {
        case .plain(let text):
            switch PlainScalar(text) {
            case .null: "nothing"
            case .boolean: "the boolean \(text.quoted)"
            case .number: "the number \(text.quoted)"
            case .text: text.quoted
            }
        case .quoted(let text): "the text \(text.quoted)"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }

    /// The value as text.
    ///
    /// Numbers and booleans are refused: editors and other tools would not see text.
    func text(_ wanted: String) throws(Fault) -> String {
        switch content {
        case .quoted(let text): return text
        case .plain(let text):
            switch PlainScalar(text) {
            case .text: return text
            case .null: throw Fault("has no value", "write \(wanted)")
            case .boolean, .number: throw Fault("found \(description)", "write \(wanted)")
            }
        case .list, .mapping: throw Fault("found \(description)", "write \(wanted)")
        }
    }

    /// The characters of a scalar of either kind, as numbers with units are written.
    func scalarText(_ wanted: String) throws(Fault) -> String {
        if case .quoted(let text) = content { return text }
        return try plain(wanted)
    }

    /// The characters of a scalar without quotes, as numbers and booleans are written.
    func plain(_ wanted: String) throws(Fault) -> String {
        switch content {
        case .plain(let text):
            if case .null = PlainScalar(text) {
                throw Fault("has no value", "write \(wanted)")
            }
            return text
        case .quoted, .list, .mapping: throw Fault("found \(description)", "write \(wanted)")
        }
    }
}

/// What a scalar without quotes is by YAML 1.2's core schema (YAML 1.2.2 section 10.3.2).
enum PlainScalar {
    case null
    case boolean
    case number
    case text

    init(_ text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "true", "True", "TRUE", "false", "False", "FALSE": self = .boolean
        default: self = Self.isNumber(text) ? .number : .text
        }
    }

    private static func isNumber(_ text: String) -> Bool {
        let unsigned = text.drop { $0 == "+" || $0 == "-" }
        guard text.count - unsigned.count <= 1, let first = unsigned.first else { return false }
        if [".inf", ".Inf", ".INF"].contains(unsigned) { return true }
        if [".nan", ".NaN", ".NAN"].contains(text) { return true }
        if unsigned.hasPrefix("0o") {
            return unsigned.count > 2
                && unsigned.dropFirst(2).allSatisfy { "01234567".contains($0) }
        }
        if unsigned.hasPrefix("0x") {
            return unsigned.count > 2 && unsigned.dropFirst(2).allSatisfy(\.isHexDigit)
        }
        guard first == "." || first.isASCIIDigit else { return false }
        return unsigned.allSatisfy { $0.isASCIIDigit || ".eE+-".contains($0) }
            && Double(String(unsigned)) != nil
    }
}

extension Character {
    /// 0 to 9.
    var isASCIIDigit: Bool { ("0"..."9").contains(self) }

    /// A to Z, a to z.
    var isASCIILetter: Bool { ("a"..."z").contains(self) || ("A"..."Z").contains(self) }
}
