// Completions for fish: a line for each thing that can be written, with the command that it belongs to.

/// What fish reads.
struct FishCompletion {
    private let root: CommandOutline

    init(_ root: CommandOutline) {
        self.root = root
    }

    /// The script.
    var text: String {
        let lines = ["complete -c \(root.name) -f"] + root.all.flatMap(lines) + helpLines
        return #"""
            # Completions of \#(root.name) for fish. Made by `\#(root.name) completion fish`.

            # Whether the words before the cursor have come to this command.
            function __\#(root.name)_at
                set -l command ''
                set -l words (commandline --tokenize --cut-at-cursor --current-process)
                set -e words[1]
                for word in $words
                    switch "$command $word"
                        case \#(steps)
                            set command (string trim -- "$command $word")
                    end
                end
                test "$command" = "$argv"
            end

            \#(lines.joined(separator: "\n"))

            """#
    }

    /// The words of commands, with and without `help` before them.
    private var steps: String {
        let below = root.all.dropFirst().map { ($0.path.dropFirst().dropLast(), $0.name) }
        let plain = below.map { group, name in
            Self.quoted("\(group.joined(separator: " ")) \(name)")
        }
        let helped = below.map { group, name in
            Self.quoted("\((["help"] + group).joined(separator: " ")) \(name)")
        }
        return (plain + [Self.quoted(" help")] + helped).joined(separator: " ")
    }

    private func lines(_ command: CommandOutline) -> [String] {
        let head = head(command.words)
        var lines = command.subcommands.map { names($0, head) }
        for parameter in command.parameters + ParameterOutline.general {
            var line = head
            for name in parameter.names {
                line +=
                    name.hasPrefix("--") ? " -l \(name.dropFirst(2))" : " -s \(name.dropFirst())"
            }
            if parameter.value != nil { line += offers(parameter) }
            if !parameter.names.isEmpty { line += " -d \(Self.quoted(parameter.help))" }
            lines.append(line)
        }
        return lines
    }

    /// What `help` can be asked about.
    private var helpLines: [String] {
        let groups = root.all.filter { !$0.subcommands.isEmpty }
        return [head("") + " -a help -d \(Self.quoted("Show help of a command."))"]
            + groups.flatMap { group in
                let head = head((["help"] + group.path.dropFirst()).joined(separator: " "))
                return group.subcommands.map { names($0, head) }
            }
    }

    private func head(_ words: String) -> String {
        "complete -c \(root.name) -n \(Self.quoted("__\(root.name)_at \(words)"))"
    }

    private func names(_ command: CommandOutline, _ head: String) -> String {
        "\(head) -a \(command.name) -d \(Self.quoted(command.abstract))"
    }

    private func offers(_ parameter: ParameterOutline) -> String {
        let needsValue = parameter.names.isEmpty ? "" : " -r"
        return switch parameter.kind {
        case .text: needsValue + " -f"
        case .file: needsValue + " -F"
        case .directory: needsValue + " -f -a '(__fish_complete_directories)'"
        case .words(let words): needsValue + " -f -a \(Self.quoted(words.joined(separator: " ")))"
        }
    }

    private static func quoted(_ text: String) -> String {
        "'\(text.replacing("\\", with: "\\\\").replacing("'", with: "\\'"))'"
    }
}
