// `penstock check`: what `serve` would say about policy files, without serving.

import Policy

/// Checks policy files with the code that `serve` runs.
struct CheckCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check policy files and report every fault with its line and column.",
        discussion: """
            Exits with 0 when all files are valid, else with 1 after one line for each fault:

              policy.yaml:7:15: error: pools.chat.queue.max_wait: "2" has no unit; write 2s
            """)

    static var parameters: [Parameter<Self>] {
        [
            .arguments("file", \.files, "The policy files."),
            .flag("--dump", \.dump, "Print each valid policy whole, with every default filled in."),
        ]
    }

    var files: [String] = []
    var dump = false

    func run() throws {
        var isValid = true
        var standardError = StandardError()
        for file in files {
            do throws(PolicyError) {
                let policy = try PolicyLoader.load(path: file)
                if dump {
                    print(PolicyDump.yaml(policy), terminator: "")
                } else {
                    print("\(file): valid")
                }
            } catch {
                print(error, to: &standardError)
                isValid = false
            }
        }
        if !isValid { throw ExitCode.failure }
    }
}
