// The loader's promises that a golden file cannot show: which property a key sets, files, limits.

import Admission
import Foundation
import Testing

@testable import Policy

@Suite struct LoaderTests {
    @Test func everyKeySetsItsProperty() throws {
        let policy = try PolicyLoader.load(text: FullPolicy.gradient, file: "policy.yaml")
        #expect(policy == FullPolicy.expected)

        let aimd = try PolicyLoader.load(text: FullPolicy.aimd, file: "policy.yaml")
        var expected = AIMDLimitSettings()
        expected.initial = 12
        expected.min = 11
        expected.max = 13
        expected.backoff = 0.81
        expected.timeout = .seconds(14)
        #expect(aimd.pools[0].admission.limit == .aimd(expected))

        let fixed = try PolicyLoader.load(text: FullPolicy.fixed, file: "policy.yaml")
        #expect(fixed.pools[0].admission.limit == .fixed(FixedLimitSettings(limit: 5)))
    }

    @Test func defaultsAreThoseOfTheTypes() throws {
        let text = """
            listen: 127.0.0.1:80
            pools: {chat: {backends: [http://a]}}
            routes: [{path: /*, pool: chat}]
            """
        let policy = try PolicyLoader.load(text: text, file: "policy.yaml")
        let backend = BackendAddress(scheme: .http, host: "a", port: 80, label: "http://a")
        #expect(
            policy
                == Policy(
                    listen: [ListenSettings(.tcp(host: "127.0.0.1", port: 80))],
                    admin: AdminSettings(
                        ListenSettings(.tcp(host: "127.0.0.1", port: 9090), access: .operators)),
                    server: ServerSettings(),
                    log: LogSettings(), forwarding: ForwardingSettings(),
                    pools: [PoolSettings(name: "chat", backends: [backend])],
                    routes: [Route(path: .prefix(""), pool: 0)]))
    }

    @Test func diagnosticsPrintInOneForm() {
        let diagnostic = Diagnostic(
            file: "a.yaml", line: 3, column: 5, path: "pools.chat", problem: "is odd",
            remedy: "make it even")
        #expect(diagnostic.description == "a.yaml:3:5: error: pools.chat: is odd; make it even")
    }

    @Test func accessOfSocketsIsForClientsOrForOperators() throws {
        func policy(_ listen: String, admin: String) throws -> Policy {
            let text = """
                listen: \(listen)
                admin: \(admin)
                pools: {chat: {backends: [http://a]}}
                routes: [{path: /*, pool: chat}]
                """
            return try PolicyLoader.load(text: text, file: "policy.yaml")
        }
        let short = try policy("unix:/run/a", admin: "unix:/run/b")
        #expect(short.listen.map(\.access) == [.clients] && short.listen[0].access.mode == 0o666)
        #expect(short.admin?.access == .operators && short.admin?.access.mode == 0o660)
        let long = try policy(
            "[127.0.0.1:80, {address: unix:/run/a, mode: \"600\", group: root}]",
            admin: "{address: unix:/run/b, owner: \"7\"}")
        #expect(long.listen[1].address == .unix(path: "/run/a"))
        #expect(long.listen[1].access.mode == 0o600 && long.listen[1].access.owner == nil)
        #expect(long.listen[1].access.group == Account(name: "root", number: 0))
        #expect(long.admin?.access.owner?.number == 7 && long.admin?.access.mode == 0o660)
    }

    /// `tenant` at the top is every pool's that has none, with its own classes.
    @Test func tenantsOfAllPoolsAreEachPools() throws {
        let text = """
            listen: 127.0.0.1:8080
            tenant:
              keys: a.keys
              default: {requests_per_minute: 60}
              named: [{name: acme, tokens_per_minute: 9, highest_class: low, networks: [10.0.0.0/8]}]
            pools:
              large: {backends: ["http://a"], priority: {header: x-class, classes: [high, low]}}
              small: {backends: ["http://b"], priority: {header: x-class, classes: [low, high]}}
              own: {backends: ["http://c"], tenant: {header: x-other}}
            routes: [{path: /*, pool: large, fallback: {pool: small}}]

            """
        let policy = try PolicyLoader.load(text: text, file: "policy.yaml")
        for (index, highest) in [(0, 1), (1, 0)] {
            let pool = policy.pools[index]
            #expect(pool.claims.keys == KeySettings(file: "a.keys"))
            #expect(pool.claims.networks.count == 1)
            #expect(pool.admission.tenants.map(\.name) == ["acme"])
            #expect(pool.admission.tenants[0].highestClass == highest)
            #expect(pool.admission.otherTenants.requestsPerMinute == 60)
        }
        #expect(
            policy.pools[2].claims.keys == nil && policy.pools[2].claims.tenantHeader == "x-other")
        #expect(policy.pools[2].admission.tenants.isEmpty)
        #expect(policy.quotas.tenants.map(\.tokensPerMinute) == [9])
        #expect(policy.quotas.others.requestsPerMinute == 60)
        let again = try PolicyLoader.load(text: PolicyDump.yaml(policy), file: "dump.yaml")
        #expect(again == policy)
    }

    @Test func everyKeyOfKneeAndVegasSetsItsProperty() throws {
        var knee = KneeLimitSettings()
        knee.initial = 12
        knee.min = 11
        knee.max = 13
        knee.elasticity = 0.2
        knee.replicas = 3
        var objective = LatencyObjective(measure: .firstByte, target: .milliseconds(900))
        objective.quantile = 0.8
        knee.objective = objective
        let first = try PolicyLoader.load(text: FullPolicy.knee, file: "policy.yaml")
        #expect(first.pools[0].admission.limit == .knee(knee))

        var vegas = VegasLimitSettings()
        vegas.initial = 12
        vegas.min = 11
        vegas.max = 13
        vegas.smoothing = 0.4
        vegas.probeMultiplier = 29
        let second = try PolicyLoader.load(text: FullPolicy.vegas, file: "policy.yaml")
        #expect(second.pools[0].admission.limit == .vegas(vegas))
    }

    // MARK: Files

    @Test func readsFiles() throws {
        try withFile(Data(FullPolicy.gradient.utf8)) { path in
            let keys = URL(filePath: path).deletingLastPathComponent().appending(path: "who.keys")
            try Data().write(to: keys)
            defer { try? FileManager.default.removeItem(at: keys) }
            let workers = keys.deletingLastPathComponent().appending(path: "workers.keys")
            try Data().write(to: workers)
            defer { try? FileManager.default.removeItem(at: workers) }
            let token = keys.deletingLastPathComponent().appending(path: "admin.token")
            try Data("0123456789abcdef\n".utf8).write(to: token)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o640], ofItemAtPath: token.path)
            defer { try? FileManager.default.removeItem(at: token) }
            var expected = FullPolicy.expected
            expected.adminToken?.bytes = Array("0123456789abcdef".utf8)
            let policy = try PolicyLoader.load(path: path)
            #expect(policy == expected)
        }
    }

    @Test func saysWhyAFileCannotBeRead() throws {
        let missing = NSTemporaryDirectory() + "/penstock-no-such-policy.yaml"
        #expect(faults(path: missing) == ["1:1 cannot be read: No such file or directory"])
        let folder = faults(path: NSTemporaryDirectory())
        #expect(folder.count == 1 && folder[0].hasPrefix("1:1 cannot be read: "), "\(folder)")
    }

    @Test func refusesWhatIsNotUTF8OrTooLarge() throws {
        try withFile(Data("listen: 0.0.0.0:80 # caf".utf8) + [0xE9]) { path in
            #expect(faults(path: path) == ["1:1 is not UTF-8"])
        }
        try withFile(Data(repeating: 0x23, count: 1 << 20 + 1)) { path in
            #expect(faults(path: path) == ["1:1 is larger than 1MiB"])
        }
        try withFile(Data(repeating: 0x23, count: 1 << 20)) { path in
            #expect(faults(path: path) == ["1:1 the file is empty"])
        }
        // A device has no size that could be asked for beforehand.
        #expect(faults(path: "/dev/zero") == ["1:1 is larger than 1MiB"])
    }

    @Test func acceptsAByteOrderMarkAndAllLineEnds() throws {
        for end in ["\r\n", "\r", "\n"] {
            let text = "\u{FEFF}" + FullPolicy.gradient.replacing("\n", with: end)
            #expect(try PolicyLoader.load(text: text, file: "policy.yaml") == FullPolicy.expected)
        }
        #expect(faults(text: "\u{FEFF}listen: 1").last == "1:9 found the number `1`")
        #expect(faults(text: "# a\r\n# b\r# c\nlisten: 1\u{7}").first?.hasPrefix("4:10 ") == true)
    }

    private func withFile(_ contents: Data, _ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "/penstock-policy-\(UUID().uuidString).yaml"
        try contents.write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func faults(path: String) -> [String] {
        do throws(PolicyError) {
            _ = try PolicyLoader.load(path: path)
            return []
        } catch {
            return error.diagnostics.map { "\($0.line):\($0.column) \($0.problem)" }
        }
    }

    private func faults(text: String) -> [String] {
        do throws(PolicyError) {
            _ = try PolicyLoader.load(text: text, file: "policy.yaml")
            return []
        } catch {
            return error.diagnostics.map { "\($0.line):\($0.column) \($0.problem)" }
        }
    }

    // MARK: Limits

    @Test func keepsTheFirstHundredDiagnostics() throws {
        let lines = Self.unknownKeys(150)
        let error = #expect(throws: PolicyError.self) {
            try PolicyLoader.load(text: lines, file: "policy.yaml")
        }
        // 150 unknown keys and three missing ones.
        #expect(error?.diagnostics.count == 100)
        #expect(error?.omitted == 53)
        #expect(error?.description.hasSuffix("\nand 53 more") == true)
    }

    @Test func showsNoPasswords() {
        let text = FullPolicy.fixed.replacing("https://a.", with: "https://user:hunter2@a.")
        let shown = #expect(throws: PolicyError.self) {
            try PolicyLoader.load(text: text, file: "policy.yaml")
        }
        #expect(shown?.description.contains("hunter2") == false)
    }

    @Test(arguments: [(4_096, 0), (4_097, 1)])
    func namesOnlySoManyTenants(count: Int, faultCount: Int) {
        let tenants = (0..<count).map { "{name: tenant-\($0)}" }.joined(separator: ", ")
        let text = """
            listen: 127.0.0.1:80
            pools:
              chat:
                backends: [http://a]
                tenant: {header: x-tenant, named: [\(tenants)]}
            routes: [{path: /*, pool: chat}]
            """
        let expected = faultCount == 0 ? [] : ["5:39 has 4097 elements"]
        #expect(faults(text: text) == expected)
    }

    @Test(arguments: [(64, true), (65, false)])
    func namesAreOnlySoLong(length: Int, isGood: Bool) {
        let name = String(repeating: "x", count: length)
        let text = """
            listen: 127.0.0.1:80
            pools: {chat: {backends: [http://a], priority: {classes: [\(name)]}}}
            routes: [{path: /*, pool: chat}]
            """
        #expect(faults(text: text).isEmpty == isGood)
    }

    /// The time limit is what is tested.
    @Test(.timeLimit(.minutes(1)), arguments: laborious.keys.sorted())
    func isBounded(_ name: String) throws {
        #expect(!faults(text: try #require(Self.laborious[name])).isEmpty)
    }

    /// Texts that take a careless reader long, or deep into its stack.
    private static let laborious: [String: String] = [
        "aliases in keys": laughs + "? *i\n: 1\n? *i\n: 2\n",
        "aliases in values": laughs + "pools: *i\n",
        "open lists": repeated("[", 500_000),
        "deep lists": repeated("[", 900) + repeated("]", 900),
        "deep mappings": deepMappings,
        "many values": "[" + repeated("a,", 200_000) + "]",
        "many aliases": "a: &a [1,2,3,4,5,6,7]\nb: [" + repeated("*a,", 100_000) + "]",
        "deep aliases": deepAliases,
        "many repeated keys": repeated("a: 1\n", 20_000),
        "many unknown keys": unknownKeys(40_000),
        "one long line": repeated("a ", 500_000),
        "quotes": repeated("\"", 500_000),
    ]

    private static let deepMappings =
        (0..<900).map { repeated(" ", $0) + "a:\n" }.joined()

    private static let deepAliases =
        "- &a0 []\n" + (1..<5_000).map { "- &a\($0) [*a\($0 - 1)]\n" }.joined()

    private static func unknownKeys(_ count: Int) -> String {
        (0..<count).map { "unknown\($0): 1\n" }.joined()
    }

    private static let laughs = """
        a: &a [1,1,1,1,1,1,1,1,1,1]
        b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]
        c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]
        e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]
        f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]
        g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]
        h: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g,*g]
        i: &i [*h,*h,*h,*h,*h,*h,*h,*h,*h,*h]

        """

    private static func repeated(_ text: String, _ count: Int) -> String {
        String(repeating: text, count: count)
    }
}
