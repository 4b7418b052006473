// What a command is: the words that its help shows, and the parameters that set its properties.

/// A command, or a group of them.
protocol Command: SendableMetatype {
    static var configuration: CommandConfiguration { get }
    /// In the order of their help.
    static var parameters: [Parameter<Self>] { get }

    /// A command whose parameters have their defaults.
    init()
    /// Refuses with a `ValidationError` what no single parameter can tell.
    func validate() throws
    func run() throws
}

extension Command {
    static var parameters: [Parameter<Self>] { [] }
    func validate() throws {}
    func run() throws {}
}

/// How a command is called and described.
struct CommandConfiguration: Sendable {
    var commandName: String
    /// A sentence for lists of commands.
    var abstract: String
    /// What else help says.
    var discussion = ""
    /// In place of parameters and of anything to run.
    var subcommands: [any Command.Type] = []
}

/// A fault of the command line, answered with the command's usage and status 64 (EX_USAGE).
struct ValidationError: Error {
    let text: String
    /// The parameter's help, if the fault is about one.
    var help: String?

    init(_ text: String, help: String? = nil) {
        self.text = text
        self.help = help
    }
}

/// An exit status; whoever throws one has said why.
struct ExitCode: Error {
    static let failure = ExitCode(1)
    let rawValue: Int32

    init(_ rawValue: Int32) {
        self.rawValue = rawValue
    }
}

/// One thing that the command line gives to a command.
struct Parameter<Target: Command> {
    /// With their hyphens; none for what is known by its place.
    var names: [String] = []
    /// What stands for the value in help; none for flags.
    var value: String?
    var help: String
    var isRequired = false
    var isRepeated = false
    /// Takes the value over; false if it is none.
    let take: (inout Target, String) -> Bool

    /// An argument that is known by its place.
    static func argument(
        _ value: String, _ property: WritableKeyPath<Target, String>, _ help: String
    ) -> Parameter {
        Parameter(value: value, help: help, isRequired: true) {
            $0[keyPath: property] = $1
            return true
        }
    }

    /// All arguments that are known by no more than their place, at least one.
    static func arguments(
        _ value: String, _ property: WritableKeyPath<Target, [String]>, _ help: String
    ) -> Parameter {
        Parameter(value: value, help: help, isRequired: true, isRepeated: true) {
            $0[keyPath: property].append($1)
            return true
        }
    }

    static func flag(
        _ name: String, _ property: WritableKeyPath<Target, Bool>, _ help: String
    ) -> Parameter {
        Parameter(names: [name], help: help) { target, _ in
            target[keyPath: property] = true
            return true
        }
    }

    /// An option that may be left out, and then has no value.
    static func option<Value: LosslessStringConvertible>(
        _ name: String, value: String, _ property: WritableKeyPath<Target, Value?>, _ help: String
    ) -> Parameter {
        Parameter(names: [name], value: value, help: help) {
            $0[keyPath: property] = Value($1)
            return $0[keyPath: property] != nil
        }
    }

    /// An option that has a default unless it is required; `values` are all there are, if few.
    static func option<Value: LosslessStringConvertible>(
        _ names: String..., value: String, _ property: WritableKeyPath<Target, Value>,
        _ help: String, values: [String] = [], isRequired: Bool = false
    ) -> Parameter {
        let all = values.isEmpty ? "" : "values: \(values.joined(separator: ", ")); "
        let choice = isRequired ? "" : " (\(all)default: \(Target()[keyPath: property]))"
        return Parameter(names: names, value: value, help: help + choice, isRequired: isRequired) {
            guard let value = Value($1) else { return false }
            $0[keyPath: property] = value
            return true
        }
    }

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
