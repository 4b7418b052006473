// Completions for bash: one function over the tables that the parser reads. It needs nothing but bash, the package
// bash-completion, which would load it, included.

/// What bash reads.
struct BashCompletion {
    private let root: CommandOutline

    init(_ root: CommandOutline) {
        self.root = root
    }

    /// The script.
    var text: String {
        #"""
        # Completions of \#(root.name) for bash. Made by `\#(root.name) completion bash`.

        _\#(root.name)() {
            local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
            local command="" words="" options="" kind="" is_help="" is_over="" index word
            COMPREPLY=()
            # Bash takes the sign of `--name=value` for a word of its own.
            if [[ $current == = ]]; then
                current=""
            elif [[ $previous == = ]]; then
                previous=${COMP_WORDS[COMP_CWORD - 2]}
            fi
            for ((index = 1; index < COMP_CWORD; index++)); do
                word=${COMP_WORDS[index]}
                case "$command $word" in
                \#(steps)) command=${command:+$command }$word ;;
                " help") is_help=1 ;;
                *" --") is_over=1 ;;
                esac
            done
            if [[ ! $is_over && ! $is_help ]]; then
                case "$command $previous" in
        \#(values.joined(separator: "\n"))
                esac
            fi
            case $command in
        \#(commands.joined(separator: "\n"))
            esac
            if [[ $is_help ]]; then
                options="" kind=""
            fi
            if [[ $current == -* && ! $is_over ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
            elif [[ $kind == file ]]; then
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
            else
                mapfile -t COMPREPLY < <(compgen -W "${words:-$options}" -- "$current")
            fi
        }
        complete -F _\#(root.name) \#(root.name)

        """#
    }

    /// The patterns of a command's words and the next one that is a command.
    private var steps: String {
        root.all.dropFirst().map { command in
            let group = command.path.dropFirst().dropLast().joined(separator: " ")
            return "\"\(group) \(command.name)\""
        }.joined(separator: " | ")
    }

    /// What follows an option that takes a value: options that are followed by the same share an arm.
    private var values: [String] {
        var arms: [(patterns: [String], action: [String])] = []
        for command in root.all {
            for option in command.options where option.value != nil {
                let patterns = option.names.map { "\"\(command.words) \($0)\"" }
                let action = Self.action(option.kind)
                if let place = arms.firstIndex(where: { $0.action == action }) {
                    arms[place].patterns += patterns
                } else {
                    arms.append((patterns, action))
                }
            }
        }
        return arms.map { patterns, action in
            let lines = (action + ["return", ";;"]).map { "\n            \($0)" }
            return "        \(patterns.joined(separator: " | ")))\(lines.joined())"
        }
    }

    private static func action(_ kind: ValueKind) -> [String] {
        switch kind {
        case .text: []
        case .file: ["compopt -o filenames", offer("-f")]
        case .directory: ["compopt -o filenames", offer("-d")]
        case .words(let words): [offer("-W \"\(words.joined(separator: " "))\"")]
        }
    }

    private static func offer(_ source: String) -> String {
        "mapfile -t COMPREPLY < <(compgen \(source) -- \"$current\")"
    }

    /// What there is at each command.
    private var commands: [String] {
        root.all.map { command in
            let names = (command.options + ParameterOutline.general).flatMap(\.names)
            var line = "    \"\(command.words)\") options=\"\(names.joined(separator: " "))\""
            var words = command.subcommands.map(\.name)
            if command.path.count == 1 { words.append("help") }
            switch command.arguments.first?.kind {
            case .file, .directory: line += " kind=file"
            case .words(let offered): words += offered
            case .text, nil: break
            }
            if !words.isEmpty { line += " words=\"\(words.joined(separator: " "))\"" }
            return line + " ;;"
        }
    }
}
