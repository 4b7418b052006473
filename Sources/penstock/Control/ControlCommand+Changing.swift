// What `penstock ctl` changes of a running gateway.

import Control
import Glibc
import Policy

/// Sends a backend nothing new.
struct DrainControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Send a backend nothing new; what runs there runs to its end.")

    static var parameters: [Parameter<Self>] {
        [
            poolArgument(\.pool),
            backendArgument(\.backend),
            durationOption(\.duration),
            .option(
                "--wait", value: "time", \.wait,
                "Wait for up to this time until nothing is in flight there; status 1 if something still is."
            ),
            socketOption,
        ]
    }

    var pool = ""
    var backend = ""
    var duration: String?
    var wait: String?
    var socket = Self.usualSocket

    func validate() throws {
        if let wait, Duration.written(wait) == nil {
            throw ValidationError("'\(wait)' is no time; write one such as 5m")
        }
    }

    func run() throws {
        try change("drain", ["pool": pool, "backend": backend, "for": duration])
        guard let wait = wait.flatMap({ Duration.written($0) }) else { return }
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: wait)
        let page = "/backend?\(ControlClient.query(["pool": pool, "backend": backend]))"
        while true {
            let count = try ask { (client) throws(ControlClient.Failure) in try client.get(page) }
            if count == "0\n" { return print("nothing is in flight there") }
            guard clock.now < end else {
                var standardError = StandardError()
                print("error: still in flight there: \(count)", terminator: "", to: &standardError)
                throw ExitCode.failure
            }
            usleep(DrainControlCommand.pauseMicroseconds)
        }
    }

    private static let pauseMicroseconds: UInt32 = 100_000
}

/// Sends a backend requests again.
struct UndrainControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "undrain", abstract: "Send a backend requests again.")

    static var parameters: [Parameter<Self>] {
        [
            poolArgument(\.pool),
            backendArgument(\.backend),
            socketOption,
        ]
    }

    var pool = ""
    var backend = ""
    var socket = Self.usualSocket

    func run() throws { try change("undrain", ["pool": pool, "backend": backend]) }
}

/// Pins a limit.
struct LimitControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "limit",
        abstract: "Pin the limit of a pool's backends, or of one; `auto` goes on from there.",
        discussion: """
              penstock ctl limit chat 64 --for 30m
              penstock ctl limit chat http://10.0.0.11:8000 auto
            """)

    static var parameters: [Parameter<Self>] {
        [
            .arguments(
                "word", \.words,
                "The pool's name, a backend's URL for that one alone, and the limit of each backend or `auto`."
            ),
            durationOption(\.duration), socketOption,
        ]
    }

    var words: [String] = []
    var duration: String?
    var socket = Self.usualSocket

    func validate() throws {
        guard (2...3).contains(words.count) else {
            throw ValidationError("write POOL LIMIT, or POOL BACKEND LIMIT")
        }
    }

    func run() throws {
        try change(
            "limit",
            [
                "pool": words[0], "backend": words.count == 3 ? words[1] : nil,
                "value": words[words.count - 1], "for": duration,
            ])
    }
}

/// Has a pool refuse, or only count what it would refuse.
struct ModeControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "mode", abstract: "Have a pool carry its decisions out, or only count them.")

    static var parameters: [Parameter<Self>] {
        [
            poolArgument(\.pool),
            .argument("mode", \.mode, "`enforce`, `observe`, or `auto` for what the policy says."),
            durationOption(\.duration), socketOption,
        ]
    }

    var pool = ""
    var mode = ""
    var duration: String?
    var socket = Self.usualSocket

    func run() throws { try change("mode", ["pool": pool, "value": mode, "for": duration]) }
}

/// Gives a tenant another weight.
struct WeightControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "weight", abstract: "Give a tenant another weight among those of a pool.")

    static var parameters: [Parameter<Self>] {
        [
            poolArgument(\.pool),
            .argument("tenant", \.tenant, "The tenant's name as the policy has it."),
            .argument(
                "weight", \.weight, "0.01 to 1000, or `auto` for what the policy says."),
            durationOption(\.duration), socketOption,
        ]
    }

    var pool = ""
    var tenant = ""
    var weight = ""
    var duration: String?
    var socket = Self.usualSocket

    func run() throws {
        try change(
            "weight", ["pool": pool, "tenant": tenant, "value": weight, "for": duration])
    }
}

/// Has the log say more or less.
struct LogControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Have the operational log say more or less.")

    static var parameters: [Parameter<Self>] {
        [
            .argument(
                "level", \.level,
                "\(LogSettings.Level.allCases.map(\.rawValue).joined(separator: ", ")), or `auto` for what the policy says."
            ),
            durationOption(\.duration), socketOption,
        ]
    }

    var level = ""
    var duration: String?
    var socket = Self.usualSocket

    func run() throws { try change("log", ["value": level, "for": duration]) }
}

/// Reads the policy again.
struct ReloadControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Read the policy again, and say what has changed or what is wrong with it.",
        discussion:
            "The status is 0 where the policy is in force then, and 1 where the old one stays.")

    static var parameters: [Parameter<Self>] { [socketOption] }

    var socket = Self.usualSocket

    func run() throws { try change("reload", [:], seconds: 120) }
}

/// Has the program on disk take over.
struct UpgradeControlCommand: ControlSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Have the program on disk take over, while this one drains.",
        discussion: "The status is 0 once the new process serves, and 1 where the old one goes on.")

    static var parameters: [Parameter<Self>] { [socketOption] }

    var socket = Self.usualSocket

    func run() throws { try change("upgrade", [:], seconds: 120) }
}
