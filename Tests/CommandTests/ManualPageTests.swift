// Manual pages: everything that the parser and the policy's declarations have is in them, and no text can be taken
// for a request.

import Policy
import Testing

@testable import penstock

@Suite struct ManualPageTests {
    @Test func theCommandsPageHasEveryCommandAndParameter() {
        let text = CommandPage(Penstock.outline, version: "1.2.3").text
        #expect(text.contains(".TH \"PENSTOCK\" 1 \"\" \"Penstock 1.2.3\" Penstock\n"))
        for command in Penstock.outline.all.dropFirst() where command.subcommands.isEmpty {
            #expect(text.contains("\n.SS \"\(RoffText.escaped(command.fullName))\"\n"))
            for parameter in command.parameters {
                let help = RoffText.running(parameter.help)
                #expect(text.contains("\n\(help)\n"), "\(command.fullName) \(parameter.label)")
            }
        }
    }

    @Test func thePolicysPageHasEveryKey() {
        let parts = PolicyReference.parts
        let text = PolicyPage(parts, version: "1.2.3").text
        let keys = parts.flatMap(\.keys)
        #expect(keys.count > 150)
        for key in keys {
            let meaning = RoffText.running(key.meaning)
            #expect(
                text.contains(".TP\n\(RoffText.bold(key.path))\n\(meaning)\n.br\n"), "\(key.path)")
        }
    }

    @Test func requestsAreThoseThatWereMeant() {
        let requests: Set = [
            ".\\\"", ".TH", ".SH", ".SS", ".PP", ".TP", ".br", ".RS", ".RE", ".EX", ".EE",
        ]
        let pages = [
            CommandPage(Penstock.outline, version: "1").text,
            PolicyPage(PolicyReference.parts, version: "1").text,
        ]
        for line in pages.joined().split(separator: "\n") {
            if line.hasPrefix(".") {
                #expect(requests.contains(String(line.prefix { $0 != " " })), "\(line)")
            }
            #expect(!line.hasPrefix("'"), "\(line)")
        }
    }

    @Test func charactersAreShownAsTheyAre() {
        #expect(RoffText.escaped("a-b\\c'd`e^f~") == "a\\-b\\ec\\(aqd\\(gae\\(haf\\(ti")
        #expect(RoffText.running("Say `-p` or `x`.") == "Say \\fB\\-p\\fR or \\fBx\\fR.")
        #expect(RoffText.running("one ` alone") == "one \\(ga alone")
        #expect(RoffText.running(".hidden") == "\\&.hidden")
        var page = RoffText(name: "a\"b", section: 1, version: "1")
        page.discussion("One.\n\n  .indented\n    more\n\nLast.")
        let end = ".PP\nOne.\n.PP\n.RS 4\n.EX\n\\&.indented\n  more\n.EE\n.RE\n.PP\nLast.\n"
        #expect(page.text.contains("\"A\\(dqB\"") && page.text.hasSuffix(end))
    }
}
