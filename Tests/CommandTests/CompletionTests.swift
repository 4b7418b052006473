// Completions of commands that no shell has seen yet: what is offered where, and that no text of theirs can end a
// script's quotes. What shells make of them is tested with shells.

import Testing

@testable import penstock

@Suite struct CompletionTests {
    /// A program with everything that scripts have to tell apart, and with texts that are hard to quote.
    private static let outline = CommandOutline(Tool.self, path: ["tool"])

    private struct Tool: Command {
        static let configuration = CommandConfiguration(
            commandName: "tool", abstract: "A tool.", subcommands: [Group.self])
    }

    private struct Group: Command {
        static let configuration = CommandConfiguration(
            commandName: "group", abstract: "A group: of one.", subcommands: [Leaf.self])
    }

    private struct Leaf: Command {
        static let configuration = CommandConfiguration(
            commandName: "leaf", abstract: "It's a leaf.")

        static var parameters: [Parameter<Self>] {
            [
                .arguments("file", \.files, "Files.", kind: .file),
                .option(
                    "-c", "--colour", value: "name", \.colour, "A [colour]: `x`.",
                    values: ["a", "b"]),
                .option("--into", value: "folder", \.into, "Where to.", kind: .directory),
                .flag("--quiet", \.quiet, "Don't speak."),
            ]
        }

        var files: [String] = []
        var colour = "a"
        var into: String?
        var quiet = false
    }

    @Test func bashKnowsEachCommandsWords() {
        let text = BashCompletion(Self.outline).text
        #expect(text.contains("\n        \" group\" | \"group leaf\") command="))
        #expect(
            text.contains(
                "    \"group leaf\") options=\"-c --colour --into --quiet --version -h --help\" kind=file ;;"
            ))
        #expect(text.contains("    \"\") options=\"--version -h --help\" words=\"group help\" ;;"))
        #expect(text.contains("\"group leaf -c\" | \"group leaf --colour\")\n            mapfile"))
        #expect(text.contains("compgen -W \"a b\" -- "))
        #expect(text.contains("\"group leaf --into\")\n            compopt -o filenames\n"))
        // What help says is shown by no completion of bash, and so cannot break its script.
        #expect(!text.contains("speak") && !text.contains("colour]"))
    }

    @Test func zshEscapesWhatItWouldRead() {
        let text = ZshCompletion(Self.outline).text
        #expect(text.hasPrefix("#compdef tool\n"))
        #expect(
            text.contains(
                "'(-c --colour)-c[A \\[colour\\]\\: `x`. (values\\: a, b; default\\: a)]:name:(a b)'"
            ))
        #expect(text.contains("'(-c --colour)--colour=[A "))
        #expect(text.contains("'--into=[Where to.]:folder:_files -/'"))
        #expect(text.contains("'--quiet[Don'\\''t speak.]'") && text.contains("'*:file:_files'"))
        #expect(text.contains("'group:A group\\: of one.'"))
        #expect(text.contains("            leaf) _tool_group_leaf ;;"))
        #expect(text.contains("            help) _tool_help ;;"))
        #expect(text.contains("            group) _tool_help_group ;;"))
        #expect(text.contains("            leaf) : ;;"))
    }

    @Test func fishHasALineForEachWord() {
        let lines = FishCompletion(Self.outline).text.split(separator: "\n")
        let leaf = "complete -c tool -n '__tool_at group leaf'"
        #expect(lines.contains("\(leaf) -F"))
        #expect(lines.contains("\(leaf) -l quiet -d 'Don\\'t speak.'"))
        #expect(
            lines.contains(
                "\(leaf) -l into -r -f -a '(__fish_complete_directories)' -d 'Where to.'"))
        #expect(lines.contains { $0.hasPrefix("\(leaf) -s c -l colour -r -f -a 'a b' -d ") })
        #expect(lines.contains("complete -c tool -n '__tool_at group' -a leaf -d 'It\\'s a leaf.'"))
        #expect(
            lines.contains("complete -c tool -n '__tool_at help group' -a leaf -d 'It\\'s a leaf.'")
        )
        #expect(lines.contains { $0.contains("case ' group' 'group leaf' ' help' 'help group'") })
    }
}
