// `penstock serve`: everything that can go wrong before the first request is found out, and said in
// one line, before anything is served.

import Control

/// Runs the gateway.
struct ServeCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the gateway with a policy.",
        discussion: """
            Signals: SIGTERM or SIGINT drains (listeners close, queued and running requests get up to drain_timeout), a \
            second one ends at once. SIGHUP reads the policy again; an invalid one leaves the old one in force. SIGUSR1 \
            opens the log files again after they were rotated. SIGUSR2 has the program on disk take over, with all listening \
            sockets, while this one drains.

            A policy needs little; everything else has a default:

              version: 1
              listen: 0.0.0.0:8080
              pools:
                chat: {backends: [http://127.0.0.1:8000]}
              routes:
                - {path: /*, pool: chat}
            """)

    static var parameters: [Parameter<Self>] {
        [
            .option(
                "-p", "--policy", value: "file", \.policy, "The policy file.", kind: .file,
                isRequired: true),
            .option(
                "--seed", value: "number", \.seed,
                "Decides whatever is left to chance; by default another one each time."),
        ]
    }

    var policy = ""
    var seed: UInt64?

    func run() throws {
        let server = try fail { () throws(ServeError) in
            try Server(
                policyFile: policy, version: Penstock.version,
                seed: seed ?? UInt64.random(in: .min ... .max))
        }
        server.run()
    }

    /// Turns an error into its one line and a non-zero exit.
    private func fail<Result>(_ body: () throws(ServeError) -> Result) throws -> Result {
        do throws(ServeError) {
            return try body()
        } catch {
            var standardError = StandardError()
            print(error.text, to: &standardError)
            throw ExitCode.failure
        }
    }
}
