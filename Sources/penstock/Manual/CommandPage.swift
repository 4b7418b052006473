// penstock(1), from the tables that the parser reads.

/// The manual page of the command line.
struct CommandPage {
    /// The page in man(7).
    let text: String

    init(_ root: CommandOutline, version: String) {
        var page = RoffText(name: root.name, section: 1, version: version)
        page.section("NAME")
        page.verbatim(["\(root.name) \\- \(RoffText.escaped(Self.phrase(root.abstract)))"])
        page.section("SYNOPSIS")
        page.verbatim(root.all.filter(\.subcommands.isEmpty).map(Self.synopsis))
        page.section("DESCRIPTION")
        page.discussion(root.discussion)
        page.section("COMMANDS")
        for command in root.all.dropFirst() where command.subcommands.isEmpty {
            Self.describe(command, on: &page)
        }
        page.section("OPTIONS OF ALL COMMANDS")
        for option in ParameterOutline.general { Self.list(option, on: &page) }
        Self.close(&page)
        text = page.text
    }

    private static func describe(_ command: CommandOutline, on page: inout RoffText) {
        page.subsection(command.fullName)
        page.verbatim([synopsis(command)])
        page.paragraph(command.abstract)
        page.discussion(command.discussion)
        for parameter in command.parameters { list(parameter, on: &page) }
    }

    private static func list(_ parameter: ParameterOutline, on page: inout RoffText) {
        var words = parameter.names.map(RoffText.bold).joined(separator: ", ")
        if let value = parameter.value {
            words += (words.isEmpty ? "" : " ") + RoffText.italic(value)
        }
        page.item(words, parameter.help)
    }

    /// Usage with what is written literally in bold, and what stands for values in italics.
    private static func synopsis(_ command: CommandOutline) -> String {
        let parameters = command.parameters.map { parameter in
            let name = parameter.names.last.map { [RoffText.bold($0)] } ?? []
            let value = parameter.value.map { [RoffText.italic($0)] } ?? []
            let words = (name + value).joined(separator: " ") + (parameter.isRepeated ? " ..." : "")
            return parameter.isRequired ? words : "[\(words)]"
        }
        return ([RoffText.bold(command.fullName)] + parameters).joined(separator: " ")
    }

    /// A sentence as the line that whatis(1) shows.
    private static func phrase(_ sentence: String) -> String {
        sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence
    }

    /// What no table of the parser has: how commands end, and where packages put files.
    private static func close(_ page: inout RoffText) {
        page.section("EXIT STATUS")
        page.item("0", "It is done; for `serve`: it has drained, or was ended at once.")
        page.item(
            "1",
            "It cannot be done, as standard error says, or what was asked does not hold: a policy is "
                + "not valid, a scenario's expectation fails.")
        page.item(
            "2", "A file of `simulate`, `compare` or `adversary` has faults or cannot be written.")
        page.item("64", "The command line is not understood.")
        page.section("FILES")
        page.item(
            RoffText.italic("/etc/penstock/policy.yaml"), "The policy that the service serves with."
        )
        page.item(
            RoffText.italic("/var/lib/penstock"),
            "Where the service can keep the limits that were found (`state`).")
        page.item(RoffText.italic("/var/log/penstock"), "Where the service can write logs (`log`).")
        page.item(RoffText.italic("/run/penstock"), "Where the service can have unix sockets.")
        page.item(
            RoffText.italic("/usr/share/doc/penstock"),
            "The documentation, and policies to begin with.")
        page.section("SEE ALSO")
        page.verbatim(["\(RoffText.bold("penstock.yaml"))(5), \(RoffText.bold("systemctl"))(1)"])
    }
}
