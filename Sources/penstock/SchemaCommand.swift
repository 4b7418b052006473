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

            Files that a policy includes have a schema of their own, which --included prints.
            """)

    static var parameters: [Parameter<Self>] {
        [
            .flag("--markdown", \.markdown, "Print the reference of all keys as Markdown instead."),
            .flag("--included", \.isIncluded, "Print the schema of files that policies include."),
        ]
    }

    var markdown = false
    var isIncluded = false

    func validate() throws {
        if markdown, isIncluded {
            throw ValidationError("--markdown has all keys; leave --included out")
        }
    }

    func run() {
        let schema = isIncluded ? PolicySchema.includedJSON() : PolicySchema.json()
        print(markdown ? PolicyReference.markdown() : schema, terminator: "")
    }
}
