// What tenants are told that want more than their share, and what observing changes.

import Admission
import Foundation
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct TenantResponseTests {
    private func get(_ tenant: String) -> String {
        "GET / HTTP/1.1\r\nHost: h\r\nX-Tenant: \(tenant)\r\n\r\n"
    }

    /// Sends `count` requests of `tenant` on connections of their own.
    private func send(
        _ count: Int, of tenant: String, through gateway: RunningGateway
    ) throws -> [Wire] {
        try (0..<count).map { _ in
            let wire = try gateway.connect()
            try wire.send(get(tenant))
            return wire
        }
    }

    private func waits(_ gateway: RunningGateway, inFlight: Int, queued: Int) throws {
        try eventually("\(inFlight) in flight and \(queued) queued") {
            let now = try gateway.holdings()
            return now.inFlight == inFlight && now.queued == queued
        }
    }

    @Test func whoeverIsOverItsShareIsToldSo() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText(
                [backend.url],
                pool: "limit: 4, queue: {max_requests: 4, max_wait: 20s}, "
                    + "tenant: {header: x-tenant, named: [{name: a}, {name: b, weight: 3}]}"))
        // One by one, so that it is known which is the newest, whatever reactors they are at.
        var clients: [Wire] = []
        for count in 1...8 {
            clients += try send(1, of: "a", through: gateway)
            try waits(gateway, inFlight: min(count, 4), queued: max(0, count - 4))
        }
        // The queue is full of one tenant's requests: another one's takes the place of the newest.
        clients += try send(1, of: "b", through: gateway)
        let displaced = try clients[7].readResponse()
        #expect(displaced.status == 503)
        #expect(displaced.value("X-Penstock-Reason") == "displaced")
        #expect(displaced.value("x-envoy-overloaded") == "true")
        let refused = try #require(try send(1, of: "a", through: gateway).first).readResponse()
        #expect(refused.status == 429)
        #expect(refused.value("X-Penstock-Reason") == "tenant_over_share")
        #expect(refused.value("x-envoy-overloaded") == nil)
        #expect(refused.value("RateLimit-Policy") == "\"share\";q=1;qu=\"concurrent-requests\"")
        let seconds = try #require(refused.value("Retry-After"))
        #expect(refused.value("RateLimit") == "\"share\";r=0;t=\(seconds)")
        let problem = try jsonObject(refused.bodyText)
        #expect(
            problem["type"] as? String
                == "https://iana.org/assignments/http-problem-types#quota-exceeded")
        #expect(problem["violated-policies"] as? [String] == ["share"])
        #expect(problem["status"] as? Int == 429)
        #expect(problem["reason"] as? String == "tenant_over_share")
        go.open()
        for client in clients[..<7] + clients[8...] {
            #expect(try client.readResponse().bodyText == "ok")
        }
    }

    @Test func atATenantsOwnBoundOthersGoOn() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText(
                [backend.url],
                pool: "limit: 4, tenant: {header: x-tenant, "
                    + "named: [{name: a}, {name: another}], "
                    + "default: {max_in_flight: 1, max_queued: 0}}, "
                    + "responses: {rate_limit: false}"))
        let first = try send(1, of: "a", through: gateway)
        try waits(gateway, inFlight: 1, queued: 0)
        let refused = try #require(try send(1, of: "a", through: gateway).first).readResponse()
        #expect(refused.status == 429)
        #expect(refused.value("X-Penstock-Reason") == "tenant_limit")
        #expect(refused.values("RateLimit").isEmpty)
        let second = try send(1, of: "another", through: gateway)
        go.open()
        for client in first + second { #expect(try client.readResponse().status == 200) }
        let now = try gateway.metric { $0.count(of: .rejected, .tenantLimit) }
        #expect(now == 1)
    }

    @Test func aShortageOfCapacityIsAProblemOfItsOwn() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText(
                [backend.url],
                pool: "limit: 1, queue: {max_requests: 0}, responses: {envoy_overloaded: false}"))
        let first = try send(1, of: "a", through: gateway)
        try waits(gateway, inFlight: 1, queued: 0)
        let refused = try #require(try send(1, of: "a", through: gateway).first).readResponse()
        #expect(refused.status == 503)
        #expect(refused.value("x-envoy-overloaded") == nil)
        #expect(refused.value("x-should-retry") == nil)
        let problem = try jsonObject(refused.bodyText)
        #expect(
            problem["type"] as? String
                == "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity")
        #expect(problem["reason"] as? String == "queue_full")
        go.open()
        for client in first { #expect(try client.readResponse().status == 200) }
    }

    @Test func responsesSayWhatIsLeftOfAShareOnceItMatters() throws {
        let go = Door()
        let backend = try ScriptedBackend.serving { wire, request in
            if request.value("X-Tenant") == "a" { try go.pass(within: 20) }
            try wire.answer("ok")
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 8, tenant: {header: x-tenant}"))
        let quiet = try #require(try send(1, of: "b", through: gateway).first).readResponse()
        #expect(quiet.values("RateLimit").isEmpty)
        let clients = try send(6, of: "a", through: gateway)
        try waits(gateway, inFlight: 6, queued: 0)
        let busy = try #require(try send(1, of: "b", through: gateway).first).readResponse()
        #expect(busy.status == 200)
        #expect(busy.value("RateLimit-Policy") == "\"share\";q=4;qu=\"concurrent-requests\"")
        #expect(busy.value("RateLimit") == "\"share\";r=3")
        go.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
    }

    @Test func observingStartsEverythingAndCountsWhatItWouldHaveDone() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText(
                [backend.url],
                pool: "limit: 1, mode: observe, queue: {max_requests: 1, max_wait: 1h}"))
        let clients = try send(4, of: "a", through: gateway)
        try waits(gateway, inFlight: 4, queued: 0)
        go.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
        let counted = try gateway.metric { metrics in
            [
                metrics.classes[0].count(of: .wouldStart, .none),
                metrics.classes[0].count(of: .wouldWait, .none),
                metrics.classes[0].count(of: .wouldBeRefused, .queueFull),
                metrics.count(of: .forwarded, .none),
            ]
        }
        #expect(counted == [1, 1, 2, 4])
    }
}
