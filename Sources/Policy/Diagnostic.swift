// One fault of a policy file, said so that its reader can put it right without opening a manual.

/// A place in a text.
struct Position: Comparable, Hashable, Sendable {
    /// Line, from 1.
    var line: Int
    /// Column in Unicode scalars, from 1.
    var column: Int
    /// Which of the files that are read together, from 0; the policy's own is the first.
    var file = 0

    /// The first character.
    static let start = Position(line: 1, column: 1)

    static func < (left: Position, right: Position) -> Bool {
        (left.file, left.line, left.column) < (right.file, right.line, right.column)
    }
}

/// One fault of a policy file: where it is, what is wrong, and what would be right.
package struct Diagnostic: Equatable, Sendable, CustomStringConvertible {
    /// The file as the operator named it.
    package let file: String
    /// Line, from 1.
    package let line: Int
    /// Column in Unicode scalars, from 1.
    package let column: Int
    /// The setting, such as `pools.chat.backends[0]`; `policy` for the file as a whole.
    package let path: String
    /// What is wrong.
    package let problem: String
    /// What would be right.
    package let remedy: String

    /// `file:line:column: error: path: problem; remedy`, the form that editors and terminals link.
    package var description: String {
        "\(file):\(line):\(column): error: \(path): \(problem); \(remedy)"
    }
}

/// A problem and its remedy, before it is known where it is.
struct Fault: Error, Equatable {
    var problem: String
    var remedy: String

    init(_ problem: String, _ remedy: String) {
        self.problem = problem
        self.remedy = remedy
    }
}

extension String {
    /// The text between backquotes for a message, shortened and escaped.
    package var quoted: String { isEmpty ? "an empty text" : "`\(escaped)`" }

    /// The text for a message: on one line, printable and at most 60 characters.
    var escaped: String {
        var shown = ""
        for scalar in unicodeScalars.prefix(60) {
            switch scalar {
            case "\n": shown += "\\n"
            case "\r": shown += "\\r"
            case "\t": shown += "\\t"
            case let scalar
            where scalar.properties.generalCategory == .control
                || scalar.properties.generalCategory == .format
                || scalar.properties.generalCategory == .lineSeparator
                || scalar.properties.generalCategory == .paragraphSeparator:
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown + (unicodeScalars.count > 60 ? "…" : "")
    }
}
