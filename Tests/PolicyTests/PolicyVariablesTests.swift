// Values from the environment: what they become, what they cannot do, and what is never shown of them.

import Admission
import Foundation
import Testing

@testable import Policy

@Suite struct PolicyVariablesTests {
    private static let values = [
        "PORT": "8080", "HOST": "127.0.0.1", "EMPTY": "", "YES": "true", "NAME": "acme",
        "LIST": "[1, 2]", "KEYS": "a: 1", "NOTE": "a # b", "DOLLAR": "${HOST}$$",
        "SECRET": "hunter2-hunter2", "LATIN": "caf\u{FFFD}",
        "LONG": String(repeating: "x", count: 1 << 16),
    ]
    private static let variables = PolicyVariables { values[$0] }

    private static func text(_ line: String) -> String {
        """
        listen: 127.0.0.1:80
        \(line)
        pools:
          chat:
            backends: ["http://${HOST}:8000"]
        routes: [{path: /*, pool: chat}]

        """
    }

    private static func load(_ text: String) throws(PolicyError) -> Policy {
        try PolicyLoader.read(text: text, file: "policy.yaml", variables: variables).policy
    }

    private static func faults(_ text: String) -> [String] {
        do throws(PolicyError) {
            _ = try load(text)
            return []
        } catch {
            return error.diagnostics.map(\.description)
        }
    }

    @Test(arguments: [
        ("a", "a"), ("${PORT}", "8080"), ("${HOST}:${PORT}", "127.0.0.1:8080"),
        ("${EMPTY}", ""), ("${EMPTY:-x}", "x"), ("${NONE:-x}", "x"), ("${NONE:-}", ""),
        ("${PORT:-x}", "8080"), ("${NONE:-a b:c#d,e}", "a b:c#d,e"), ("${NONE:-$$${PORT}", "no"),
        ("${NONE:-a$$}", "a$"), ("${NONE:-$}", "$"),
        ("$", "$"), ("$$", "$"), ("$$$", "$$"), ("$$$$", "$$"), ("$$${PORT}", "$8080"),
        ("$${PORT}", "${PORT}"), ("$PORT", "$PORT"), ("/v2/models/*$", "/v2/models/*$"),
        ("a$}", "a$}"), ("${DOLLAR}", "${HOST}$$"), ("é${PORT}é", "é8080é"),
    ])
    func expands(_ text: String, _ expected: String) throws {
        let found = try? Self.variables.expand(text).text
        #expect(found == (expected == "no" ? nil : expected), "\(text)")
    }

    @Test(arguments: [
        ("${NONE}", "the variable NONE is not set"), ("${", "`${` is no variable"),
        ("${}", "`${}` is no variable"), ("${1A}", "`${1` is no variable"),
        ("${A-B}", "`${A-` is no variable"), ("${A:?x}", "`${A:` is no variable"),
        ("${A:-x", "`${A:-x` is no variable"), ("${A:-{}}", "`${A:-{` is no variable"),
        ("${A:-${PORT}}", "`${A:-${` is no variable"), ("${A", "`${A` is no variable"),
        ("${LATIN}", "the variable LATIN is not UTF-8"), ("${É}", "`${É` is no variable"),
    ])
    func refuses(_ text: String, _ problem: String) {
        let fault = #expect(throws: Fault.self) { try Self.variables.expand(text) }
        #expect(fault?.problem == problem)
        #expect(fault?.remedy.isEmpty == false)
    }

    /// Numbers and booleans are what they would be in the file; quotes make text of them.
    @Test func valuesAreAsIfTheyStoodThere() throws {
        let policy = try Self.load(
            """
            listen: ${HOST}:${PORT}
            threads: ${THREADS:-3}
            reload: {watch: ${YES}}
            log: {level: ${LEVEL:-debug}, access: {to: ${NONE:-off}, sample: ${SAMPLE:-0.25}}}
            server: {drain_timeout: ${NONE:-7}s, "max_connections": ${PORT}}
            pools:
              chat: {backends: ["http://${HOST}:1", 'http://${HOST}:2', http://$${x}:3], limit: ${N:-9}}
            routes: [{path: "/a$$b", pool: chat}, {path: /*$, pool: chat}]

            """.replacing(", http://$${x}:3", with: ""))
        #expect(policy.listen == [ListenSettings(.tcp(host: "127.0.0.1", port: 8080))])
        #expect(policy.threads == 3 && policy.watchesFiles && policy.log.level == .debug)
        #expect(policy.log.access == nil && policy.log.accessSample == 0.25)
        #expect(policy.server.drainTimeout == .seconds(7) && policy.server.maxConnections == 8080)
        #expect(policy.pools[0].backends.map(\.port) == [1, 2])
        #expect(policy.pools[0].admission.limit == .fixed(FixedLimitSettings(limit: 9)))
        #expect(policy.routes[0].path == .exact("/a$b"))
        #expect(
            Self.faults(Self.text("threads: \"${PORT}\"")) == [
                "policy.yaml:2:10: error: threads: found the text `8080`; "
                    + "write an integer from 1 to 128"
            ])
        #expect(Self.faults(Self.text("threads: ${EMPTY}"))[0].contains("threads: has no value"))
    }

    /// Whatever a value is, it is one scalar.
    @Test(arguments: ["LIST", "KEYS", "NOTE", "DOLLAR"])
    func noValueAddsStructure(_ name: String) throws {
        let policy = try Self.load(
            Self.text("models: {aliases: {short: ${\(name)}}}").replacing(
                "pool: chat}", with: "pool: chat, models: [\"*\"]}"))
        #expect(policy.models.aliases.map(\.model) == [Self.values[name]])
        #expect(Self.faults(Self.text("server: ${\(name)}")).count == 1)
        #expect(Self.faults(Self.text("server: {<<: ${\(name)}}")).count == 1)
    }

    @Test func faultsHaveTheirPlaceAndAreToldOnce() {
        let text = Self.text("threads: ${CORES}").replacing(
            "chat}]", with: "chat, hosts: [a, \"${WHO}\"]}]")
        #expect(
            Self.faults(text) == [
                "policy.yaml:2:10: error: threads: the variable CORES is not set; "
                    + "set it where penstock is started, or write ${CORES:-DEFAULT}",
                "policy.yaml:6:44: error: routes[0].hosts[1]: the variable WHO is not set; "
                    + "set it where penstock is started, or write ${WHO:-DEFAULT}",
            ])
        let shared = Self.text("threads: &n ${CORES}\nserver: {max_fields: *n}")
        #expect(Self.faults(shared).count == 1)
    }

    /// Keys are names that the file gives, and comments are nobody's.
    @Test func keysAndCommentsStay() throws {
        let policy = try Self.load(
            Self.text("# ${NONE}\nmodels: {aliases: {\"${NAME}\": b}}").replacing(
                "pool: chat}", with: "pool: chat, models: [b]}"))
        #expect(policy.models.aliases.map(\.name) == ["${NAME}"])
    }

    @Test func valuesAreNotShown() throws {
        let secret = try #require(Self.values["SECRET"])
        for line in [
            "threads: ${SECRET}", "log: {level: ${SECRET}}", "log: {to: /${SECRET}}",
            "state: x${SECRET}", "server: {health_paths: [\"${SECRET}\", \"${SECRET}\"]}",
            "forwarding: {via: \"${SECRET} ${SECRET}\"}", "admin: ${SECRET}",
            "tenant: {named: [{name: \"a ${SECRET}\"}]}", "models: {aliases: {a: \"${SECRET}*\"}}",
            "admin: {address: \"127.0.0.1:1\", hosts: [\"${SECRET}/\"]}",
        ] {
            let found = Self.faults(Self.text(line))
            #expect(!found.isEmpty || line.contains("/${SECRET}"), "\(line)")
            #expect(!found.contains { $0.contains(secret.prefix(8)) }, "\(line): \(found)")
        }
        let shown = Self.faults(Self.text("threads: ${SECRET}"))
        #expect(shown[0].contains("threads: `${SECRET}` is not an integer; "), "\(shown)")
        // What nobody would keep secret is worth seeing.
        #expect(Self.faults(Self.text("threads: ${PORT}"))[0].contains("8080 is out of range"))
    }

    /// Many uses of a large value are no way to run out of memory.
    @Test func valuesAreBounded() {
        let many = String(repeating: "${LONG}", count: 40)
        #expect(Self.faults(Self.text("state: /\(many)"))[0].contains("is larger than 1MiB"))
        let each = (0..<40).map { "\"http://${LONG}:\($0)\"" }.joined(separator: ", ")
        let text = Self.text("").replacing("[\"http://${HOST}:8000\"]", with: "[\(each)]")
        #expect(Self.faults(text).contains { $0.contains("is larger than 1MiB") })
        let open = String(repeating: "${A:-", count: 20_000)
        #expect(!Self.faults(Self.text("state: \(open)")).isEmpty)
        #expect(
            !Self.faults(Self.text("state: \(String(repeating: "${", count: 40_000))")).isEmpty)
    }
}

// MARK: - Random texts

extension PolicyVariablesTests {
    /// Whoever doubles each `$` has said what stood there, and dumps say it again.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func doubledDollarsMeanThemselves(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<12 {
            let raw = Self.word(&generator)
            let path = "/" + raw.filter { !"*?#\\%".contains($0) }
            let text = Self.text("").replacing(
                "path: /*",
                with: "path: \(Self.quoted(path.replacing("$", with: "$$"), &generator))")
            let message = "seed \(seed): \(path)\n\(text)"
            let policy = try? Self.load(text)
            let literal = try? Route.PathPattern.parse(path)
            #expect(policy?.routes[0].path == literal, "\(message)")
            guard let policy else { continue }
            let again = try Self.load(PolicyDump.yaml(policy))
            #expect(again == policy, "\(message)\n\(PolicyDump.yaml(policy))")
        }
    }

    /// Any text in place of any value gives a policy or faults with places, without end or leak.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func neverCrashes(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<12 {
            var lines = (FullPolicy.all.randomElement(using: &generator) ?? "").split(
                separator: "\n", omittingEmptySubsequences: false)
            for _ in 0..<3 {
                let index = lines.indices.randomElement(using: &generator) ?? 0
                guard let colon = lines[index].range(of: ": ") else { continue }
                let word = Self.word(&generator)
                lines[index] =
                    lines[index][..<colon.upperBound]
                    + (Bool.random(using: &generator) ? word : Self.quoted(word, &generator))
            }
            let text = lines.joined(separator: "\n")
            do throws(PolicyError) {
                let policy = try Self.load(text)
                let again = try Self.load(PolicyDump.yaml(policy))
                #expect(again == policy, "seed \(seed):\n\(text)")
            } catch {
                #expect(
                    error.diagnostics.allSatisfy { $0.line >= 1 && !$0.description.contains("\n") },
                    "seed \(seed):\n\(text)\n\(error)")
                #expect(!"\(error)".contains("hunter2-h"), "seed \(seed):\n\(text)\n\(error)")
            }
        }
    }

    private static func word(_ generator: inout SeededGenerator) -> String {
        let pieces = [
            "$", "$", "${", "}", "${PORT}", "${NONE}", "${NONE:-", ":-", "$$", "a", "b", "/", "{",
            "[",
            ",", " ", "9", "${SECRET}", "é", "*", "-", "${NAME:-x}", ":", "#", "\"", "'",
        ]
        return (0..<Int.random(in: 0...6, using: &generator)).map { _ in
            pieces.randomElement(using: &generator) ?? ""
        }.joined()
    }

    private static func quoted(_ text: String, _ generator: inout SeededGenerator) -> String {
        Bool.random(using: &generator)
            ? "'\(text.replacing("'", with: "''"))'"
            : "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
    }
}
