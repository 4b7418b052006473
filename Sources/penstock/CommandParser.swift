// From the words of the command line to the command that they name, and to the exit status.

/// Finds the command that is meant and runs it.
struct CommandParser {
    let version: String
    private var standardError = StandardError()

    init(version: String) {
        self.version = version
    }

    /// Runs the command of `root` that `words` name; answers the exit status.
    mutating func run(_ root: any Command.Type, _ words: [String]) -> Int32 {
        var command = root
        var path = [root.configuration.commandName]
        var rest = words[...]
        let wantsHelp = rest.first == "help"
        if wantsHelp { rest.removeFirst() }
        while let next = command.configuration.subcommands.first(where: {
            $0.configuration.commandName == rest.first
        }) {
            command = next
            path.append(rest.removeFirst())
        }
        let options = rest.prefix { $0 != "--" }
        if options.contains("--version") {
            print(version)
            return 0
        }
        let isGroup = !command.configuration.subcommands.isEmpty
        // What is no command is told as such, and its help is not the group's.
        let isUnknown = isGroup && !(rest.first ?? "-").hasPrefix("-")
        if isUnknown { return execute(command, rest, path) }
        let isGroupAlone = isGroup && rest.allSatisfy { $0 == "--" }
        if wantsHelp || isGroupAlone || options.contains("--help") || options.contains("-h") {
            showHelp(command, path)
            return 0
        }
        return execute(command, rest, path)
    }

    private func showHelp<Target: Command>(_ type: Target.Type, _ path: [String]) {
        print(CommandManual(CommandOutline(type, path: path)).help)
        if Target.configuration.subcommands.isEmpty { print() }
    }

    private mutating func execute<Target: Command>(
        _ type: Target.Type, _ words: ArraySlice<String>, _ path: [String]
    ) -> Int32 {
        do {
            let command = try ArgumentReader<Target>.read(words)
            try command.validate()
            try command.run()
            return 0
        } catch let error as ValidationError {
            print("Error: \(error.text)", to: &standardError)
            if let help = error.help { print("Help:  \(help)", to: &standardError) }
            let outline = CommandOutline(type, path: path)
            print("Usage: \(outline.usage)", to: &standardError)
            print("  See '\(outline.fullName) --help' for more information.", to: &standardError)
            return 64
        } catch let code as ExitCode {
            return code.rawValue
        } catch {
            print("Error: \(error)", to: &standardError)
            return 1
        }
    }
}
