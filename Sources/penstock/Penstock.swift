// The command line. Each command is a file of its own; this one holds what they share.

import Glibc
import Policy
internal import Reactor

/// `penstock`, the command.
@main
struct Penstock: Command {
    /// The version that this source makes.
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "penstock",
        abstract: "An HTTP gateway that gives inference servers back-pressure.",
        discussion: """
            Penstock stands in front of inference servers (vLLM, SGLang, Triton, TGI, Ollama, embedding servers). It \
            finds out how much each of them can do at once, lets exactly that through, keeps a short queue, and \
            answers the rest at once with 503 and a Retry-After that is meant.

            To see what it does:         penstock demo
            To run it:                   penstock serve --policy policy.yaml
            To check a policy first:     penstock check policy.yaml
            """,
        subcommands: [
            ServeCommand.self, ControlCommand.self, TopCommand.self, CheckCommand.self,
            SchemaCommand.self, WorkerCommand.self, BulkCommand.self, SimulateCommand.self,
            CompareCommand.self, AdversaryCommand.self, DemoCommand.self, KeyCommand.self,
            CompletionCommand.self, ManualCommand.self,
        ])

    /// What help, completions and the manual say, from the tables that the parser reads.
    static var outline: CommandOutline {
        CommandOutline(Penstock.self, path: [configuration.commandName])
    }

    static func main() {
        let words = ProcessArguments.words
        // Help and success would hide from a script that its command was never run.
        guard !words.isEmpty else {
            writeToStandardError(
                "error: the process was started without arguments; "
                    + "start it with its name and a command\n")
            exit(1)
        }
        var parser = CommandParser(version: version)
        exit(parser.run(Penstock.self, Array(words.dropFirst())))
    }
}

/// Writes to standard error, so that standard output stays for results.
struct StandardError: TextOutputStream {
    mutating func write(_ string: String) { writeToStandardError(string) }
}
