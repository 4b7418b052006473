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
    let outline: ParameterOutline
    /// Takes the value over; false if it is none.
    let take: (inout Target, String) -> Bool

    /// An argument that is known by its place.
    static func argument<Value: LosslessStringConvertible>(
        _ value: String, _ property: WritableKeyPath<Target, Value>, _ help: String,
        kind: ValueKind = .text
    ) -> Parameter {
        Parameter(outline: .init(value: value, kind: kind, help: help, isRequired: true)) {
            take($1, into: property, of: &$0)
        }
    }

    /// All arguments that are known by no more than their place, at least one.
    static func arguments(
        _ value: String, _ property: WritableKeyPath<Target, [String]>, _ help: String,
        kind: ValueKind = .text
    ) -> Parameter {
        let outline = ParameterOutline(
            value: value, kind: kind, help: help, isRequired: true, isRepeated: true)
        return Parameter(outline: outline) {
            $0[keyPath: property].append($1)
            return true
        }
    }

    static func flag(
        _ name: String, _ property: WritableKeyPath<Target, Bool>, _ help: String
    ) -> Parameter {
        Parameter(outline: .init(names: [name], help: help)) { target, _ in
            target[keyPath: property] = true
            return true
        }
    }

    /// An option that may be left out, and then has no value.
    static func option<Value: LosslessStringConvertible>(
        _ name: String, value: String, _ property: WritableKeyPath<Target, Value?>, _ help: String,
        kind: ValueKind = .text
    ) -> Parameter {
        Parameter(outline: .init(names: [name], value: value, kind: kind, help: help)) {
            $0[keyPath: property] = Value($1)
            return $0[keyPath: property] != nil
        }
    }

    /// An option that may be there more than once, at least once.
    static func options(
        _ name: String, value: String, _ property: WritableKeyPath<Target, [String]>, _ help: String
    ) -> Parameter {
        let outline = ParameterOutline(
            names: [name], value: value, help: help, isRequired: true, isRepeated: true)
        return Parameter(outline: outline) {
            $0[keyPath: property].append($1)
            return true
        }
    }

    /// An option that has a default unless it is required; `values` are all there are, if few.
    static func option<Value: LosslessStringConvertible>(
        _ names: String..., value: String, _ property: WritableKeyPath<Target, Value>,
        _ help: String, kind: ValueKind = .text, values: [String] = [], isRequired: Bool = false
    ) -> Parameter {
        let all = values.isEmpty ? "" : "values: \(values.joined(separator: ", ")); "
        let choice = isRequired ? "" : " (\(all)default: \(Target()[keyPath: property]))"
        let outline = ParameterOutline(
            names: names, value: value, kind: values.isEmpty ? kind : .words(values),
            help: help + choice, isRequired: isRequired)
        return Parameter(outline: outline) { take($1, into: property, of: &$0) }
    }

    private static func take<Value: LosslessStringConvertible>(
        _ text: String, into property: WritableKeyPath<Target, Value>, of target: inout Target
    ) -> Bool {
        guard let value = Value(text) else { return false }
        target[keyPath: property] = value
        return true
    }
}
