// What help says: every parameter, within the columns of a terminal.

import Testing

@testable import penstock

@Suite struct CommandManualTests {
    @Test func helpHasEveryParameterAndFitsATerminal() {
        check(Penstock.self, "penstock")
        for command in Penstock.configuration.subcommands { check(command, "penstock x") }
        check(KeyNewCommand.self, "penstock key new")
    }

    private func check<Target: Command>(_ type: Target.Type, _ path: String) {
        let manual = CommandManual<Target>(path: path)
        let lines = manual.help.split(separator: "\n")
        for line in lines where !line.hasPrefix("USAGE: ") {
            #expect(line.count < 80, "\(Target.configuration.commandName): \(line)")
        }
        for parameter in Target.parameters {
            #expect(lines.contains { $0.hasPrefix("  \(parameter.label) ") }, "\(parameter.label)")
            #expect(manual.usage.contains(parameter.usage), "\(parameter.usage)")
        }
    }

    @Test func listsAreLaidOutInTwoColumns() {
        let help = CommandManual<ServeCommand>(path: "penstock serve").help
        #expect(help.hasPrefix("OVERVIEW: Run the gateway with a policy.\n\n"))
        let end = """
            USAGE: penstock serve --policy <file> [--seed <number>]

            OPTIONS:
              -p, --policy <file>     The policy file.
              --seed <number>         Decides whatever is left to chance; by default
                                      another one each time.
              --version               Show the version.
              -h, --help              Show help information.
            """
        #expect(help.hasSuffix("\n\n\(end)"))
    }

    @Test func groupsListTheirCommands() {
        let help = CommandManual<KeyCommand>(path: "penstock key").help
        #expect(help.contains("\n\nUSAGE: penstock key <subcommand>\n\n"))
        #expect(help.contains("SUBCOMMANDS:\n  new                     Make an API key and print"))
        #expect(help.hasSuffix("  See 'penstock help key <subcommand>' for detailed help."))
    }
}
