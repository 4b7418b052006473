// Pools that stand in for others.

import Bytes
import Policy
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct FallbackTests {
    /// One slot for the large model, and the small one for whom it has none.
    private func policy(_ large: ScriptedBackend, _ small: ScriptedBackend) -> String {
        """
        listen: 127.0.0.1:0
        admin: off
        log: {access: off}
        pools:
          large: {backends: ["\(large.url)"], limit: 1, queue: {max_requests: 0}}
          small: {backends: ["\(small.url)"], limit: 10}
        routes:
          - path: /v1/*
            pool: large
            models: [big]
            fallback: {pool: small, model: little}

        """
    }

    @Test func theFallbackTakesWhatWouldBeRefused() throws {
        let go = Door()
        let large = try ScriptedBackend.serving { wire, request in
            try go.pass(within: 20)
            try wire.answer(request.bodyText)
        }
        let small = try ScriptedBackend.serving { wire, request in
            try wire.answer(request.bodyText)
        }
        let gateway = try RunningGateway(policy(large, small))
        let body = "{\"model\":\"big\"}"
        let request =
            "POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n\(body)"
        let first = try gateway.connect()
        try first.send(request)
        try eventually("one in flight") { try gateway.holdings().inFlight == 1 }
        let second = try gateway.connect()
        try second.send(request)
        let answer = try second.readResponse()
        #expect(answer.status == 200)
        #expect(answer.value("X-Penstock-Fallback") == "small")
        #expect(answer.bodyText == "{\"model\":\"little\"}")
        go.open()
        let own = try first.readResponse()
        #expect(own.bodyText == body)
        #expect(own.value("X-Penstock-Fallback") == nil)
        #expect(try gateway.metric { $0.fallbacks } == 1)
    }

    /// Both pools, of which the second knows nobody.
    private func quotaPolicy(
        _ large: ScriptedBackend, _ small: ScriptedBackend, tenant: String, other: String = "",
        limit: String = "limit: 1, queue: {max_requests: 0}"
    ) -> String {
        """
        listen: 127.0.0.1:0
        admin: off
        log: {access: off}
        pools:
          large: {backends: ["\(large.url)"], \(limit), tenant: \(tenant)}
          small: {backends: ["\(small.url)"], limit: 10\(other)}
        routes:
          - {path: /small, pool: small}
          - {path: /*, pool: large, fallback: {pool: small}}

        """
    }

    /// What a tenant has used up is refused, and not sent elsewhere.
    @Test(arguments: [
        ("{header: x-tenant, named: [{name: a, requests_per_minute: 2}]}", "tenant_request_rate"),
        ("{header: x-tenant, named: [{name: a, tokens_per_minute: 2000}]}", "tenant_token_rate"),
        ("{header: x-tenant, default: {requests_per_minute: 2}}", "tenant_request_rate"),
        ("{header: x-tenant, default: {tokens_per_minute: 2000}}", "tenant_token_rate"),
    ])
    func aQuotaIsNotWalkedAround(tenant: String, reason: String) throws {
        let backend = try ScriptedBackend.serving { wire, _ in try wire.answer("ok") }
        for other in ["", ", tenant: {header: x-tenant}", ", mode: observe"] {
            let gateway = try RunningGateway(
                quotaPolicy(backend, backend, tenant: tenant, other: other, limit: "limit: 4"))
            let client = try gateway.connect()
            func post() throws -> Message {
                try client.send(
                    "POST /x HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\nContent-Length: 4000\r\n\r\n"
                        + String(repeating: "y", count: 4_000))
                return try client.readResponse()
            }
            #expect(try post().status == 200)
            _ = try post()
            let refused = try post()
            #expect(refused.status == 429)
            #expect(refused.value("X-Penstock-Reason") == reason)
            #expect(refused.value("X-Penstock-Fallback") == nil)
        }
    }

    /// What goes to the other pool for want of room is charged all the same, also where that one knows
    /// nobody or only counts.
    @Test(arguments: ["", ", tenant: {header: x-tenant}", ", mode: observe"])
    func whatFallsBackIsCharged(other: String) throws {
        let go = Door()
        let large = try ScriptedBackend.held(until: go)
        let small = try ScriptedBackend.serving { wire, _ in try wire.answer("small") }
        let gateway = try RunningGateway(
            quotaPolicy(
                large, small,
                tenant: "{header: x-tenant, named: [{name: a, requests_per_minute: 3}]}",
                other: other))
        let first = try gateway.connect()
        try first.send("GET / HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\n\r\n")
        try eventually("one in flight") { try gateway.holdings().inFlight == 1 }
        let client = try gateway.connect()
        for left in [1, 0] {
            let answer = try client.get("/", fields: "X-Tenant: a\r\n")
            #expect(answer.value("X-Penstock-Fallback") == "small")
            #expect(answer.value("RateLimit")?.hasPrefix("\"requests\";r=\(left);") == true)
        }
        let refused = try client.get("/", fields: "X-Tenant: a\r\n")
        #expect(refused.status == 429)
        #expect(refused.value("X-Penstock-Reason") == "tenant_request_rate")
        // Others fall back as before.
        #expect(try client.get("/", fields: "X-Tenant: b\r\n").status == 200)
        go.open()
        _ = try first.readResponse()
    }

    /// A key is for the gateway, also where another pool stands in that has no keys.
    @Test(arguments: [false, true])
    func theOtherPoolGetsNoKey(isPassedOn: Bool) throws {
        let go = Door()
        let large = try ScriptedBackend.held(until: go)
        let small = try ScriptedBackend.serving { wire, _ in try wire.answer("small") }
        let made = KeyDigest(of: "secret".utf8.span)
        let digest = try #require(made).hexadecimal
        let bytes = stride(from: 0, to: 64, by: 2).compactMap { offset in
            UInt8(digest.dropFirst(offset).prefix(2), radix: 16)
        }
        let gateway = try RunningGateway(
            quotaPolicy(
                large, small, tenant: "{keys: {file: a.keys, pass_on: \(isPassedOn)}}"),
            keys: [KeyEntry(digest: bytes, tenant: "a")])
        let key = "Authorization: Bearer secret\r\nX-Api-Key: other\r\n"
        let first = try gateway.connect()
        try first.send("GET / HTTP/1.1\r\nHost: h\r\n\(key)\r\n")
        try eventually("one in flight") { try gateway.holdings().inFlight == 1 }
        let answer = try gateway.connect().get("/", fields: key)
        #expect(answer.value("X-Penstock-Fallback") == "small")
        let seen = try #require(small.requests.last)
        #expect(seen.value("Authorization") == (isPassedOn ? "Bearer secret" : nil))
        #expect(seen.value("X-Api-Key") == (isPassedOn ? "other" : nil))
        go.open()
        _ = try first.readResponse()
    }

    /// One bucket, whichever pool is asked, and a reload keeps what was used of it.
    @Test func allPoolsChargeOneQuota() throws {
        let backend = try ScriptedBackend.serving { wire, _ in try wire.answer("ok") }
        let tenant = "{header: x-tenant, named: [{name: a, requests_per_minute: 4}]}"
        let text = quotaPolicy(
            backend, backend, tenant: tenant, other: ", tenant: {header: x-tenant}",
            limit: "limit: 4")
        let gateway = try RunningGateway(text, threads: 2)
        let clients = try (0..<2).map { _ in try gateway.connect() }
        #expect(try clients[0].get("/x", fields: "X-Tenant: a\r\n").status == 200)
        #expect(try clients[1].get("/small", fields: "X-Tenant: a\r\n").status == 200)
        try gateway.reload(text.replacing("limit: 10", with: "limit: 11"))
        #expect(try clients[1].get("/x", fields: "X-Tenant: a\r\n").status == 200)
        #expect(try clients[0].get("/small", fields: "X-Tenant: a\r\n").status == 200)
        for path in ["/x", "/small"] {
            #expect(try clients[0].get(path, fields: "X-Tenant: a\r\n").status == 429)
        }
        #expect(try clients[0].get("/small").status == 200)
    }

    /// A tenant that has as much in flight as it may is not helped elsewhere either.
    @Test(arguments: [
        ("max_in_flight: 1, max_queued: 0", "limit: 4"),
        ("max_in_flight: 1", "limit: 4, queue: {max_requests: 0}"),
        ("max_in_flight: 1", "limit: 4, queue: {max_wait: 0s}"),
    ])
    func aTenantsBoundIsNotWalkedAround(bound: String, pool: String) throws {
        let go = Door()
        let large = try ScriptedBackend.held(until: go)
        let small = try ScriptedBackend.serving { wire, _ in try wire.answer("small") }
        let gateway = try RunningGateway(
            quotaPolicy(
                large, small,
                tenant: "{header: x-tenant, named: [{name: a, \(bound)}]}", limit: pool))
        let first = try gateway.connect()
        try first.send("GET / HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\n\r\n")
        try eventually("one in flight") { try gateway.holdings().inFlight == 1 }
        let refused = try gateway.connect().get("/", fields: "X-Tenant: a\r\n")
        #expect(refused.status == 429)
        #expect(refused.value("X-Penstock-Reason") == "tenant_limit")
        go.open()
        _ = try first.readResponse()
    }

    /// A compressed body's model cannot be replaced: the request stays with its own pool, and says so.
    @Test func aCompressedBodyDoesNotFallBack() throws {
        let go = Door()
        let large = try ScriptedBackend.serving { wire, _ in
            try go.pass(within: 20)
            try wire.answer("large")
        }
        let small = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policy(large, small))
        let body = try gzipped("{\"model\":\"big\"}")
        let head =
            "POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\n"
            + "Content-Length: \(body.count)\r\n\r\n"
        let first = try gateway.connect()
        try first.send(head)
        try first.send(body)
        try eventually("one in flight") { try gateway.holdings().inFlight == 1 }
        let second = try gateway.connect()
        try second.send(head)
        try second.send(body)
        let answer = try second.readResponse()
        #expect(answer.status == 503)
        #expect(answer.value("X-Penstock-Reason") == "queue_full")
        #expect(answer.value("X-Penstock-Fallback") == nil)
        go.open()
        let own = try first.readResponse()
        #expect(own.bodyText == "large")
        #expect(own.value("X-Penstock-Fallback") == nil)
        #expect(try gateway.metric { $0.fallbacks } == 0)
    }
}
