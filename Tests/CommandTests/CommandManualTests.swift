// What help says: every parameter, within the columns of a terminal.

import Testing

@testable import penstock

@Suite struct CommandManualTests {
    @Test func helpHasEveryParameterAndFitsATerminal() {
        #expect(Penstock.outline.all.map(\.fullName).contains("penstock key new"))
        for command in Penstock.outline.all { check(command) }
    }

    private func check(_ command: CommandOutline) {
        let lines = CommandManual(command).help.split(separator: "\n")
        for line in lines where !line.hasPrefix("USAGE: ") {
            #expect(line.count < 80, "\(command.fullName): \(line)")
        }
        for parameter in command.parameters {
            #expect(lines.contains { $0.hasPrefix("  \(parameter.label) ") }, "\(parameter.label)")
            #expect(command.usage.contains(parameter.usage), "\(parameter.usage)")
        }
    }

    private func help<Target: Command>(_ type: Target.Type, _ path: String...) -> String {
        CommandManual(CommandOutline(type, path: path)).help
    }

    @Test func listsAreLaidOutInTwoColumns() {
        let help = help(ServeCommand.self, "penstock", "serve")
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
        let help = help(KeyCommand.self, "penstock", "key")
        #expect(help.contains("\n\nUSAGE: penstock key <subcommand>\n\n"))
        #expect(help.contains("SUBCOMMANDS:\n  new                     Make a key and print"))
        #expect(help.hasSuffix("  See 'penstock help key <subcommand>' for detailed help."))
    }
}
