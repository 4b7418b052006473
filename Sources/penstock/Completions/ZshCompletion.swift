// Completions for zsh: a function for each command, in the words of _arguments (zshcompsys(1)).

/// What zsh reads.
struct ZshCompletion {
    private let root: CommandOutline

    init(_ root: CommandOutline) {
        self.root = root
    }

    /// The script, to be found in `fpath` as `_penstock`, or sourced.
    var text: String {
        let functions = root.all.map(function) + root.all.compactMap(helpFunction)
        return #"""
            #compdef \#(root.name)
            # Completions of \#(root.name) for zsh. Made by `\#(root.name) completion zsh`.

            \#(functions.joined(separator: "\n\n"))

            if [[ $funcstack[1] == _\#(root.name) ]]; then
                _\#(root.name) "$@"
            else
                compdef _\#(root.name) \#(root.name)
            fi

            """#
    }

    private func function(_ command: CommandOutline) -> String {
        let options = (command.options + ParameterOutline.general).flatMap(options)
        guard !command.subcommands.isEmpty else {
            let specifications = options + command.arguments.map(argument)
            return """
                \(name(command))() {
                    _arguments -S \(Self.list(specifications))
                }
                """
        }
        var rows = command.subcommands.map { (name: $0.name, text: $0.abstract, call: name($0)) }
        if command.path.count == 1 {
            rows.append(("help", "Show help of a command.", helpName(command)))
        }
        return group(name(command), rows, options: options)
    }

    /// What `help` can be asked about, below a group.
    private func helpFunction(_ command: CommandOutline) -> String? {
        guard !command.subcommands.isEmpty else { return nil }
        let rows = command.subcommands.map { below in
            let call = below.subcommands.isEmpty ? ":" : helpName(below)
            return (name: below.name, text: below.abstract, call: call)
        }
        return group(helpName(command), rows, options: [])
    }

    private func group(
        _ name: String, _ rows: [(name: String, text: String, call: String)], options: [String]
    ) -> String {
        let names = rows.map { row in
            let text = row.text.replacing(":", with: "\\:")
            return "        \(Self.quoted("\(row.name):\(text)"))"
        }
        let cases = rows.map { "            \($0.name)) \($0.call) ;;" }
        return #"""
            \#(name)() {
                local curcontext=$curcontext state line
                local -a commands=(
            \#(names.joined(separator: "\n"))
                )
                _arguments -C \#(Self.list(options + ["1: :->command", "*:: :->rest"]))
                case $state in
                    command) _describe -t commands command commands ;;
                    rest)
                        case $words[1] in
            \#(cases.joined(separator: "\n"))
                        esac
                        ;;
                esac
            }
            """#
    }

    /// A specification for each of an option's names, none of them beside another.
    private func options(_ option: ParameterOutline) -> [String] {
        let others = option.names.count > 1 ? "(\(option.names.joined(separator: " ")))" : ""
        return option.names.map { name in
            let sign = option.value != nil && name.hasPrefix("--") ? "=" : ""
            let value = option.value.map { ":\(Self.escaped($0)):\(action(option.kind))" } ?? ""
            return "\(others)\(name)\(sign)[\(Self.escaped(option.help))]\(value)"
        }
    }

    private func argument(_ argument: ParameterOutline) -> String {
        let place = argument.isRepeated ? "*" : ""
        return "\(place):\(Self.escaped(argument.value ?? "")):\(action(argument.kind))"
    }

    private func action(_ kind: ValueKind) -> String {
        switch kind {
        case .text: " "
        case .file: "_files"
        case .directory: "_files -/"
        case .words(let words): "(\(words.joined(separator: " ")))"
        }
    }

    private func name(_ command: CommandOutline) -> String {
        "_" + command.path.joined(separator: "_")
    }

    private func helpName(_ command: CommandOutline) -> String {
        "_\(root.name)_help" + command.path.dropFirst().map { "_\($0)" }.joined()
    }

    /// Words of a command on lines of their own.
    private static func list(_ words: [String]) -> String {
        words.map { "\\\n        \(quoted($0))" }.joined(separator: " ")
    }

    /// What _arguments shows as it stands.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            if "[]:\\".contains(character) { result += "\\" }
            result.append(character)
        }
        return result
    }

    private static func quoted(_ text: String) -> String {
        "'\(text.replacing("'", with: "'\\''"))'"
    }
}
