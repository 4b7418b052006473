// What `penstock ctl` shows of a running gateway.

import Control

/// Shows pools, backends, tenants and changes.
struct StatusControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show pools, backends, tenants and changes.")

    static var parameters: [Parameter<Self>] {
        [.flag("--json", \.asJSON, "As JSON, as /status has it."), socketOption]
    }

    var asJSON = false
    var socket = Self.usualSocket

    func run() throws { try show("/status", asJSON: asJSON) }
}

/// Says why a pool does what it does.
struct ExplainControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say why a pool refuses, and why its backends get what they get.")

    static var parameters: [Parameter<Self>] {
        [
            poolArgument(\.pool),
            .flag("--json", \.asJSON, "As JSON."), socketOption,
        ]
    }

    var pool = ""
    var asJSON = false
    var socket = Self.usualSocket

    func run() throws {
        try show("/explain?\(ControlClient.query(["pool": pool]))", asJSON: asJSON)
    }
}

/// Lists what operators have changed, or takes it all back.
struct OverridesControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "overrides", abstract: "List what was changed, or take all of it back.")

    static var parameters: [Parameter<Self>] {
        [
            .flag("--clear", \.clears, "Take all changes back."),
            .flag("--json", \.asJSON, "As JSON."), socketOption,
        ]
    }

    var clears = false
    var asJSON = false
    var socket = Self.usualSocket

    func run() throws {
        if clears { return try change("clear", [:]) }
        try show("/overrides", asJSON: asJSON)
    }
}

/// Prints all that is known of the gateway.
struct DumpControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Print the state, the limits that were found and the policy, as JSON.")

    static var parameters: [Parameter<Self>] { [socketOption] }

    var socket = Self.usualSocket

    func run() throws { try show("/dump", asJSON: true) }
}
