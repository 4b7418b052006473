// What help and usage say of a command, laid out for terminals of 80 columns.

/// The texts about one command.
struct CommandManual<Target: Command> {
    /// The command's name behind those of the groups that it is in.
    let path: String

    private var configuration: CommandConfiguration { Target.configuration }

    private static var columns: Int { 79 }
    /// Where the second column of a list begins.
    private static var indentation: Int { 26 }

    /// How the command is called.
    var usage: String {
        let words =
            configuration.subcommands.isEmpty ? Target.parameters.map(\.usage) : ["<subcommand>"]
        return ([path] + words).joined(separator: " ")
    }

    /// Everything about the command.
    var help: String {
        var blocks = [
            Self.wrap("OVERVIEW: \(configuration.abstract)"), Self.wrap(configuration.discussion),
        ]
        blocks.append("USAGE: \(usage)")
        let arguments = Target.parameters.filter(\.names.isEmpty).map { ($0.label, $0.help) }
        let options =
            Target.parameters.filter { !$0.names.isEmpty }.map { ($0.label, $0.help) }
            + [("--version", "Show the version."), ("-h, --help", "Show help information.")]
        blocks += [Self.list("ARGUMENTS", arguments), Self.list("OPTIONS", options)]
        let subcommands = configuration.subcommands.map {
            ($0.configuration.commandName, $0.configuration.abstract)
        }
        blocks.append(Self.list("SUBCOMMANDS", subcommands))
        if let root = path.split(separator: " ").first, !subcommands.isEmpty {
            let words = path.dropFirst(root.count)
            blocks.append("  See '\(root) help\(words) <subcommand>' for detailed help.")
        }
        return blocks.filter { !$0.isEmpty }.joined(separator: "\n\n")
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
