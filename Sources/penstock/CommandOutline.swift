// What a command is without its code: the parser's own tables, as help, completions for shells and the manual
// page read them. None of them can then speak of an option that is not there, or leave one out.

/// A command, and those below it.
struct CommandOutline {
    /// The command's name behind those of the groups that it is in, the program's first.
    let path: [String]
    /// A sentence for lists of commands.
    let abstract: String
    /// What else help says.
    let discussion: String
    /// In the order of their help, without those that every command has.
    let parameters: [ParameterOutline]
    let subcommands: [CommandOutline]

    init<Target: Command>(_ type: Target.Type, path: [String]) {
        self.path = path
        abstract = Target.configuration.abstract
        discussion = Target.configuration.discussion
        parameters = Target.parameters.map(\.outline)
        subcommands = Target.configuration.subcommands.map { Self.outline($0, below: path) }
    }

    private static func outline<Target: Command>(
        _ type: Target.Type, below path: [String]
    ) -> CommandOutline {
        CommandOutline(type, path: path + [Target.configuration.commandName])
    }

    /// The last word of its path.
    var name: String { path.last ?? "" }

    /// All words of its path, `penstock key new`.
    var fullName: String { path.joined(separator: " ") }

    /// The words behind the program's name, `key new`; empty for the program.
    var words: String { path.dropFirst().joined(separator: " ") }

    /// What is known by its place.
    var arguments: [ParameterOutline] { parameters.filter(\.names.isEmpty) }

    /// What is known by its name.
    var options: [ParameterOutline] { parameters.filter { !$0.names.isEmpty } }

    /// How the command is called.
    var usage: String {
        ([fullName] + (subcommands.isEmpty ? parameters.map(\.usage) : ["<subcommand>"]))
            .joined(separator: " ")
    }

    /// The command and all below it, each behind what it is in.
    var all: [CommandOutline] { [self] + subcommands.flatMap(\.all) }
}

/// One thing that the command line gives to a command.
struct ParameterOutline {
    /// With their hyphens; none for what is known by its place.
    var names: [String] = []
    /// What stands for the value in help; none for flags.
    var value: String?
    var kind = ValueKind.text
    var help: String
    var isRequired = false
    var isRepeated = false

    /// What every command has.
    static let general = [
        ParameterOutline(names: ["--version"], help: "Show the version."),
        ParameterOutline(names: ["-h", "--help"], help: "Show help information."),
    ]

    /// The parameter as help lists it: `-p, --policy <file>`.
    var label: String { labelled(names.joined(separator: ", ")) }

    /// The parameter as usage shows it: `[--seed <number>]`.
    var usage: String { isRequired ? synopsis : "[\(synopsis)]" }

    /// The parameter as messages call it: `--policy <file>`.
    var synopsis: String { labelled(names.last ?? "") + (isRepeated ? " ..." : "") }

    /// `name` and what stands for the value.
    func labelled(_ name: String) -> String {
        [name, value.map { "<\($0)>" } ?? ""].filter { !$0.isEmpty }.joined(separator: " ")
    }
}

/// What a value is, as far as a shell can offer any.
enum ValueKind {
    /// Nothing to offer: a number, a name of the user's own.
    case text
    case file
    case directory
    /// Some that there are; others may be right as well.
    case words([String])
}
