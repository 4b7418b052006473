// Pools of hosted APIs, which are asked with a key of the gateway's: whose key goes where, also when pools stand in
// for each other.

import Testing

@testable import Gateway
@testable import Policy
@testable import TestSupport

@Suite struct HostedPoolTests {
    private static let local = "http://127.0.0.1:9"
    private static let hosted = "http://api.example.com/openai/v1"
    private static let clientKeys =
        "Authorization: Bearer of-a-client\r\nX-Api-Key: of-a-client\r\napi-key: of-a-client\r\n"
        + "Proxy-Authorization: Basic b2Y=\r\n"

    /// A pool of one slot, and one that stands in for it.
    private static func pools(own: String = "", other: String) -> String {
        """
        local: {backends: ["\(local)"], limit: 1, queue: {max_requests: 0}\(own)}
        hosted: {backends: ["\(hosted)"], strip_prefix: /v1, host: backend\(other)}
        """
    }

    private static let key =
        ", request: {set_fields: {Authorization: {file: hosted.key, prefix: \"Bearer \"}}}"

    /// What the hosted backend gets of a request for which there is no room at home.
    private func fallenBack(
        own: String = "", other: String, route: String = "", secrets: [String: String] = [:]
    ) throws -> Message {
        let ruled = try RuledWorld(
            pools: Self.pools(own: own, other: other),
            routes: ["path: /v1/*, pool: local, fallback: {pool: hosted}\(route)"],
            secrets: secrets)
        ruled.world.serve(nil)
        let first = ruled.world.connect()
        try first.send("GET /v1/held HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = try ruled.world.accept().readHead()
        let second = ruled.world.connect()
        try second.send(
            "POST /v1/chat?a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\(Self.clientKeys)\r\n")
        let backend = try ruled.world.accept()
        let request = try backend.readHead()
        try backend.answer("ok")
        #expect(try second.readResponse().value("X-Penstock-Fallback") == "hosted")
        return request
    }

    @Test func aFallbackIsAskedInItsOwnName() throws {
        let request = try fallenBack(other: Self.key, secrets: ["hosted.key": "sk-ours"])
        #expect(request.startLine == "POST /openai/v1/chat?a HTTP/1.1")
        #expect(request.values("Host") == ["api.example.com"])
        #expect(request.values("Authorization") == ["Bearer sk-ours"])
        #expect(
            !request.head.contains("of-a-client") && request.value("Proxy-Authorization") == nil)
    }

    /// A key in any other field has clients' keys stay here, too; a plain field has not.
    @Test func everyKeyOfItsOwnKeepsThoseOfClients() throws {
        let named = try fallenBack(
            other: ", request: {set_fields: {X-Goog-Api-Key: {env: K}}}", secrets: ["K": "ours"])
        #expect(named.values("X-Goog-Api-Key") == ["ours"] && !named.head.contains("of-a-client"))
        let plain = try fallenBack(other: ", request: {set_fields: {X-Api-Key: literal}}")
        #expect(plain.values("X-Api-Key") == ["literal"] && !plain.head.contains("of-a-client"))
        let none = try fallenBack(other: ", request: {set_fields: {X-Team: a}}")
        #expect(none.values("Authorization") == ["Bearer of-a-client"])
    }

    @Test func aTenantsKeyStaysWhereItIsPassedOn() throws {
        let request = try fallenBack(
            own: ", tenant: {keys: {file: a.keys, required: false, pass_on: true}}",
            other: Self.key, secrets: ["hosted.key": "sk-ours"])
        #expect(!request.head.contains("of-a-client"))
    }

    /// What a route sets goes with the request, but not a key: that is for its own pools.
    @Test func aKeyOfTheRouteIsNotForTheFallback() throws {
        let request = try fallenBack(
            other: "",
            route: ", request: {set_fields: {X-Team: a, Authorization: {file: local.key}}}",
            secrets: ["local.key": "of-the-local-one"])
        #expect(request.values("X-Team") == ["a"])
        #expect(request.value("Authorization") == nil && !request.head.contains("of-"))
    }

    @Test func aKeyOfTheRouteIsForItsOwnPool() throws {
        let ruled = try RuledWorld(
            routes: [
                "path: /*, pool: main, request: {set_fields: {Authorization: {file: local.key}}}"
            ], secrets: ["local.key": "of-the-local-one"])
        _ = try ruled.ask("GET / HTTP/1.1\r\nHost: h\r\n\(Self.clientKeys)\r\n")
        let request = try #require(ruled.requests.first)
        #expect(request.values("Authorization") == ["of-the-local-one"])
        #expect(!request.head.contains("of-a-client"))
    }

    /// A copy goes to another pool in that one's name.
    @Test func copiesHaveTheNameOfTheirPool() throws {
        let ruled = try RuledWorld(
            pools: """
                main: {backends: ["http://127.0.0.1:9"], host: backend}
                copy: {backends: ["\(Self.hosted)"], strip_prefix: /v1, host: backend\(Self.key)}
                """,
            routes: [
                "path: /in/*, pool: main, strip_prefix: /in, mirror: {pool: copy, share: 1}, "
                    + "request: {set_fields: {X-Team: a, X-Local: {env: L}}}"
            ], secrets: ["hosted.key": "sk-ours", "L": "local"])
        _ = try ruled.ask("GET /in/v1/x HTTP/1.1\r\nHost: h\r\n\(Self.clientKeys)\r\n")
        try ruled.world.wait(for: "the copy") { ruled.requests.count == 2 }
        let copy = try #require(ruled.requests.first { $0.value("Penstock-Mirror") != nil })
        let original = try #require(ruled.requests.first { $0.value("Penstock-Mirror") == nil })
        #expect(
            original.startLine == "GET /v1/x HTTP/1.1" && original.values("X-Local") == ["local"])
        #expect(copy.startLine == "GET /openai/v1/x HTTP/1.1")
        #expect(
            copy.values("Authorization") == ["Bearer sk-ours"] && copy.values("X-Team") == ["a"])
        #expect(copy.value("X-Local") == nil && !copy.head.contains("of-a-client"))
    }

    /// Each backend has a path of its own, and a second try goes by that of the second.
    @Test func aSecondTryHasTheOtherBackendsPath() throws {
        let ruled = try RuledWorld(
            pools:
                "main: {backends: [\"http://a.example/one\", \"http://b.example/two\"], host: backend}",
            routes: ["path: /*, pool: main"])
        var asked: [String] = []
        ruled.world.serve { backend, request in
            asked.append(
                "\(request.value("Host") ?? "")\(request.startLine.split(separator: " ")[1])")
            try backend.answer("", status: asked.count == 1 ? 503 : 200)
        }
        #expect(try ruled.ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status == 200)
        #expect(asked.sorted() == ["a.example/one/x", "b.example/two/x"])
    }
}
