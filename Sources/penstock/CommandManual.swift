// What help and usage say of a command, laid out for terminals of 80 columns.

/// The texts about one command.
struct CommandManual {
    private let outline: CommandOutline

    init(_ outline: CommandOutline) {
        self.outline = outline
    }

    private static var columns: Int { 79 }
    /// Where the second column of a list begins.
    private static var indentation: Int { 26 }

    /// Everything about the command.
    var help: String {
        var blocks = [
            Self.wrap("OVERVIEW: \(outline.abstract)"), Self.wrap(outline.discussion),
        ]
        blocks.append("USAGE: \(outline.usage)")
        let options = outline.options + ParameterOutline.general
        blocks += [Self.list("ARGUMENTS", outline.arguments), Self.list("OPTIONS", options)]
        let subcommands = outline.subcommands.map { ($0.name, $0.abstract) }
        blocks.append(Self.list("SUBCOMMANDS", subcommands))
        if let root = outline.path.first, !subcommands.isEmpty {
            let words = outline.path.dropFirst().map { " \($0)" }.joined()
            blocks.append("  See '\(root) help\(words) <subcommand>' for detailed help.")
        }
        return blocks.filter { !$0.isEmpty }.joined(separator: "\n\n")
    }

    private static func list(_ title: String, _ parameters: [ParameterOutline]) -> String {
        list(title, parameters.map { ($0.label, $0.help) })
    }

    private static func list(_ title: String, _ rows: [(label: String, text: String)]) -> String {
        guard !rows.isEmpty else { return "" }
        let lines = rows.map { row in
            let start = "  \(row.label) "
            let gap = String(repeating: " ", count: max(0, indentation - start.count))
            let margin = String(repeating: " ", count: indentation)
            let text = wrap(row.text, columns: columns - indentation)
            return start + gap + text.replacing("\n", with: "\n\(margin)")
        }
        return "\(title):\n\(lines.joined(separator: "\n"))"
    }

    /// The text with lines broken at spaces, where they are longer than `columns`.
    private static func wrap(_ text: String, columns: Int = columns) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            var lines: [Substring] = []
            var rest = line
            while rest.count > columns, let end = rest.prefix(columns + 1).lastIndex(of: " ") {
                lines.append(rest[..<end])
                rest = rest[rest.index(after: end)...]
            }
            return (lines + [rest]).joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
