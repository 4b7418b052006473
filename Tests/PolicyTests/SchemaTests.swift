// The schema, the reference and the loader describe the same keys, and the schema never refuses
// what the loader takes.

import Foundation
import Testing

@testable import Policy

extension SchemaValue {
    /// The value of a node by YAML 1.2's core schema, as editors read it.
    init(_ node: YAMLNode) {
        switch node.content {
        case .quoted(let text): self = .text(text)
        case .plain(let text):
            switch PlainScalar(text) {
            case .null: self = .null
            case .boolean: self = .boolean(text.lowercased() == "true")
            case .number: self = .number(Double(text) ?? .infinity)
            case .text: self = .text(text)
            }
        case .list(let items): self = .list(items.map { SchemaValue($0) })
        case .mapping(let entries):
            self = .mapping(
                Dictionary(
                    entries.map { ($0.key, SchemaValue($0.value)) }, uniquingKeysWith: { $1 }))
        }
    }

    /// The value of a YAML text; `nil` when it is not YAML.
    init?(yaml: String) {
        var reading = Reading(file: "policy.yaml")
        guard let node = YAMLReader.read(yaml, &reading) else { return nil }
        self.init(node)
    }
}

@Suite struct SchemaTests {
    let validator: SchemaValidator

    init() throws {
        validator = try SchemaValidator(json: PolicySchema.json())
    }

    @Test func saysWhichDraftItIs() {
        #expect(
            validator.schema["$schema"] as? String
                == "https://json-schema.org/draft/2020-12/schema")
    }

    /// A golden's name says who finds its fault: nobody, YAML itself, the schema too, or the loader
    /// alone.
    @Test(arguments: GoldenCase.all.filter { !$0.name.hasPrefix("syntax-") })
    func judgesAsTheNameSays(_ golden: GoldenCase) throws {
        let value = try #require(SchemaValue(yaml: golden.policy))
        #expect(try validator.accepts(value) == !golden.name.hasPrefix("schema-"))
    }

    @Test(arguments: GoldenCase.all.filter(\.isValid))
    func acceptsDumps(_ golden: GoldenCase) throws {
        #expect(try validator.accepts(try #require(SchemaValue(yaml: golden.expected))))
    }

    /// A scalar of any kind may come from the environment, and a mapping or a list may not.
    @Test func acceptsVariables() throws {
        func accepts(_ more: String) throws -> Bool {
            let text =
                "\(more)\nlisten: ${LISTEN}\npools: {a: {backends: [\"${URL}\"]}}\n"
                + "routes: [{path: \"${PATH}\", pool: a}]\n"
            return try validator.accepts(try #require(SchemaValue(yaml: text)))
        }
        for scalar in [
            "threads: ${N}", "reload: {watch: ${N}}",
            "log: {level: ${N}, access: {sample: ${N:-1}}}",
            "server: {drain_timeout: ${N}s, max_body_size: ${N}}", "admin: ${N}", "state: ${N}",
        ] {
            #expect(try accepts(scalar), "\(scalar)")
        }
        for other in ["threads: N", "log: {level: $N}", "server: ${N}", "server: {max_fields: $N}"]
        {
            #expect(try !accepts(other), "\(other)")
        }
    }

    /// Each key of a policy that has them all, misspelt and left out: schema and loader agree every
    /// time.
    @Test func agreesWithTheLoaderOnEveryKey() throws {
        for policy in FullPolicy.all {
            let lines = policy.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(throws: Never.self) { try PolicyLoader.load(text: policy, file: "policy.yaml") }
            for (index, line) in lines.enumerated() where line.contains(":") {
                var misspelt = lines
                misspelt[index] = line.replacing(":", with: "_x:", maxReplacements: 1)[...]
                try expectAgreement(misspelt.joined(separator: "\n"))

                let indentation = line.prefix { $0 == " " }.count
                let end =
                    lines[(index + 1)...].firstIndex {
                        $0.prefix { $0 == " " }.count <= indentation && !$0.isEmpty
                    } ?? lines.count
                // A list's first line opens the list's element as well.
                if line.contains("- ") { continue }
                try expectAgreement((lines[..<index] + lines[end...]).joined(separator: "\n"))
            }
        }
    }

    private func expectAgreement(_ text: String) throws {
        let value = try #require(SchemaValue(yaml: text), "\(text)")
        var faults: [String] = []
        do throws(PolicyError) { _ = try PolicyLoader.load(text: text, file: "policy.yaml") } catch
        {
            faults = error.diagnostics.map(\.problem)
        }
        // Other faults are of values that depend on the key that has gone.
        let hasKeys = !faults.contains {
            ["is not known", "is missing", "found nothing", "has no value"].contains($0)
        }
        #expect(try validator.accepts(value) == hasKeys, "\(text)")
    }

    /// What the dumps of full policies have is all that the schema knows, and the other way round.
    @Test func knowsTheKeysOfDumpsAndNoOthers() throws {
        var written: Set<String> = []
        for policy in FullPolicy.all {
            let dump = PolicyDump.yaml(try PolicyLoader.load(text: policy, file: "policy.yaml"))
            written.formUnion(Self.keys(try #require(SchemaValue(yaml: dump)), path: ""))
        }
        // What all pools have in common is written as each pool's.
        // And what is included stands where it belongs.
        let known = Self.keys(validator.schema, path: "").filter {
            !$0.hasPrefix(".tenant") && $0 != ".include"
        }
        #expect(written == known)
    }

    /// Mappings whose keys are names that the operator chose.
    private static func isNamed(_ path: String) -> Bool {
        [".pools", ".models.aliases", ".topics.properties"].contains(path)
            || path.hasSuffix(".set_fields")
    }

    private static func keys(_ value: SchemaValue, path: String) -> Set<String> {
        switch value {
        case .mapping(let entries):
            Set(
                entries.flatMap { name, value in
                    let isNamed = isNamed(path)
                    let key = "\(path).\(isNamed ? "NAME" : name)"
                    return keys(value, path: key).union(isNamed ? [] : [key])
                })
        case .list(let items): Set(items.flatMap { keys($0, path: path) })
        case .null, .boolean, .number, .text: []
        }
    }

    private static func keys(_ schema: [String: Any], path: String) -> Set<String> {
        var found: Set<String> = []
        for (name, schema) in schema["properties"] as? [String: [String: Any]] ?? [:] {
            found.insert("\(path).\(name)")
            found.formUnion(keys(schema, path: "\(path).\(name)"))
        }
        for schema in schema["anyOf"] as? [[String: Any]] ?? [] {
            found.formUnion(keys(schema, path: path))
        }
        if let schema = schema["items"] as? [String: Any] {
            found.formUnion(keys(schema, path: path))
        }
        if let schema = schema["additionalProperties"] as? [String: Any] {
            found.formUnion(keys(schema, path: path + ".NAME"))
        }
        return found
    }

    @Test func referenceHasARowForEachKey() {
        let reference = PolicyReference.markdown()
        for key in Self.keys(validator.schema, path: "") {
            var path = String(key.dropFirst())
            for list in ["listen", "routes", "classes", "named", "split", "certificates", "topics"]
            {
                path = path.replacing("\(list).", with: "\(list)[].")
            }
            // Workers come in at one place.
            path = path.replacing("workers.listen[].", with: "workers.listen.")
            #expect(reference.contains("\n| `\(path)` | "), "\(path)")
        }
        let rows = reference.split(separator: "\n").filter { $0.hasPrefix("| `") }
        #expect(rows.allSatisfy { $0.replacing("\\|", with: "").count { $0 == "|" } == 6 })
    }
}
