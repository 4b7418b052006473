// What a reload says of two policies: which keys differ, by their paths alone.

import Testing

@testable import Policy

@Suite struct PolicyChangesTests {
    private static func policy(_ text: String) throws -> Policy {
        try PolicyLoader.load(text: text, file: "policy.yaml")
    }

    private static func text(
        log: String = "info", backends: String = "http://a", more: String = "",
        threads: String = "2"
    ) -> String {
        """
        listen: 127.0.0.1:80
        threads: \(threads)
        log: {level: \(log)}
        pools:
          chat: {backends: [\(backends)], limit: {algorithm: fixed, limit: 3}}
        \(more)
        routes: [{path: /*, pool: chat}]
        """
    }

    @Test func nothingChanges() throws {
        let changes = PolicyChanges(
            from: try Self.policy(Self.text()), to: try Self.policy(Self.text()))
        #expect(changes.paths.isEmpty && changes.omitted == 0)
    }

    @Test func namesKeysByTheirPaths() throws {
        let former = try Self.policy(Self.text())
        let next = try Self.policy(
            Self.text(log: "debug", backends: "http://b", threads: "3"))
        #expect(
            PolicyChanges(from: former, to: next).paths
                == ["threads", "log.level", "pools.chat.backends[0]"])
        // A list that is longer has changed as a whole.
        let longer = try Self.policy(Self.text(backends: "http://a, http://b"))
        #expect(PolicyChanges(from: former, to: longer).paths == ["pools.chat.backends"])
    }

    @Test func namesPoolsThatComeAndGo() throws {
        let former = try Self.policy(Self.text())
        let next = try Self.policy(Self.text(more: "  other: {backends: [http://c]}"))
        #expect(PolicyChanges(from: former, to: next).paths == ["pools.other"])
        #expect(PolicyChanges(from: next, to: former).paths == ["pools.other"])
    }

    @Test func namesKeysFilesWhoseKeysDiffer() throws {
        var former = try Self.policy(
            Self.text().replacing(
                "limit: 3}", with: "limit: 3}, tenant: {keys: {file: a.keys}}"))
        var next = former
        let entry = KeyEntry(digest: Array(repeating: 7, count: 32), tenant: "secret")
        next.pools[0].claims.keys?.entries = [entry]
        #expect(
            PolicyChanges(from: former, to: next).paths == ["pools.chat.tenant.keys.file"])
        former.pools[0].claims.keys?.entries = [entry]
        #expect(PolicyChanges(from: former, to: next).paths.isEmpty)
    }

    @Test func namesATokenThatIsAnother() throws {
        let text = "admin_token_file: t\n" + Self.text()
        let former = try Self.policy(text)
        var next = former
        next.adminToken?.bytes = Array("secret".utf8)
        #expect(PolicyChanges(from: former, to: next).paths == ["admin_token_file"])
    }

    @Test func isBounded() throws {
        let former = try Self.policy(Self.text())
        let pools = (0..<60).map { "  p\($0): {backends: [http://c]}" }
        let next = try Self.policy(Self.text(more: pools.joined(separator: "\n")))
        let changes = PolicyChanges(from: former, to: next)
        #expect(changes.paths.count == PolicyChanges.mostPaths && changes.omitted == 10)
    }
}
