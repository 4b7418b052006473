// Backends that lead back to the gateway, by all the ways in which an address can be written.

import Testing

@testable import Policy

@Suite struct OwnListenersTests {
    /// What is said of a gateway that listens at `listen` and has that backend; nil for nothing.
    private static func fault(
        _ backend: String, listen: String, admin: String = "off", addresses: [String] = [],
        names: [String] = []
    ) throws -> String? {
        let text = """
            listen: "\(listen)"
            admin: \(admin)
            pools: {chat: {backends: ["http://a", "\(backend)"]}}
            routes: [{path: /*, pool: chat}]
            """
        do throws(PolicyError) {
            let policy = try PolicyLoader.load(text: text, file: "policy.yaml")
            let faults = policy.loops(addresses: addresses, names: names)
            return faults.first.map { "\($0.path): \($0.problem)" }
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:8080", "127.0.0.1:8080"), ("http://127.0.0.1:8080", "0.0.0.0:8080"),
        ("http://127.1.2.3:8080", "0.0.0.0:8080"), ("http://0.0.0.0:8080", "127.0.0.1:8080"),
        ("http://0.0.0.0:8080", "0.0.0.0:8080"), ("http://localhost:8080", "127.0.0.1:8080"),
        ("http://LOCALHOST:8080", "[::]:8080"), ("http://a.localhost:8080", "0.0.0.0:8080"),
        ("http://ip6-localhost:8080", "[::1]:8080"), ("http://[::1]:8080", "[::]:8080"),
        ("http://[::]:8080", "[::1]:8080"), ("http://[::ffff:127.0.0.1]:8080", "0.0.0.0:8080"),
        ("http://[0:0:0::1]:8080", "[::1]:8080"), ("https://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://10.0.0.5:80", "10.0.0.5:80"), ("http://127.0.0.1", "0.0.0.0:80"),
        ("http+unix:///run/a.sock", "unix:/run/a.sock"),
        ("http+unix:///run//./a.sock", "unix:/run/a.sock"),
        ("http+unix://%2Frun%2Fa.sock", "unix:/run/a.sock"),
    ])
    func isToldOf(_ backend: String, _ listen: String) throws {
        let told = try #require(try Self.fault(backend, listen: listen))
        #expect(told.hasPrefix("policy.yaml:3:39: error: pools.chat.backends[1]: `\(backend)` is"))
        #expect(told.contains("(listen: \(listen))"), "\(told)")
        let admin = try #require(
            try Self.fault(
                backend, listen: "127.0.0.1:1",
                admin: "{address: \"\(listen)\", allow_remote: true}"))
        #expect(admin.contains("(admin: "))
    }

    @Test(arguments: [
        ("http://127.0.0.1:8081", "127.0.0.1:8080"), ("http://127.0.0.2:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "0.0.0.0:8080"), ("http://127.0.0.1:8080", "[::]:8080"),
        ("http://10.0.0.5:8080", "0.0.0.0:8080"), ("http://localhosts:8080", "0.0.0.0:8080"),
        ("http+unix:///run/b.sock", "unix:/run/a.sock"),
        ("http+unix:///run/x/../a.sock", "unix:/run/a.sock"),
        ("http://127.0.0.1:80", "127.0.0.1:0"),
    ])
    func isNotToldOfOthers(_ backend: String, _ listen: String) throws {
        #expect(try Self.fault(backend, listen: listen) == nil)
    }

    @Test func knowsWhatTheMachineSays() throws {
        let wide = "0.0.0.0:8080"
        let found = try Self.fault(
            "http://10.0.0.5:8080", listen: wide, addresses: ["127.0.0.1", "10.0.0.5"])
        #expect(found?.hasPrefix("pools.chat.backends[1]: `http://10.0.0.5:8080` is where") == true)
        #expect(try Self.fault("http://Gate-1:8080", listen: wide, names: ["gate-1"]) != nil)
        #expect(try Self.fault("http://gate-2:8080", listen: wide, names: ["gate-1"]) == nil)
        let linked = try PolicyLoader.load(
            text: """
                listen: unix:/run/a.sock
                admin: off
                pools: {chat: {backends: ["http+unix:///var/run/a.sock"]}}
                routes: [{path: /*, pool: chat}]
                """, file: "policy.yaml")
        #expect(linked.loops().isEmpty)
        #expect(linked.loops { $0.replacing("/var/run/", with: "/run/") }.count == 1)
        #expect(
            try Self.fault("http://10.0.0.5:8080", listen: "[::]:8080", addresses: ["10.0.0.5"])
                == nil)
    }
}
