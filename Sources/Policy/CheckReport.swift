// What a check found in one file, for whoever reads it: people, programs, or GitHub's pages.

/// What was found in one policy file.
package struct CheckReport: Sendable {
    /// A name and what it says.
    package struct Fact: Equatable, Sendable {
        /// What is told.
        package let name: String
        /// What it is.
        package let text: String

        /// `name` is `text`.
        package init(_ name: String, _ text: String) {
            self.name = name
            self.text = text
        }
    }

    /// The file as the operator named it.
    package let file: String
    /// Its faults; nil where it has none.
    package var error: PolicyError?
    /// The files that it includes.
    package var included: [String] = []
    /// What becomes of a request; empty where nobody asked.
    package var explanation: [Fact] = []
    /// What its backends said, by their paths in the policy; empty where nobody asked them.
    package var backends: [Fact] = []

    /// A report on `file`.
    package init(file: String) { self.file = file }

    // MARK: For programs

    /// All reports as one JSON document: `files`, each with `file`, `valid`, `faults`, `omitted_faults` and,
    /// where there are any, `included`, and where they were asked for, `explanation` and `backends`.
    package static func json(_ reports: [CheckReport]) -> String {
        Literal.mapping([("files", .list(reports.map(\.literal)))]).json
    }

    private var literal: Literal {
        var entries: [(key: String, value: Literal)] = [
            ("file", .text(file)), ("valid", .boolean(error == nil)),
            ("faults", .list((error?.diagnostics ?? []).map(\.literal))),
            ("omitted_faults", .integer(error?.omitted ?? 0)),
        ]
        if !included.isEmpty { entries.append(("included", .list(included.map { .text($0) }))) }
        if !explanation.isEmpty { entries.append(("explanation", explanation.literal)) }
        if !backends.isEmpty { entries.append(("backends", backends.literal)) }
        return .mapping(entries)
    }

    // MARK: For GitHub

    /// A workflow command for each fault, which GitHub shows beside the line.
    package var workflowCommands: [String] {
        (error?.diagnostics ?? []).map { fault in
            let place =
                "file=\(CheckReport.property(fault.file)),line=\(fault.line),col=\(fault.column)"
            let title = "title=\(CheckReport.property(fault.path))"
            return "::error \(place),\(title)::"
                + CheckReport.data("\(fault.path): \(fault.problem); \(fault.remedy)")
        }
    }

    /// A text behind the colons (actions/toolkit, packages/core/src/command.ts).
    private static func data(_ text: String) -> String {
        text.replacing("%", with: "%25").replacing("\r", with: "%0D").replacing("\n", with: "%0A")
    }

    /// A text before them, likewise.
    private static func property(_ text: String) -> String {
        data(text).replacing(":", with: "%3A").replacing(",", with: "%2C")
    }
}

extension Diagnostic {
    fileprivate var literal: Literal {
        .mapping([
            ("file", .text(file)), ("line", .integer(line)), ("column", .integer(column)),
            ("path", .text(path)), ("problem", .text(problem)), ("remedy", .text(remedy)),
        ])
    }
}

extension [CheckReport.Fact] {
    fileprivate var literal: Literal { .mapping(map { ($0.name, .text($0.text)) }) }
}
