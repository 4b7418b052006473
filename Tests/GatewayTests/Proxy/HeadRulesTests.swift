// What routes and pools say about paths and fields, and which key goes where.

import Foundation
import Testing

@testable import Gateway
@testable import Policy
@testable import TestSupport

/// A gateway in memory, whose backends answer everything and are told apart by their Host.
struct RuledWorld {
    let world: World

    /// `secrets` are what files and variables say, by their names.
    init(
        pools: String = "main: {backends: [\"http://127.0.0.1:9\"]}", routes: [String],
        server: String = "", secrets: [String: String] = [:],
        answer: String = "HTTP/1.1 204 No Content\r\n\r\n"
    ) throws {
        var policy = try PolicyLoader.load(
            text: """
                listen: 127.0.0.1:0
                admin: off
                log: {access: off}
                server: {\(server)}
                pools:
                  \(pools.replacing("\n", with: "\n  "))
                routes:
                \(routes.map { "  - {\($0)}\n" }.joined())
                """, file: "policy.yaml")
        policy.updateSetFields { value in
            if let name = value.file ?? value.variable, let secret = secrets[name] {
                value.secret = Secret(Array(secret.utf8))
            }
        }
        world = try World(policy)
        world.serve { backend, _ in try backend.send(answer) }
    }

    /// The requests that have come to backends.
    var requests: [Message] { world.requests }

    /// Sends a head and reads the answer to it.
    func ask(_ head: String, isHead: Bool = false) throws -> Message {
        let client = world.connect()
        try client.send(head)
        return try client.readResponse(isHead: isHead)
    }

    /// The target that a backend was asked for; else the status of the answer.
    func target(_ target: String, method: String = "GET") throws -> String {
        let before = requests.count
        let answer = try ask("\(method) \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
        guard requests.count == before + 1 else { return "\(answer.status)" }
        return requests[before].startLine.split(separator: " ").dropFirst().first.map(String.init)
            ?? ""
    }
}

@Suite struct HeadRulesTests {
    // MARK: Paths

    @Test(arguments: [
        (
            "path: /openai/*, pool: main, strip_prefix: /openai", "/openai/v1/chat?a=b",
            "/v1/chat?a=b"
        ),
        ("path: /openai/*, pool: main, strip_prefix: /openai", "/openai/", "/"),
        ("path: /openai, pool: main, strip_prefix: /openai", "/openai?a=/openai", "/?a=/openai"),
        ("path: /openai/*, pool: main, strip_prefix: /openai", "/openai//evil.example/x", "400"),
        ("path: /openai/*, pool: main, strip_prefix: /openai", "/openai/a//b", "/a//b"),
        ("path: /openai/*, pool: main, strip_prefix: /openai", "/openai/../admin", "400"),
        ("path: /openai/*, pool: main, strip_prefix: /openai", "/openai/%2e%2e/admin", "400"),
        ("path: /openai/*, pool: main, strip_prefix: /openai", "/openai/a%2Fb", "400"),
        ("path: /openai/*, pool: main, strip_prefix: /openai", "/openaix", "404"),
        ("path: /openai/*, pool: main, strip_prefix: /openai", "http://other/openai/x?y", "/x?y"),
        ("path: /a/b/*, pool: main, strip_prefix: /a", "/a/b/c", "/b/c"),
        (
            "path: /old, pool: main, rewrite: /v1/chat/completions", "/old?x",
            "/v1/chat/completions?x"
        ),
        ("path: /v1/*, pool: main, rewrite: /openai/v1/*", "/v1/chat", "/openai/v1/chat"),
        ("path: /v1/*, pool: main, rewrite: /openai/v1/*", "/v1/", "/openai/v1/"),
        ("path: /v1/*, pool: main, rewrite: /*", "/v1//evil.example", "400"),
        (
            "path: /m/*/infer, pool: main, rewrite: /v2/models/*/infer", "/m/a%20b/infer",
            "/v2/models/a%20b/infer"
        ),
        ("path: /a/*/b/*, pool: main, rewrite: /*/of/*", "/a/1/b/2/3", "/1/of/2/3"),
        ("path: /a/*$, pool: main, rewrite: /b/*", "/a/1", "/b/1"),
        ("path: /*, pool: main, rewrite: /all/*", "/x/y", "/all/x/y"),
        ("path: /*, pool: main, rewrite: /all/*", "http://h", "/all/"),
        ("path: /*, pool: main, rewrite: /one", "/x/y?z", "/one?z"),
    ])
    func pathsAreChanged(route: String, target: String, expected: String) throws {
        for server in ["", "ambiguous_paths: pass"] {
            let ruled = try RuledWorld(routes: [route], server: server)
            #expect(try ruled.target(target) == expected, "\(server)")
        }
    }

    /// `OPTIONS *` is about the server, and no path goes before it.
    @Test(arguments: ["*", "http://h"])
    func whatIsForTheServerStays(target: String) throws {
        let ruled = try RuledWorld(
            pools: "main: {backends: [\"http://127.0.0.1:9/base\"]}",
            routes: ["path: /*, pool: main, rewrite: /all/*"])
        #expect(try ruled.target(target, method: "OPTIONS") == "*")
    }

    @Test(arguments: [
        ("", "/v1/chat?x", "/base/v1/v1/chat?x"),
        (", strip_prefix: /v1", "/v1/chat?x", "/base/v1/chat?x"),
        (", strip_prefix: /v1", "/v1", "/base/v1"), (", strip_prefix: /v1", "/v1x", "/base/v1/v1x"),
        (", strip_prefix: /v1", "/v2/x", "/base/v1/v2/x"),
        (", strip_prefix: /v1", "/v1//x", "/base/v1/v1//x"), ("", "/a/../x", "400"),
        ("", "/%2e%2E/x", "400"), ("", "http://other", "/base/v1/"),
    ])
    func urlsOfBackendsHavePaths(pool: String, target: String, expected: String) throws {
        for server in ["", "ambiguous_paths: pass"] {
            let ruled = try RuledWorld(
                pools: "main: {backends: [\"http://127.0.0.1:9/base/v1/\"]\(pool)}",
                routes: ["path: /*, pool: main"], server: server)
            #expect(try ruled.target(target) == expected, "\(server)")
        }
    }

    @Test func aPoolStripsWithoutAPathOfItsOwn() throws {
        let ruled = try RuledWorld(
            pools: "main: {backends: [\"http://127.0.0.1:9\"], strip_prefix: /v1}",
            routes: ["path: /*, pool: main"])
        #expect(try ruled.target("/v1/x") == "/x")
        #expect(try ruled.target("/v1") == "/")
        #expect(try ruled.target("/v1//x") == "/v1//x")
    }

    /// The name of a model in a path is replaced wherever it then stands.
    @Test(arguments: [
        ("", "/v2/models/other/infer", "/v2/models/real%20one/infer"),
        (", rewrite: /serve/*/predict", "/v2/models/other/infer", "/serve/real%20one/predict"),
        (", strip_prefix: /v2", "/v2/models/other/infer", "/models/real%20one/infer"),
        (", rewrite: /fixed", "/v2/models/other/infer", "/fixed"),
    ])
    func modelsInPathsAreReplaced(route: String, target: String, expected: String) throws {
        for (base, pool) in [("", ""), ("/base", ", strip_prefix: /none")] {
            let ruled = try RuledWorld(
                pools: "main: {backends: [\"http://127.0.0.1:9\(base)\"]\(pool)}",
                routes: [
                    "path: /v2/models/*/infer, pool: main, models: [\"real one\"]\(route)"
                ].map { "\($0)}\nmodels: {aliases: {other: \"real one\"}" })
            #expect(try ruled.target(target) == base + expected)
        }
    }

    /// Who speaks through a prefix is answered in the interface that the backend has.
    @Test func theDialectIsThatOfThePathBehind() throws {
        let ruled = try RuledWorld(
            pools: "main: {backends: [\"http://127.0.0.1:9\"], limit: 1, queue: {max_requests: 0}}",
            routes: ["path: /team/*, pool: main, strip_prefix: /team", "path: /*, pool: main"])
        ruled.world.serve(nil)
        let first = ruled.world.connect()
        try first.send("GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n")
        let behind = try ruled.ask("GET /team/v1/messages HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(behind.status == 529 && behind.bodyText.contains("overloaded_error"))
    }

    // MARK: Fields

    private static let fields = """
        request: {set_fields: {X-Team: research, authorization: {file: k, prefix: "Bearer "}}, \
        remove_fields: [Cookie, x-debug]}
        """

    @Test func fieldsOfRequestsAreSetAndRemoved() throws {
        let ruled = try RuledWorld(
            routes: ["path: /*, pool: main, \(Self.fields)"], secrets: ["k": "of-the-route"])
        _ = try ruled.ask(
            "POST / HTTP/1.1\r\nHost: h\r\nx-team: mine\r\nX_Team: also\r\nX-TEAM: third\r\nCookie: a\r\n"
                + "Authorization: Basic abc\r\nX-Api-Key: secret\r\nX-Debug: 1\r\nX-Debugged: 1\r\n"
                + "Connection: x-team\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "1\r\na\r\n0\r\nX-Team: late\r\nx_debug: 2\r\nX-Sum: 3\r\n\r\n")
        let request = try #require(ruled.requests.first)
        #expect(request.values("X-Team") == ["research"])
        #expect(request.values("Authorization") == ["Bearer of-the-route"])
        #expect(request.value("X-Api-Key") == nil && request.value("X_Team") == nil)
        #expect(request.value("Cookie") == nil && request.value("X-Debug") == nil)
        #expect(request.values("X-Debugged") == ["1"])
        #expect(request.trailers == ["X-Sum: 3"])
    }

    @Test func whatAPoolSetsCountsForRequestsAndWhatARouteSetsForResponses() throws {
        let ruled = try RuledWorld(
            pools: """
                main:
                  backends: ["http://127.0.0.1:9"]
                  request: {set_fields: {X-A: pool, X-B: pool}, remove_fields: [x_c]}
                  response: {set_fields: {X-A: pool, X-B: pool}, remove_fields: [Server]}
                """,
            routes: [
                "path: /*, pool: main, request: {set_fields: {X-A: route, X-C: route, X-D: route}}, "
                    + "response: {set_fields: {X-A: route}, remove_fields: [x-late]}"
            ],
            answer: "HTTP/1.1 200 OK\r\nServer: s\r\nX-A: backend\r\nETag: \"e\"\r\nX-Late: 0\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Late: 1\r\nX-Sum: 2\r\n\r\n")
        let answer = try ruled.ask("GET / HTTP/1.1\r\nHost: h\r\nX-C: client\r\n\r\n")
        let request = try #require(ruled.requests.first)
        #expect(request.values("X-A") == ["pool"] && request.values("X-B") == ["pool"])
        #expect(request.value("X-C") == nil && request.values("X-D") == ["route"])
        #expect(answer.values("X-A") == ["route"] && answer.values("X-B") == ["pool"])
        #expect(answer.value("Server") == nil && answer.value("X-Late") == nil)
        #expect(answer.value("ETag") == "\"e\"" && answer.trailers == ["X-Sum: 2"])
    }

    /// Answers of the gateway's own, and of backends that say that nothing has changed, are what they were.
    @Test func whatIsNotAboutFieldsStays() throws {
        let etag = "HTTP/1.1 304 Not Modified\r\nETag: \"abc\"\r\nContent-Length: 7\r\n\r\n"
        let ruled = try RuledWorld(
            routes: [
                "path: /a, pool: main, max_body_size: 1B, response: {set_fields: {X-A: b}}",
                "path: /b, pool: main",
            ], answer: etag)
        let refused = try ruled.ask("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab")
        #expect(refused.status == 413 && refused.value("X-A") == nil)
        for (path, field) in [("/a", "b"), ("/b", nil)] {
            let known = try ruled.ask(
                "GET \(path) HTTP/1.1\r\nHost: h\r\nIf-None-Match: W/\"abc\", \"d\"\r\n\r\n")
            #expect(known.status == 304 && known.value("ETag") == "\"abc\"")
            #expect(known.value("Content-Length") == "7" && known.value("X-A") == field)
        }
        #expect(
            ruled.requests.map { $0.value("If-None-Match") } == [
                "W/\"abc\", \"d\"", "W/\"abc\", \"d\"",
            ])
    }

    @Test func tunnelsHaveThemToo() throws {
        let agreement =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Server: s\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        let ruled = try RuledWorld(
            pools: "main: {backends: [\"http://127.0.0.1:9/v1\"], websocket: allow}",
            routes: [
                "path: /rt/*, pool: main, strip_prefix: /rt, timeouts: {tunnel_idle: 7s}, "
                    + "request: {set_fields: {api-key: {env: K}}}, response: {remove_fields: [server]}"
            ], secrets: ["K": "ours"], answer: agreement)
        let client = ruled.world.connect()
        try client.send(
            "GET /rt/realtime?m=1 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.sk-theirs\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        let answer = try client.readHead()
        #expect(answer.status == 101 && answer.value("Server") == nil)
        let request = try #require(ruled.requests.first)
        #expect(request.startLine == "GET /v1/realtime?m=1 HTTP/1.1")
        #expect(request.values("api-key") == ["ours"])
        #expect(request.value("Sec-WebSocket-Protocol") == "realtime")
        ruled.world.pass(milliseconds: 6_900)
        #expect(client.isSilent(for: 0))
        ruled.world.pass(milliseconds: 200)
        #expect(client.ends(within: 1))
    }

    // MARK: Bounds and time

    @Test func bodiesHaveTheBoundOfTheirRoute() throws {
        let ruled = try RuledWorld(
            routes: [
                "path: /small, pool: main, max_body_size: 3B",
                "path: /large, pool: main, max_body_size: 9B", "path: /usual, pool: main",
                "path: /named, pool: main, models: [m], max_body_size: 20B",
            ], server: "max_body_size: 5B")
        func post(_ path: String, _ count: Int, chunked: Bool) throws -> Int {
            let body = String(repeating: "x", count: count)
            let framed =
                chunked
                ? "Transfer-Encoding: chunked\r\n\r\n\(String(count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
                : "Content-Length: \(count)\r\n\r\n\(body)"
            return try ruled.ask("POST \(path) HTTP/1.1\r\nHost: h\r\n\(framed)").status
        }
        for isChunked in [false, true] {
            for (path, most) in [("/small", 3), ("/large", 9), ("/usual", 5)] {
                #expect(try post(path, most, chunked: isChunked) == 204)
                #expect(try post(path, most + 1, chunked: isChunked) == 413)
            }
        }
        for (body, status) in [
            ("{\"model\":\"m\", \"a\":1}", 204), ("{\"model\":\"m\", \"a\":123}", 413),
        ] {
            let head =
                "POST /named HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            #expect(try ruled.ask(head + body).status == status)
        }
    }

    @Test func timeOutsAreThoseOfTheRoute() throws {
        let ruled = try RuledWorld(
            pools:
                "main: {backends: [\"http://127.0.0.1:9\"], timeouts: {first_byte: 40s, idle: 30s}}",
            routes: [
                "path: /quick, pool: main, timeouts: {first_byte: 2s, idle: 1s}",
                "path: /*, pool: main, response: {remove_fields: [x]}",
            ])
        ruled.world.serve(nil)
        for (path, seconds) in [("/quick", 2), ("/usual", 40)] {
            let client = ruled.world.connect()
            try client.send("POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
            _ = try ruled.world.accept().readHead()
            ruled.world.pass(milliseconds: seconds * 1000 - 200)
            #expect(client.isSilent(for: 0), "\(path)")
            ruled.world.pass(milliseconds: 400)
            #expect(try client.readResponse().value("X-Penstock-Reason") == "first_byte_timeout")
        }
    }
}
