// `penstock ctl`: asks a running gateway what it does, and changes what is in force, through its control socket.

import Control
import Policy

/// Steers a running gateway.
struct ControlCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "ctl", abstract: "Look at a running gateway, and change what is in force.",
        discussion: """
            The gateway needs `control: unix:/run/penstock/ctl.sock` in its policy; whoever may write to that socket may \
            change it. What is changed holds until it is taken back, its time (--for) is over, the policy says something \
            else in its place, or the gateway is started anew; each change is a line of the log.
            """,
        subcommands: [
            StatusControlCommand.self, ExplainControlCommand.self, DrainControlCommand.self,
            UndrainControlCommand.self, LimitControlCommand.self, ModeControlCommand.self,
            WeightControlCommand.self, LogControlCommand.self, OverridesControlCommand.self,
            ReloadControlCommand.self, UpgradeControlCommand.self, DumpControlCommand.self,
        ])
}

/// A command that asks a running gateway.
protocol ControlSubcommand: Command {
    /// The path of the control socket.
    var socket: String { get set }
}

extension ControlSubcommand {
    /// The option that every such command has.
    static var socketOption: Parameter<Self> {
        .option(
            "-s", "--socket", value: "path", \.socket, "The gateway's control socket.", kind: .file)
    }

    /// The pool that it is about.
    static func poolArgument(_ property: WritableKeyPath<Self, String>) -> Parameter<Self> {
        .argument("pool", property, "The pool's name.")
    }

    /// The backend that it is about.
    static func backendArgument(_ property: WritableKeyPath<Self, String>) -> Parameter<Self> {
        .argument("backend", property, "The backend's URL, or what is behind its scheme.")
    }

    /// How long a change lasts.
    static func durationOption(_ property: WritableKeyPath<Self, String?>) -> Parameter<Self> {
        .option("--for", value: "time", property, "When it ends by itself, such as 30m.")
    }

    /// Where packages have the socket, unless the environment names another one.
    static var usualSocket: String {
        ProcessEnvironment.variable("PENSTOCK_CONTROL") ?? ControlClient.usualPath
    }

    /// The running gateway.
    var client: ControlClient {
        ControlClient(path: socket.hasPrefix("unix:") ? String(socket.dropFirst(5)) : socket)
    }

    /// What `body` gets from the gateway; a failure is told, and ends the command with status 1.
    func ask<Answer>(
        _ body: (ControlClient) throws(ControlClient.Failure) -> Answer
    ) throws(ExitCode) -> Answer {
        do throws(ControlClient.Failure) {
            return try body(client)
        } catch {
            var standardError = StandardError()
            let text = error.text.hasSuffix("\n") ? String(error.text.dropLast()) : error.text
            print(PlainText.visible(text), to: &standardError)
            throw ExitCode.failure
        }
    }

    /// Has `name` done with those of `values` that are there, and prints what is answered.
    func change(
        _ name: String, _ values: [String: String?], seconds: Int = 10
    ) throws(ExitCode) {
        let given = values.compactMapValues { $0 }
        let answer = try ask { (client) throws(ControlClient.Failure) in
            try client.post(name, given, seconds: seconds)
        }
        print(PlainText.visible(answer), terminator: "")
    }

    /// Prints what stands at `page`, as tables or as JSON.
    func show(_ page: String, asJSON: Bool) throws(ExitCode) {
        let text = try ask { (client) throws(ControlClient.Failure) in
            try client.get(page, as: asJSON ? .json : .tables)
        }
        print(asJSON ? text : TableLayout.text(of: text), terminator: "")
    }
}
