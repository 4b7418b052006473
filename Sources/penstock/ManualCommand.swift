// `penstock manual`: the pages for man(1).

import Policy

/// Prints a page of the manual.
struct ManualCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "manual",
        abstract: "Print a page of the manual, for man.",
        discussion: """
            Packages install them. To read one without that:

              penstock manual | man --local-file -
              penstock manual --page penstock.yaml | man --local-file -
            """)

    /// The pages that there are.
    enum Page: String, CaseIterable, LosslessStringConvertible {
        /// Of the command, in section 1.
        case command = "penstock"
        /// Of policy files, in section 5.
        case policy = "penstock.yaml"

        var description: String { rawValue }

        init?(_ description: String) { self.init(rawValue: description) }
    }

    static var parameters: [Parameter<Self>] {
        [
            .option(
                "--page", value: "page", \.page,
                "penstock for the command, penstock.yaml for policy files.",
                values: Page.allCases.map(\.rawValue))
        ]
    }

    var page = Page.command

    func run() {
        let text =
            switch page {
            case .command: CommandPage(Penstock.outline, version: Penstock.version).text
            case .policy: PolicyPage(PolicyReference.parts, version: Penstock.version).text
            }
        print(text, terminator: "")
    }
}
