// Which bytes reach the backend and which the client: heads, to the byte.

import Foundation
import Testing

@testable import Gateway
@testable import TestSupport

/// One request through a gateway of its own: what each side got.
struct Passage {
    var request: Message
    var answer: Message
    /// Whether the client's connection could be used again.
    var keepsClient: Bool

    /// Sends `request`, lets the backend answer `answer` and close if told to.
    init(
        _ request: String, answer: String = "HTTP/1.1 204 No Content\r\n\r\n", closes: Bool = false,
        pool: String = "limit: 10, responses: {timing: false}", more: String = "",
        isHead: Bool = false
    ) throws {
        let log = RequestLog()
        let backend = try ScriptedBackend(log: log) { wire, _ in
            while true {
                log.note(try wire.readRequest(within: 60))
                try wire.send(answer)
                if closes { return }
            }
        }
        let gateway = try RunningGateway(policyText([backend.url], pool: pool, more: more))
        let client = try gateway.connect()
        try client.send(request)
        self.answer = try client.readResponse(isHead: isHead)
        self.request = try #require(backend.requests.first)
        keepsClient = client.isSilent(for: 0.05)
        client.close()
        try gateway.settles(clients: 0, idle: closes ? 0 : nil)
    }
}

@Suite struct ForwardingTests {
    /// An answer without the fields that differ each time.
    private static let plain = "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
    /// What follows the client's own fields in a forwarded head.
    private static let added =
        "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
        + "X-Forwarded-Host: h\r\nX-Request-ID: i\r\nVia: 1.1 penstock\r\n\r\n"

    @Test func headsAreRewrittenAsAProxyShould() throws {
        let passage = try Passage(
            "GET /v1/models?x=%20y HTTP/1.1\r\nhost: example.org:81\r\nUser-Agent: test\r\n"
                + "traceparent: 00-a-b-01\r\nX-Request-ID: abc-123\r\n\r\n",
            answer: "HTTP/1.1 200 Fine\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: s\r\n"
                + "Content-Length: 2\r\nX-Request-ID: from-backend\r\n\r\nok")
        #expect(
            passage.request.head
                == "GET /v1/models?x=%20y HTTP/1.1\r\nHost: example.org:81\r\nUser-Agent: test\r\n"
                + "traceparent: 00-a-b-01\r\nX-Forwarded-For: 127.0.0.1\r\n"
                + "X-Forwarded-Proto: http\r\nX-Forwarded-Host: example.org:81\r\n"
                + "X-Request-ID: abc-123\r\nVia: 1.1 penstock\r\n\r\n")
        #expect(
            passage.answer.head
                == "HTTP/1.1 200 Fine\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: s\r\n"
                + "X-Request-ID: from-backend\r\nContent-Length: 2\r\nVia: 1.1 penstock\r\n\r\n")
        #expect(passage.answer.bodyText == "ok")
        #expect(passage.keepsClient)
    }

    @Test func fieldsOfOneHopEndHere() throws {
        let passage = try Passage(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Hop, close-not\r\nX-Hop: 1\r\n"
                + "Keep-Alive: timeout=5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: x\r\n"
                + "X-End: 2\r\nX-Request-ID: i\r\n\r\n",
            answer: "HTTP/1.1 200 OK\r\nDate: D\r\nConnection: x-own\r\nX-Own: 1\r\nX-End: 3\r\n"
                + "Keep-Alive: timeout=9\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n")
        #expect(
            passage.request.head
                == "GET / HTTP/1.1\r\nHost: h\r\nX-End: 2\r\n\(Self.added)")
        #expect(
            passage.answer.head
                == "HTTP/1.1 200 OK\r\nDate: D\r\nX-End: 3\r\nContent-Length: 0\r\n"
                + "X-Request-ID: i\r\nVia: 1.1 penstock\r\n\r\n")
    }

    /// RFC 9110 section 7.6.2: counted down, answered here at 0, and only for OPTIONS.
    @Test(arguments: [
        ("OPTIONS", "1", "0"), ("OPTIONS", "10", "9"), ("OPTIONS", "007", "6"),
        ("OPTIONS", "99999999999999999999", "999999998"), ("GET", "0", "0"), ("GET", "x", "x"),
    ])
    func maxForwards(method: String, sent: String, forwarded: String) throws {
        let passage = try Passage(
            "\(method) /a HTTP/1.1\r\nHost: h\r\nMax-Forwards: \(sent)\r\n\r\n")
        #expect(passage.request.values("Max-Forwards") == [forwarded])
    }

    @Test func maxForwardsEndsHereAtZero() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        for target in ["*", "/a"] {
            try client.send("OPTIONS \(target) HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n")
            let answer = try client.readResponse()
            #expect(answer.status == 200 && answer.body.isEmpty)
        }
        for value in ["x", "-1", "", "1\r\nMax-Forwards: 2"] {
            try client.send(
                "OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: \(value)\r\n\r\n")
            #expect(try client.readResponse().status == 400)
        }
        #expect(backend.acceptedCount == 0)
        try gateway.settles(clients: 1, idle: 0)
    }

    /// RFC 9110 section 10.1.1: no expectation without a body, and none in HTTP/1.0.
    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx",
    ])
    func expectationsThatMeanNothingEndHere(request: String) throws {
        #expect(try Passage(request).request.values("Expect").isEmpty)
    }

    @Test func connectionCannotNameAwayWhatTheGatewayAdds() throws {
        let passage = try Passage(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Host, X-Forwarded-For, Authorization\r\n"
                + "Authorization: Bearer t\r\nX-Request-ID: i\r\n\r\n")
        #expect(
            passage.request.head
                == "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n\(Self.added)")
    }

    private static let appended =
        "X-Forwarded-For: 9.9.9.9, 127.0.0.1|X-Forwarded-Proto: https|X-Forwarded-Host: o"
    private static let replaced =
        "X-Forwarded-For: 127.0.0.1|X-Forwarded-Proto: http|X-Forwarded-Host: h"

    @Test(arguments: [
        ("append", replaced),
        ("append, trusted_proxies: [127.0.0.0/8]", "\(appended)|Forwarded: for=9.9.9.9"),
        ("append, trusted_proxies: [127.0.0.1]", "\(appended)|Forwarded: for=9.9.9.9"),
        ("append, trusted_proxies: [\"::ffff:127.0.0.1\"]", "\(appended)|Forwarded: for=9.9.9.9"),
        ("append, trusted_proxies: [0.0.0.0/0]", "\(appended)|Forwarded: for=9.9.9.9"),
        ("append, trusted_proxies: [127.0.0.2, 10.0.0.0/8, \"::1\", unix]", replaced),
        ("set, trusted_proxies: [127.0.0.1]", replaced),
        ("set", "X-Forwarded-For: 127.0.0.1|X-Forwarded-Proto: http|X-Forwarded-Host: h"),
        ("remove", ""),
        (
            "off",
            "X-Forwarded-For: 9.9.9.9|X-Forwarded-Proto: https|X-Forwarded-Host: o|"
                + "Forwarded: for=9.9.9.9"
        ),
    ])
    func forwardedFieldsFollowThePolicy(rule: String, expected: String) throws {
        let passage = try Passage(
            "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n"
                + "X-Forwarded-Host: o\r\nForwarded: for=9.9.9.9\r\n\r\n",
            more: "forwarding: {forwarded: \(rule)}")
        let fields = passage.request.fields
        let got =
            fields.filter { $0.hasPrefix("X-Forwarded") }
            + fields.filter { $0.hasPrefix("Forwarded") }
        #expect(got.joined(separator: "|") == expected)
    }

    @Test(arguments: [
        ("GET http://other.example:8080/p?q HTTP/1.1", "GET /p?q HTTP/1.1", "other.example:8080"),
        ("GET http://other.example HTTP/1.1", "GET / HTTP/1.1", "other.example"),
        ("OPTIONS http://other.example HTTP/1.1", "OPTIONS * HTTP/1.1", "other.example"),
        ("OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1", "h"),
        ("PURGE //a/.b?c=//../d HTTP/1.1", "PURGE //a/.b?c=//../d HTTP/1.1", "h"),
    ])
    func targetsArriveInOriginForm(line: String, expected: String, host: String) throws {
        let passage = try Passage("\(line)\r\nHost: h\r\n\r\n")
        #expect(passage.request.startLine == expected)
        #expect(passage.request.values("Host") == [host])
    }

    @Test func hostFollowsThePolicy() throws {
        let request = "GET / HTTP/1.1\r\nHost: client.example\r\n\r\n"
        let fixed = try Passage(request, pool: "limit: 1, host: model.internal:99")
        #expect(fixed.request.values("Host") == ["model.internal:99"])
        let own = try Passage(request, pool: "limit: 1, host: backend")
        #expect(own.request.value("Host")?.hasPrefix("127.0.0.1:") == true)
        #expect(own.request.values("X-Forwarded-Host") == ["client.example"])
    }

    @Test func requestsWithoutHostGetTheBackends() throws {
        let passage = try Passage("GET /old HTTP/1.0\r\n\r\n")
        #expect(passage.request.startLine == "GET /old HTTP/1.1")
        #expect(passage.request.value("Host")?.hasPrefix("127.0.0.1:") == true)
        #expect(passage.request.values("X-Forwarded-Host").isEmpty)
        #expect(passage.request.values("Via") == ["1.0 penstock"])
        #expect(!passage.keepsClient)
    }

    @Test func viaIsAddedBehindOthersOrLeftAlone() throws {
        let request = "GET / HTTP/1.1\r\nHost: h\r\nVia: 1.1 edge\r\n\r\n"
        #expect(try Passage(request).request.values("Via") == ["1.1 edge", "1.1 penstock"])
        let without = try Passage(request, more: "forwarding: {via: off}")
        #expect(without.request.values("Via") == ["1.1 edge"])
        #expect(without.answer.values("Via").isEmpty)
    }

    @Test func requestIDsAreMadeKeptOrReplaced() throws {
        let bare = "GET / HTTP/1.1\r\nHost: h\r\n"
        let made = try Passage(bare + "\r\n").request.values("X-Request-ID")
        #expect(made.count == 1 && made[0].count == 32 && made[0].allSatisfy(\.isHexDigit))
        let long = String(repeating: "x", count: 129)
        let replaced = try Passage(bare + "X-Request-ID: \(long)\r\n\r\n")
        #expect(replaced.request.value("X-Request-ID")?.count == 32)
        let policy = try Passage(
            bare + "X-Request-ID: mine\r\n\r\n", more: "forwarding: {request_id: replace}")
        #expect(policy.request.value("X-Request-ID")?.count == 32)
        #expect(policy.answer.value("X-Request-ID") == policy.request.value("X-Request-ID"))
    }

    @Test func responsesWithoutABodyKeepTheLengthTheyTell() throws {
        let head = try Passage(
            "HEAD / HTTP/1.1\r\nHost: h\r\nX-Request-ID: i\r\n\r\n",
            answer: "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 77\r\n\r\n", isHead: true)
        #expect(head.answer.value("Content-Length") == "77")
        #expect(head.keepsClient)
        let unchanged = try Passage(
            "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            answer: "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\nContent-Length: 5\r\n\r\n")
        #expect(unchanged.answer.value("Content-Length") == "5")
        #expect(unchanged.keepsClient)
        let none = try Passage("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(none.answer.values("Content-Length").isEmpty)
        #expect(none.answer.values("Transfer-Encoding").isEmpty)
        #expect(none.keepsClient)
    }

    @Test func aMissingDateIsAdded() throws {
        let passage = try Passage("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let date = try #require(passage.answer.value("Date"))
        #expect(date.hasSuffix(" GMT") && date.count == 29)
    }

    @Test func bodiesThatEndAtCloseAreChunkedForTheClient() throws {
        let passage = try Passage(
            "GET / HTTP/1.1\r\nHost: h\r\nX-Request-ID: i\r\n\r\n",
            answer: "HTTP/1.0 200 OK\r\nDate: D\r\n\r\nto the end", closes: true)
        #expect(
            passage.answer.head
                == "HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\nX-Request-ID: i\r\n"
                + "Via: 1.0 penstock\r\n\r\n")
        #expect(passage.answer.bodyText == "to the end")
        #expect(passage.keepsClient)
    }

    @Test func chunksAreTakenOffForOldClients() throws {
        let passage = try Passage(
            "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nX-Request-ID: i\r\n\r\n",
            answer: "HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n")
        #expect(
            passage.answer.head
                == "HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\nX-Request-ID: i\r\n"
                + "Via: 1.1 penstock\r\n\r\n")
        #expect(passage.answer.bodyText == "abcde")
        #expect(!passage.keepsClient)
    }

    @Test func oldClientsMayKeepTheirConnection() throws {
        let passage = try Passage(
            "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nX-Request-ID: i\r\n\r\n",
            answer: Self.plain)
        #expect(
            passage.answer.head
                == "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n"
                + "Connection: keep-alive\r\nX-Request-ID: i\r\nVia: 1.1 penstock\r\n\r\n")
        #expect(passage.keepsClient)
    }

    @Test func closeIsAnsweredWithClose() throws {
        let passage = try Passage(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", answer: Self.plain)
        #expect(passage.answer.values("Connection") == ["close"])
        #expect(!passage.keepsClient)
    }

    /// CGI and WSGI show a program `X_Forwarded_For` and `X-Forwarded-For` under one name.
    @Test func fieldsThatLookAlikeEndHere() throws {
        let passage = try Passage(
            "GET / HTTP/1.1\r\nHost: h\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Proto: https\r\n"
                + "x_request_id: forged\r\nContent_Length: 5\r\nmy_own: 1\r\nX-Request-ID: i\r\n\r\n"
        )
        #expect(passage.request.head == "GET / HTTP/1.1\r\nHost: h\r\nmy_own: 1\r\n\(Self.added)")
    }

    /// What a route allows must be what the backend serves.
    @Test(arguments: [
        ("/v1/../reset_prefix_cache", 400), ("/v1/%2e%2E/x", 400), ("/v1/a%2fb", 400),
        ("/v1/models/org%2Fname/x", 204), ("/v1/a.b", 204),
    ])
    func ambiguousPathsAreRefused(_ path: String, _ status: Int) throws {
        for (server, expected) in [("", status), ("ambiguous_paths: pass", 204)] {
            let backend = try ScriptedBackend.serving { wire, _ in
                try wire.send("HTTP/1.1 204 No Content\r\n\r\n")
            }
            let gateway = try RunningGateway(policyText([backend.url], server: server))
            let answer = try gateway.connect().get(path)
            #expect(answer.status == expected)
            if expected == 400 {
                #expect(answer.value("X-Penstock-Reason") == "path_ambiguous")
                #expect(backend.requests.isEmpty)
            }
        }
    }

    /// A request that has passed this gateway's name twice goes round in a circle.
    @Test(arguments: [
        ("1.1 other, 1.1 penstock", 204), ("1.1 penstock, 1.1 other, 1.1 penstock", 508),
        ("1.1 penstock\r\nVia: 1.0 Penstock (x)", 508),
    ])
    func aLoopIsEnded(_ via: String, _ status: Int) throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.send("HTTP/1.1 204 No Content\r\n\r\n")
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("GET / HTTP/1.1\r\nHost: h\r\nVia: \(via)\r\n\r\n")
        let answer = try client.readResponse()
        #expect(answer.status == status)
        if status == 508 { #expect(answer.value("X-Penstock-Reason") == "loop") }
        #expect(backend.requests.count == (status == 508 ? 0 : 1))
    }

    /// What is read as it passes is asked for without compression, and only that.
    @Test(arguments: [("/v1/chat/completions", true), ("/plain", false)])
    func responsesThatAreReadAreAskedForAsTheyAre(_ path: String, _ isRead: Bool) throws {
        let passage = try Passage(
            "POST \(path) HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip, br\r\nContent-Length: 2\r\n\r\n{}"
        )
        #expect(
            passage.request.values("Accept-Encoding") == [isRead ? "identity" : "gzip, br"])
    }
}
