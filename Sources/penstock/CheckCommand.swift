// `penstock check`: what `serve` would say about policy files, without serving.

import Control
import Policy

/// Checks policy files with the code that `serve` runs.
struct CheckCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check policy files and report every fault with its line and column.",
        discussion: """
            Exits with 0 when all files are valid, else with 1 after one line for each fault:

              policy.yaml:7:15: error: pools.chat.queue.max_wait: "2" has no unit; write 2s

            What this machine would have to give is looked at too: certificates, keys, folders of logs,
            addresses, descriptors. An address that is in use counts as there. Leave that out with
            --policy-only, where the policy is for another machine.
            """)

    static var parameters: [Parameter<Self>] {
        [
            .arguments("file", \.files, "The policy files."),
            .flag("--dump", \.dump, "Print each valid policy whole, with every default filled in."),
            .flag(
                "--policy-only", \.isPolicyOnly,
                "Look at the policy and its keys files alone, and at nothing of this machine."),
        ]
    }

    var files: [String] = []
    var dump = false
    var isPolicyOnly = false

    func run() throws {
        var isValid = true
        var standardError = StandardError()
        for file in files {
            do throws(PolicyError) {
                let policy = try load(file)
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
    private func load(_ file: String) throws(PolicyError) -> Policy {
        let loaded = try PolicyLoader.read(path: file)
        if !isPolicyOnly, let error = loaded.error(MachineCheck.faults(loaded.policy)) {
            throw error
        }
        return loaded.policy
    }
}
