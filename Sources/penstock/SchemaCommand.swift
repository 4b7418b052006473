// `penstock schema`: the policy's definition, for editors and for people.

import Policy

/// Prints the definition of policy files.
struct SchemaCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of policy files, for editors.",
        discussion: """
            Editors with a YAML language server complete and check a policy that begins with

              # yaml-language-server: $schema=penstock.schema.json
            """)

    static var parameters: [Parameter<Self>] {
        [
            .flag("--markdown", \.markdown, "Print the reference of all keys as Markdown instead.")
        ]
    }

    var markdown = false

    func run() {
        print(markdown ? PolicyReference.markdown() : PolicySchema.json(), terminator: "")
    }
}
