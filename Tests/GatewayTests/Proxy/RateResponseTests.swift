// What tenants with quotas are told, and that the quotas follow what requests came to.

import Admission
import Foundation
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct RateResponseTests {
    private static let pool =
        "limit: 4, tenant: {header: x-tenant, named: [{name: a, requests_per_minute: 60, "
        + "tokens_per_minute: 60000}]}"

    private func remaining(
        _ answer: Message, _ what: String = "tokens"
    ) throws -> Int {
        try #require(Int(answer.value("x-ratelimit-remaining-\(what)") ?? ""))
    }

    private func tokens(_ gateway: RunningGateway) throws -> Int? {
        try gateway.ask { $0.pools[0].rates(of: .named("a"))?.tokens?.remaining }
    }

    private func requests(_ gateway: RunningGateway) throws -> Int? {
        try gateway.ask { $0.pools[0].rates(of: .named("a"))?.requests?.remaining }
    }

    @Test func responsesSayWhatIsLeft() throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.answer(
                "ok",
                fields: "x-ratelimit-limit-requests: 9\r\nRateLimit: \"x\";r=9\r\nX-Rate: 9\r\n")
        }
        let gateway = try RunningGateway(policyText([backend.url], pool: Self.pool))
        let client = try gateway.connect()
        let answer = try client.get("/v1/models", fields: "X-Tenant: a\r\n")
        #expect(answer.status == 200)
        #expect(answer.values("x-ratelimit-limit-requests") == ["60"])
        #expect(answer.values("x-ratelimit-limit-tokens") == ["60000"])
        #expect(try remaining(answer, "requests") == 59)
        #expect(try remaining(answer) == 60_000)
        let reset = try #require(answer.value("x-ratelimit-reset-requests"))
        #expect(reset == "1s" || reset.hasSuffix("ms"))
        #expect(
            answer.values("RateLimit-Policy") == [
                "\"requests\";q=60;w=60, \"tokens\";q=60000;qu=\"tokens\";w=60"
            ])
        #expect(
            answer.values("RateLimit") == ["\"requests\";r=59;t=1, \"tokens\";r=60000;t=0"])
        #expect(answer.value("X-Rate") == "9")
        // Other paths get the standard's fields only, and other tenants none.
        let plain = try client.get("/", fields: "X-Tenant: a\r\n")
        #expect(plain.value("x-ratelimit-limit-requests") == nil)
        #expect(plain.values("RateLimit").count == 1)
        #expect(plain.value("RateLimit")?.hasPrefix("\"requests\";r=58;") == true)
        let other = try client.get("/v1/models", fields: "X-Tenant: b\r\n")
        #expect(other.value("x-ratelimit-limit-requests") == "9")
        #expect(other.value("RateLimit") == "\"x\";r=9")
    }

    /// The gateway's come with the final response, and a backend's would be another's before it.
    @Test func whatBackendsSayOfTheirQuotasBeforeTheResponseIsDropped() throws {
        let world = try World(text: policyText([World.backendURL], pool: Self.pool))
        for (tenant, isPassed) in [("a", false), ("b", true)] {
            let client = world.connect()
            try client.send("GET /v1/models HTTP/1.1\r\nHost: h\r\nX-Tenant: \(tenant)\r\n\r\n")
            let backend = try world.acceptIfDialled() ?? #require(world.backends.last)
            try backend.send(
                "HTTP/1.1 103 Early Hints\r\nx-ratelimit-limit-requests: 9\r\nX-Rate: 9\r\n\r\n")
            let interim = try client.read(until: "\r\n\r\n")
            #expect(interim.contains("X-Rate: 9\r\n"))
            #expect(interim.contains("x-ratelimit-limit-requests: 9\r\n") == isPassed, "\(tenant)")
            try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            _ = try client.read(until: "\r\n\r\n")
        }
    }

    @Test func anthropicsClientsGetTheirOwnFields() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url], pool: Self.pool))
        let answer = try gateway.connect().get("/v1/messages", fields: "X-Tenant: a\r\n")
        #expect(answer.value("anthropic-ratelimit-requests-limit") == "60")
        #expect(answer.value("anthropic-ratelimit-requests-remaining") == "59")
        #expect(answer.value("anthropic-ratelimit-tokens-limit") == "60000")
        #expect(answer.value("x-ratelimit-limit-requests") == nil)
        let reset = try #require(answer.value("anthropic-ratelimit-requests-reset"))
        let moment = try #require(ISO8601DateFormatter().date(from: reset))
        #expect((-1...5).contains(moment.timeIntervalSinceNow))
    }

    @Test func whoHasUsedItsQuotaIsToldWhenToComeBack() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url], pool: Self.pool))
        let client = try gateway.connect()
        for _ in 0..<60 {
            #expect(try client.get("/v1/x", fields: "X-Tenant: a\r\n").status == 200)
        }
        var waits: Set<String> = []
        for _ in 0..<20 {
            let refused = try client.get("/v1/x", fields: "X-Tenant: a\r\n")
            // The bucket fills while the test runs.
            guard refused.status == 429 else { continue }
            #expect(refused.value("X-Penstock-Reason") == "tenant_request_rate")
            let seconds = try #require(Int(refused.value("Retry-After") ?? ""))
            #expect((1...60).contains(seconds))
            waits.insert(refused.value("retry-after-ms") ?? "")
            #expect(refused.value("x-ratelimit-remaining-requests") == "0")
            #expect(
                refused.value("RateLimit")?.hasPrefix("\"requests\";r=0;t=\(seconds), ") == true)
            let error = try jsonObject(refused.bodyText)["error"] as? [String: Any]
            #expect(error?["type"] as? String == "rate_limit_error")
        }
        #expect(waits.count >= 10)
        let problem = try client.get("/x", fields: "X-Tenant: a\r\n")
        if problem.status == 429 {
            let body = try jsonObject(problem.bodyText)
            #expect(body["violated-policies"] as? [String] == ["requests"])
        }
        #expect(try client.get("/v1/x", fields: "X-Tenant: b\r\n").status == 200)
    }

    @Test func whatARequestCameToIsCharged() throws {
        let backend = try ScriptedBackend.serving { wire, request in
            let status = Int(request.value("X-Status") ?? "") ?? 200
            try wire.answer(String(repeating: "x", count: 400), status: status)
        }
        // Little comes back while the test runs.
        let gateway = try RunningGateway(
            policyText(
                [backend.url],
                pool: "limit: 4, tenant: {header: x-tenant, named: [{name: a, "
                    + "requests_per_minute: 10, tokens_per_minute: 6000}]}"))
        let client = try gateway.connect()
        func post(_ status: Int) throws {
            let body = String(repeating: "y", count: 4_000)
            try client.send(
                "POST /v1/x HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\nX-Status: \(status)\r\n"
                    + "Content-Length: 4000\r\n\r\n\(body)")
            #expect(try client.readResponse().status == status)
        }
        func used(_ body: () throws -> Void) throws -> (requests: Int, tokens: Int) {
            let before = (try #require(try requests(gateway)), try #require(try tokens(gateway)))
            try body()
            let after = (try #require(try requests(gateway)), try #require(try tokens(gateway)))
            return (before.0 - after.0, before.1 - after.1)
        }
        // A thousand tokens of prompt, and a hundred of answer.
        let served = try used { try post(200) }
        #expect((0...1).contains(served.requests) && (600...1_100).contains(served.tokens))
        for status in [500, 503, 429] {
            let refused = try used { try post(status) }
            #expect(refused.requests <= 0 && refused.tokens <= 0, "\(status): \(refused)")
        }
        let faulty = try used { try post(400) }
        #expect(faulty.tokens <= 0)
    }

    @Test func whoLeavesBeforeTheResponseIsNotCharged() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText(
                [backend.url],
                pool: "limit: 1, queue: {max_wait: 20s}, tenant: {header: x-tenant, named: "
                    + "[{name: a, requests_per_minute: 3, tokens_per_minute: 100000}]}"))
        let body = String(repeating: "y", count: 40_000)
        let clients = try (0..<3).map { _ in try gateway.connect() }
        for client in clients {
            try client.send(
                "POST /v1/x HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\nContent-Length: 40000\r\n\r\n"
                    + body)
        }
        try eventually("one runs and two wait") {
            let now = try gateway.holdings()
            return now.inFlight == 1 && now.queued == 2
        }
        #expect(try requests(gateway) == 0)
        let reserved = try #require(try tokens(gateway))
        // Ten thousand tokens of prompt each, and an answer of a few hundred.
        #expect((68_000...98_000).contains(reserved))
        for client in clients { client.close() }
        try eventually("all is given back") {
            try self.requests(gateway) == 3 && self.tokens(gateway) == 100_000
        }
        go.open()
        try gateway.settles(clients: 0, idle: 0)
    }

    /// A grant that another reactor has given finds nobody any more.
    @Test func whoLeavesWhileItsGrantIsUnderWayIsNotCharged() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText(
                [backend.url],
                pool: "limit: 1, queue: {max_wait: 20s}, tenant: {header: x-tenant, named: "
                    + "[{name: a, requests_per_minute: 2}]}"), threads: 2)
        let clients = try (0..<2).map { _ in try gateway.connect() }
        for (number, client) in clients.enumerated() {
            try client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\n\r\n")
            try eventually("one runs, then one waits") {
                let now = try gateway.holdings()
                return now.inFlight == 1 && now.queued == number
            }
        }
        let waiting = try #require(
            try gateway.askAll { $0.heldPermitCount }.firstIndex(of: 0))
        let goesOn = Door()
        try gateway.hold(waiting, until: goesOn)
        clients[1].close()
        go.open()
        #expect(try clients[0].readResponse().status == 200)
        // Answered in a later turn than the one in which the other request was granted.
        try clients[0].send("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n")
        #expect(try clients[0].readResponse().status == 501)
        goesOn.open()
        try gateway.settles()
        // The next token comes after half a minute.
        #expect(try requests(gateway) == 1)
        #expect(backend.requests.count == 1)
    }

    @Test func quotasAreNotToldWhereTheyAreNotToBe() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], pool: Self.pool + ", responses: {rate_limit: false}"))
        let client = try gateway.connect()
        let answer = try client.get("/v1/x", fields: "X-Tenant: a\r\n")
        #expect(answer.value("x-ratelimit-limit-requests") == nil)
        #expect(answer.value("RateLimit") == nil)
    }
}
