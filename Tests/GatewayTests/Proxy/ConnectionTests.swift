// Client connections over several requests: keep-alive, pipelining, half-close, other address families, and what becomes
// of bytes that are no HTTP.

import Foundation
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct ConnectionTests {
    @Test func oneConnectionEachWayServesManyRequests() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        for number in 0..<20 {
            let body = "body \(number)"
            try client.send(
                "POST /\(number) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                    + body)
            #expect(try client.readResponse().bodyText == body)
        }
        #expect(backend.acceptedCount == 1)
        try gateway.settles(clients: 1, idle: 1)
        client.close()
        try gateway.settles(clients: 0, idle: 1)
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let backend = try ScriptedBackend.serving { wire, request in
            try wire.answer(String(request.startLine.split(separator: " ")[1]))
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        let count = 1000
        let requests = (0..<count).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }
        let sender = Handover<Bool>()
        onThread {
            sender.give((try? client.send(Array(requests.joined().utf8), within: 20)) != nil)
        }
        for number in 0..<count {
            let answer = try client.readResponse()
            guard answer.bodyText == "/\(number)" else {
                Issue.record("answer \(number) is \(answer.bodyText)")
                return
            }
        }
        #expect(try sender.take("the sender"))
        #expect(backend.acceptedCount == 1)
        try gateway.settles(clients: 1, idle: 1)
    }

    /// The second request must not be lost between an answer of the gateway's own and one of a backend's.
    @Test func pipeliningGoesOnAfterRefusals() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url]).replacingOccurrences(of: "/*, pool", with: "/v1/*, pool"))
        let client = try gateway.connect()
        let pair = "GET /no HTTP/1.1\r\nHost: h\r\n\r\nGET /v1/yes HTTP/1.1\r\nHost: h\r\n\r\n"
        try client.send(String(repeating: pair, count: 100))
        for number in 0..<200 {
            #expect(try client.readResponse().status == (number.isMultiple(of: 2) ? 404 : 200))
        }
        try gateway.settles(clients: 1, idle: 1)
    }

    @Test func headsMayArriveSlowlyAndBehindAnEmptyLine() throws {
        let world = try World()
        world.echo()
        let client = world.connect()
        for byte in Array("\r\nGET /slow HTTP/1.1\r\nHost: h\r\n\r\n".utf8) {
            try client.send([byte])
            world.pass(milliseconds: 10)
        }
        #expect(try client.readResponse().status == 200)
        #expect(world.requests.first?.startLine == "GET /slow HTTP/1.1")
    }

    /// Line ends behind a body begin no request that would have to come in time.
    @Test func strayLineEndsBeginNothing() throws {
        let world = try World(server: "timeouts: {head: 100ms, keep_alive: 10s}")
        world.echo()
        let client = world.connect()
        for _ in 0..<3 {
            try client.send(
                "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\r\n\r\n")
            #expect(try client.readResponse().status == 200)
            world.pass(milliseconds: 500)
            #expect(world.gateway.openExchangeCount == 0)
        }
        #expect(world.gateway.openExchangeCount == 0)
        #expect(try client.get("/y").status == 200)
        // There may be some, not any number.
        try client.send(String(repeating: "\r\n", count: 5) + "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.readResponse().status == 400)
    }

    /// A host with the root's full stop behind it is the same host.
    @Test func aHostMayEndWithAFullStop() throws {
        let world = try World(
            text: """
                listen: 127.0.0.1:0
                admin: off
                log: {access: off}
                pools: {main: {backends: ["\(World.backendURL)"]}}
                routes: [{path: /*, pool: main, hosts: [api.example.com, "[::1]"]}]

                """)
        world.echo()
        for (host, status) in [
            ("api.example.com", 200), ("api.example.com.", 200), ("API.Example.COM.:8080", 200),
            ("api.example.com:80", 200), ("[::1]:80", 200), ("api.example.com..", 404), (".", 404),
            ("api.example.co.", 404),
        ] {
            let client = world.connect()
            try client.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            #expect(try client.readResponse().status == status, "\(host)")
            let absolute = world.connect()
            try absolute.send("GET http://\(host)/ HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try absolute.readResponse().status == status, "\(host)")
        }
    }

    @Test(arguments: ["gone", "allow"])
    func aHalfClosedClientIsGoneUnlessAllowed(rule: String) throws {
        let world = try World(server: "half_close: \(rule)")
        let client = world.connect()
        try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let backend = try world.accept()
        client.finishSending()
        // A gateway that cancels closes: then nobody wants the answer.
        #expect(backend.isClosed == (rule == "gone"))
        world.pass(milliseconds: 100)
        if !backend.isClosed { try backend.answer("still here") }
        let got = try client.readToEnd()
        #expect(got.hasSuffix("still here") == (rule == "allow"))
        #expect(got.isEmpty == (rule == "gone"))
        world.settles(clients: 0, idle: rule == "allow" ? 1 : 0)
    }

    @Test func unixSocketsServeOnBothSides() throws {
        let backend = try ScriptedBackend.echoing(at: .unix(path: Place.freshPath()))
        let path = Place.freshPath()
        let gateway = try RunningGateway(policyText([backend.url], listen: "\"unix:\(path)\""))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
        #expect(try client.readResponse().bodyText == "hi")
        let request = try #require(backend.requests.first)
        #expect(request.values("X-Forwarded-For") == ["unknown"])
        try gateway.settles(clients: 1, idle: 1)
        try gateway.stop()
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func bothAddressFamiliesServeOnBothSides() throws {
        let backend = try ScriptedBackend.echoing(at: .loopback6(port: 0))
        let gateway = try RunningGateway(
            policyText([backend.url], listen: "\"[::1]:0\", \"127.0.0.1:0\""))
        for address in gateway.addresses {
            let client = try Wire(to: RunningGateway.place(address))
            #expect(try client.get("/").status == 200)
        }
        #expect(
            backend.requests.map { $0.value("X-Forwarded-For") ?? "" } == ["::1", "127.0.0.1"])
    }

    @Test func moreClientsThanAllowedWaitInTheBacklog() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url], server: "max_connections: 1"))
        let first = try gateway.connect()
        #expect(try first.get("/1").status == 200)
        let second = try gateway.connect()
        try second.send("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(second.isSilent(for: 0.05))
        first.close()
        #expect(try second.readResponse().status == 200)
        #expect(try gateway.acceptPauses() >= 1)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nBad Field: x\r\n\r\n", 400, "bad_request"),
        ("GET /\r\nHost: h\r\n\r\n", 400, "bad_request"),
        ("GET / HTTP/1.1\n", 400, "bad_request"),
        ("GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        ("GET / HTTP/2.0\r\n\r\n", 505, "version_not_supported"),
        ("GET /\(String(repeating: "x", count: 2000)) HTTP/1.1\r\n", 414, "target_too_long"),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "x", count: 2000))\r\n\r\n", 431,
            "head_too_large"
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", 417, "expectation_failed"),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400, "bad_request"
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501,
            "not_implemented"
        ),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", 400, "bad_request"),
    ])
    func whatIsNotHTTPIsRefusedAndTheConnectionClosed(
        bytes: String, status: Int, reason: String
    ) throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url], server: "max_head_size: 1KiB"))
        let client = try gateway.connect()
        // A request before it leaves something behind that a wrong head must not be judged by.
        #expect(try client.get("/v1/some/long/path/before").status == 200)
        try client.send(bytes)
        let answer = try client.readResponse()
        #expect(answer.status == status)
        #expect(answer.value("X-Penstock-Reason") == reason)
        #expect(answer.values("Connection") == ["close"])
        #expect(!answer.body.isEmpty)
        #expect(client.ends())
        client.close()
        try gateway.settles(clients: 0, idle: 1)
    }

    @Test(arguments: ["CONNECT example.org:443 HTTP/1.1", "TRACE / HTTP/1.1"])
    func methodsThatAProxyMustTreatSpeciallyAreRefused(line: String) throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("\(line)\r\nHost: example.org:443\r\n\r\n")
        #expect(try client.readResponse().status == 501)
        #expect(try client.get("/").status == 200)
    }

    @Test func theGatewaysOwnResponsesAreWholeAndInTheClientsDialect() throws {
        let gateway = try RunningGateway(
            policyText([try ScriptedBackend.refusingURL()]).replacingOccurrences(
                of: "/*, pool", with: "/x, pool"))
        let client = try gateway.connect()
        let plain = try client.get("/other", fields: "X-Request-ID: i\r\n")
        let head = plain.head.replacingOccurrences(
            of: "Date: [^\r]*", with: "Date: D", options: .regularExpression)
        #expect(
            head
                == "HTTP/1.1 404 Not Found\r\nDate: D\r\nContent-Type: application/problem+json\r\n"
                + "Content-Length: \(plain.body.count)\r\nX-Penstock-Reason: no_route\r\n"
                + "Cache-Control: no-store\r\nX-Request-ID: i\r\n\r\n")
        #expect(
            plain.bodyText
                == "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                + "\"detail\":\"Nothing is served at this address.\",\"reason\":\"no_route\"}\n")
        let dialect = try client.get("/v1/chat/completions")
        #expect(dialect.value("Content-Type") == "application/json")
        #expect(
            dialect.bodyText
                == "{\"error\":{\"message\":\"Nothing is served at this address.\","
                + "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"no_route\"}}\n")
        try client.send("HEAD /v1/x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.readResponse(isHead: true).status == 404)
        #expect(try client.readResponse().status == 404)
    }

    /// RFC 9112 section 9.3: an HTTP/1.0 client keeps a connection only when it is told so.
    @Test func oldClientsAreToldThatTheirConnectionStays() throws {
        let gateway = try RunningGateway(
            policyText([try ScriptedBackend.refusingURL()]).replacingOccurrences(
                of: "/*, pool", with: "/x, pool"))
        let client = try gateway.connect()
        for _ in 0..<2 {
            try client.send("GET /y HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try client.readResponse().values("Connection") == ["keep-alive"])
        }
        try client.send("GET /y HTTP/1.0\r\n\r\n")
        #expect(try client.readResponse().values("Connection") == ["close"])
        #expect(client.ends())
    }
}
