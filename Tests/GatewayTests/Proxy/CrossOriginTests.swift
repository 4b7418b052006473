// Pages of other origins: what browsers are told before a request and with its response, whoever answers.

import Policy
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct CrossOriginTests {
    private static let page = "https://app.example.com"

    private static func world(
        _ cors: String = "origins: [https://app.example.com, 'http://localhost:3000']",
        route: String = "", pool: String = "limit: 1, queue: {max_requests: 0}", more: String = ""
    ) throws -> World {
        let text = policyText([World.backendURL], pool: pool, more: more)
            .replacing(
                "- {path: /*, pool: main}",
                with: "- {path: /plain, pool: main}\n  - {path: /*, pool: main, "
                    + "\(route)cors: {\(cors)}}")
        return try World(text: text)
    }

    private static func get(_ path: String = "/", origin: String? = page) -> String {
        let field = origin.map { "Origin: \($0)\r\n" } ?? ""
        return "GET \(path) HTTP/1.1\r\nHost: h\r\n\(field)\r\n"
    }

    private static func preflight(
        _ path: String = "/", method: String = "POST", origin: String = page,
        headers: String? = "authorization,content-type"
    ) -> String {
        let asked = headers.map { "Access-Control-Request-Headers: \($0)\r\n" } ?? ""
        return "OPTIONS \(path) HTTP/1.1\r\nHost: h\r\nOrigin: \(origin)\r\n"
            + "Access-Control-Request-Method: \(method)\r\n\(asked)\r\n"
    }

    /// The lines of a response about other origins, in order.
    private static func told(_ response: String) -> [String] {
        response.split(separator: "\r\n").map(String.init).filter {
            $0.lowercased().hasPrefix("access-control-") || $0.lowercased().hasPrefix("vary:")
        }
    }

    // MARK: Beforehand

    @Test func aPreflightIsAnsweredHere() throws {
        let world = try Self.world("origins: [https://app.example.com], methods: [GET, POST]")
        let client = world.connect()
        try client.send(Self.preflight())
        let response = try client.read(until: "\r\n\r\n")
        #expect(response.hasPrefix("HTTP/1.1 204 No Content\r\n"))
        #expect(
            Self.told(response) == [
                "Access-Control-Allow-Origin: https://app.example.com",
                "Access-Control-Allow-Methods: GET, POST", "Access-Control-Max-Age: 600",
                "Access-Control-Allow-Headers: authorization,content-type",
                "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            ])
        #expect(!response.contains("Content-Length") && response.contains("X-Request-ID: "))
        // The connection is used on, and nothing was asked of the backend.
        try client.send(Self.get())
        _ = try world.accept()
    }

    /// The gateway's own list of models is no route's, and may be asked for with a key all the same.
    @Test func aPreflightForTheModelsIsAnsweredHere() throws {
        let world = try Self.world(
            route: "methods: [POST], models: [m1], ", more: "models: {refresh: off}")
        for path in ["/v1/models", "/v1/models/m1"] {
            let client = world.connect()
            try client.send(Self.preflight(path, method: "GET"))
            let response = try client.read(until: "\r\n\r\n")
            #expect(response.hasPrefix("HTTP/1.1 204 No Content\r\n"), "\(path)")
            #expect(response.contains("Access-Control-Allow-Origin: \(Self.page)\r\n"))
        }
    }

    /// What no browser sends is no preflight, for which alone no key is asked.
    @Test func twoMethodsMakeNoPreflight() throws {
        let world = try Self.world(pool: "tenant: {keys: a.keys}")
        let client = world.connect()
        try client.send(
            "OPTIONS /x HTTP/1.1\r\nHost: h\r\nOrigin: \(Self.page)\r\n"
                + "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Method: GET\r\n\r\n"
        )
        #expect(try client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 401 "))
    }

    @Test func aPreflightOfAStrangerIsToldNothing() throws {
        for origin in [
            "https://evil.example.com", "http://app.example.com", "https://app.example.com:444",
            "https://app.example.com.evil", "null", "https://app.example.co",
        ] {
            let world = try Self.world()
            let client = world.connect()
            try client.send(Self.preflight(origin: origin))
            let response = try client.read(until: "\r\n\r\n")
            #expect(response.hasPrefix("HTTP/1.1 204 "))
            #expect(Self.told(response).map { $0.prefix(5) } == ["Vary:"], "\(origin)")
        }
    }

    /// The route is that of the request which is to follow.
    @Test func aPreflightFindsTheRouteOfItsMethod() throws {
        let world = try Self.world(route: "methods: [POST], ")
        let client = world.connect()
        try client.send(Self.preflight())
        #expect(try client.read(until: "\r\n\r\n").contains("Access-Control-Allow-Origin: "))
        // Without such a route it is a request as any other.
        try client.send(Self.preflight(method: "DELETE"))
        #expect(try client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 404 "))
        try client.send(Self.preflight("/plain"))
        _ = try world.accept().read(until: "\r\n\r\n")
    }

    @Test func aPreflightNeedsNoKey() throws {
        let keys = "tenant: {keys: a.keys}"
        let world = try Self.world(pool: keys)
        let client = world.connect()
        try client.send(Self.preflight())
        #expect(try client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204 "))
        try client.send(Self.get())
        let refused = try client.read(until: "\r\n\r\n")
        #expect(refused.hasPrefix("HTTP/1.1 401 "))
        #expect(refused.contains("Access-Control-Allow-Origin: https://app.example.com\r\n"))
    }

    @Test func namedFieldsAreSaidAsTheyAre() throws {
        let world = try Self.world(
            "origins: ['*'], headers: [X-One, x-two], expose: [X-Trace, retry-after], max_age: 0s")
        let client = world.connect()
        try client.send(Self.preflight(headers: "x-evil"))
        let response = try client.read(until: "\r\n\r\n")
        #expect(response.contains("Access-Control-Allow-Origin: *\r\n"))
        #expect(response.contains("Access-Control-Allow-Headers: x-one, x-two\r\n"))
        #expect(response.contains("Access-Control-Max-Age: 0\r\n") && !response.contains("x-evil"))
        try client.send(Self.get())
        let backend = try world.accept()
        try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let told = Self.told(try client.read(until: "\r\n\r\n"))
        #expect(told.count == 2 && told[0] == "Access-Control-Allow-Origin: *")
        #expect(told[1].hasSuffix(", x-trace") && told[1].contains("Retry-After, "))
    }

    // MARK: With responses

    @Test func whatTheBackendSaysIsReplaced() throws {
        let world = try Self.world("origins: [https://app.example.com], credentials: true")
        let client = world.connect()
        try client.send(Self.get())
        let backend = try world.accept()
        try backend.send(
            "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nVary: Accept\r\n"
                + "access-control-expose-headers: X-Secret\r\nAccess-Control-Allow-Methods: PUT\r\n"
                + "X-Other: 1\r\nContent-Length: 0\r\n\r\n")
        let response = try client.read(until: "\r\n\r\n")
        let told = Self.told(response)
        #expect(told.count == 5 && response.contains("X-Other: 1\r\n"))
        #expect(told[0] == "Vary: Accept")
        #expect(told[1] == "Access-Control-Allow-Origin: https://app.example.com")
        #expect(told[2] == "Access-Control-Allow-Credentials: true")
        #expect(
            told[3].hasPrefix("Access-Control-Expose-Headers: Retry-After, retry-after-ms, X-Re"))
        #expect(told[4] == "Vary: Origin" && !response.contains("X-Secret"))
    }

    /// Browsers act on the fields of interim responses too, and of those that make a tunnel.
    @Test func whatTheBackendSaysBeforeItsResponseIsDropped() throws {
        let says = "Access-Control-Allow-Origin: *\r\nX-Other: 1\r\n"
        let world = try Self.world()
        for (path, isPassed) in [("/x", false), ("/plain", true)] {
            let client = world.connect()
            try client.send(Self.get(path))
            let backend = try world.acceptIfDialled() ?? #require(world.backends.last)
            for status in ["102 Processing", "103 Early Hints"] {
                try backend.send("HTTP/1.1 \(status)\r\n\(says)\r\n")
                let interim = try client.read(until: "\r\n\r\n")
                #expect(interim.hasPrefix("HTTP/1.1 \(status)\r\n"))
                #expect(interim.contains("X-Other: 1\r\n"))
                #expect(interim.contains("Access-Control") == isPassed, "\(path), \(status)")
            }
            try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            _ = try client.read(until: "\r\n\r\n")
        }
    }

    @Test func whatTheBackendSaysOfATunnelIsDropped() throws {
        let world = try Self.world(pool: "limit: 2, websocket: allow")
        let client = world.connect()
        try client.send(
            "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Origin: https://evil.example.com\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        let backend = try world.accept()
        _ = try backend.readHead()
        try backend.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Access-Control-Allow-Origin: *\r\nX-Other: 1\r\n"
                + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
        let response = try client.read(until: "\r\n\r\n")
        #expect(response.hasPrefix("HTTP/1.1 101 ") && response.contains("X-Other: 1\r\n"))
        #expect(!response.contains("Access-Control"))
    }

    @Test func withoutAnOriginOnlyCachesAreTold() throws {
        let world = try Self.world()
        for origin in [nil, "https://evil.example.com", "https://app.example.com\r\nOrigin: x"] {
            let client = world.connect()
            try client.send(Self.get(origin: origin))
            let backend = try world.acceptIfDialled() ?? #require(world.backends.last)
            try backend.send(
                "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n")
            #expect(Self.told(try client.read(until: "\r\n\r\n")) == ["Vary: Origin"])
        }
    }

    @Test func otherRoutesAreTheBackends() throws {
        let world = try Self.world()
        let client = world.connect()
        try client.send(Self.get("/plain"))
        let backend = try world.accept()
        try backend.send(
            "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n")
        #expect(
            Self.told(try client.read(until: "\r\n\r\n")) == ["Access-Control-Allow-Origin: *"])
    }

    /// Each refusal that a page may get says who may read it, and lets it read when to come back.
    @Test func refusalsCanBeRead() throws {
        let world = try Self.world(
            route: "methods: [GET, POST], models: ['m*'], ", more: "models: {max_held: 1KiB}")
        let one = world.connect()
        let json = "Content-Type: application/json\r\nOrigin: \(Self.page)\r\n"
        func post(_ body: String, _ path: String = "/v1/chat/completions") -> String {
            "POST \(path) HTTP/1.1\r\nHost: h\r\n\(json)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }
        try one.send(post("{\"model\": \"m\"}"))
        _ = try world.accept()
        let long = String(repeating: " ", count: 2_000)
        let requests = [
            ("503", post("{\"model\": \"m\"}")), ("404", post("{\"model\": \"other\"}")),
            ("400", post("{}")), ("400", post("{]")), ("413", post("{\(long)}")),
            ("400", post("", "/a/../b")), ("404", Self.get("/v1/files")),
            ("404", Self.preflight(method: "PUT")),
        ]
        for (status, request) in requests {
            let client = world.connect()
            try client.send(request)
            let response = try client.read(until: "\r\n\r\n")
            #expect(response.hasPrefix("HTTP/1.1 \(status) "), "\(request): \(response)")
            let told = Self.told(response)
            #expect(told.first == "Access-Control-Allow-Origin: \(Self.page)", "\(request)")
            #expect(told.last == "Vary: Origin" && told.count == 3, "\(request)")
        }
    }

    @Test func aPromisedStreamCanBeRead() throws {
        let world = try Self.world(
            route: "stream_keep_alive: 1s, ", pool: "limit: 1")
        let client = world.connect()
        let body = "{\"model\": \"m\", \"stream\": true}"
        try client.send(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nOrigin: \(Self.page)\r\n"
                + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
        _ = try world.accept()
        world.pass(milliseconds: 1_100)
        let head = try client.read(until: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 ") && Self.told(head).count == 3)
    }

    @Test func pagesOfTheGatewaysOwnCanBeRead() throws {
        let world = try Self.world(route: "models: [m1], ")
        let client = world.connect()
        try client.send(Self.get("/v1/models"))
        let response = try client.read(until: "\r\n\r\n")
        #expect(response.hasPrefix("HTTP/1.1 200 "))
        #expect(Self.told(response).first == "Access-Control-Allow-Origin: \(Self.page)")
    }
}
