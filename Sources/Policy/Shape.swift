// What values a key takes, without the code that reads them: the source of the JSON Schema, of the
// reference, and of the half sentence that a diagnostic ends with.

/// The values that a key takes.
indirect enum Shape: Sendable {
    case integer(ClosedRange<Int>)
    /// A decimal number; `excludesLower` and `excludesUpper` take the ends out of the range.
    case number(ClosedRange<Double>, excludesLower: Bool = false, excludesUpper: Bool = false)
    case boolean
    /// One of some words.
    case words([String])
    /// Text: what it is in words with its article, and a regular expression (ECMA 262) it matches.
    case text(String, pattern: String)
    /// A number with a unit, between two values that are written like the key's own.
    case quantity(Quantity, lowest: String, highest: String)
    case list(Shape, counts: ClosedRange<Int>, isUnique: Bool)
    case section(SectionShape)
    /// A mapping whose keys are names that match `pattern`.
    case named(Shape, pattern: String, counts: ClosedRange<Int>)
    case either([Shape])

    /// The shapes one of which fits, where there are several.
    var alternatives: [Shape] {
        if case .either(let shapes) = self { shapes.flatMap(\.alternatives) } else { [self] }
    }

    /// Whether a mapping of known keys may stand there.
    var takesMappings: Bool {
        alternatives.contains { if case .section = $0 { true } else { false } }
    }

    /// Whether a list of the other alternatives may stand there.
    var endsInList: Bool {
        if case .list = alternatives.last { true } else { false }
    }

    /// The type's name in the reference.
    var type: String {
        switch self {
        case .integer: "integer"
        case .number: "number"
        case .boolean: "boolean"
        case .words: "word"
        case .text: "text"
        case .quantity(let quantity, _, _): quantity.name
        case .list(let element, _, _):
            "list of \(element.type)s"
        case .section: "mapping"
        case .named(let element, _, _): "\(element.type)s by name"
        case .either: alternatives.map(\.type).unique.joined(separator: " or ")
        }
    }

    /// The values in words: `64 to 1024`, `gone or allow`; empty where the type says it all.
    var range: String {
        switch self {
        case .integer(let range):
            range.count == 1
                ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
        case .number(let range, let excludesLower, let excludesUpper):
            "\(excludesLower ? "above " : "")\(range.lowerBound.short) "
                + "to \(excludesUpper ? "below " : "")\(range.upperBound.short)"
        case .boolean: "true or false"
        case .words(let words): words.map { "`\($0)`" }.joined(separator: ", ")
        case .text(let noun, _): noun
        case .quantity(_, let lowest, let highest): "\(lowest) to \(highest)"
        case .list(let element, let counts, _):
            (element.range.isEmpty ? "" : "\(element.range); ")
                + "\(counts.lowerBound) to \(counts.upperBound) elements"
        case .section: ""
        case .named(_, let pattern, let counts):
            "\(counts.lowerBound) to \(counts.upperBound); names match `\(pattern)`"
        case .either:
            // One element or a list of them: the list's range says both.
            alternatives.filter { if case .text = $0 { !endsInList } else { true } }.map(\.range)
                .filter { !$0.isEmpty }.unique.joined(separator: "; or ")
        }
    }

    /// What to write, for a diagnostic: `an integer from 1 to 9`.
    var wanted: String {
        switch self {
        case .integer(let range): range.count == 1 ? self.range : "an integer from \(self.range)"
        case .number: "a number from \(range)"
        case .boolean: range
        case .words(let words): Self.alternatives(words.map(\.quoted))
        case .text(let noun, _): noun
        case .quantity(let quantity, _, _):
            "a \(quantity.name) from \(range)"
        case .list(let element, _, _): "a list, each element \(element.wanted)"
        case .section(let section): "a mapping with the keys \(section.names)"
        case .named(let value, _, _): "a mapping of names, each value \(value.wanted)"
        case .either:
            if endsInList {
                Self.alternatives(alternatives.dropLast().map(\.wanted)) + ", or a list of them"
            } else {
                Self.alternatives(alternatives.map(\.wanted).unique)
            }
        }
    }

    private static func alternatives(_ choices: [String]) -> String {
        choices.count < 2
            ? choices.joined()
            : choices.dropLast().joined(separator: ", ") + " or " + choices[choices.count - 1]
    }
}

/// The keys of a mapping.
struct SectionShape: Sendable {
    var keys: [KeyShape]

    /// The keys' names for a message.
    var names: String { keys.map(\.name).joined(separator: ", ") }
}

/// One key of a mapping.
struct KeyShape: Sendable {
    var name: String
    var meaning: String
    var shape: Shape
    var isRequired: Bool
    /// What counts where the key is left out; `nil` for nothing at all.
    var fallback: Literal?
}

extension Double {
    /// Without `.0`.
    fileprivate var short: String { self == rounded() ? "\(Int(self))" : "\(self)" }
}

extension [String] {
    /// The elements without repetitions.
    var unique: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
