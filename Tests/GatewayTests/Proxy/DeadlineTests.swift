// How long answers are wanted: by the request, by the policy, and what backends are told of it.

import Admission
import Foundation
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct DeadlineTests {
    private func fields(
        _ sent: String, pool: String = "limit: 4"
    ) throws -> (status: Int, seen: Message) {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url], pool: pool))
        let answer = try gateway.connect().get("/", fields: sent)
        return (answer.status, try #require(backend.requests.last))
    }

    @Test func backendsAreToldWhatIsLeft() throws {
        let (_, seen) = try fields(
            "grpc-timeout: 1H\r\nrequest-timeout: 20\r\nx-request-timeout: 30s\r\n"
                + "x-envoy-expected-rq-timeout-ms: 40000\r\nx-stainless-read-timeout: 600\r\n")
        let seconds = try #require(Double(seen.value("request-timeout") ?? ""))
        #expect(seconds > 15 && seconds < 20)
        let grpc = try #require(seen.value("grpc-timeout"))
        #expect(grpc.hasSuffix("m") && (15_000..<20_000).contains(Int(grpc.dropLast()) ?? 0))
        let other = try #require(seen.value("x-request-timeout"))
        #expect(other.hasSuffix("ms") && (15_000..<20_000).contains(Int(other.dropLast(2)) ?? 0))
        let envoy = try #require(Int(seen.value("x-envoy-expected-rq-timeout-ms") ?? ""))
        #expect((15_000..<20_000).contains(envoy))
        let stainless = try #require(Double(seen.value("x-stainless-read-timeout") ?? ""))
        #expect(stainless > 15 && stainless < 20)
    }

    @Test func aPolicysDeadlineIsToldToo() throws {
        let (_, seen) = try fields("", pool: "limit: 4, deadline: {longest: 30s}")
        let left = try #require(Int(seen.value("x-envoy-expected-rq-timeout-ms") ?? ""))
        #expect((25_000...30_000).contains(left))
        let (_, shorter) = try fields(
            "x-envoy-expected-rq-timeout-ms: 99999\r\n",
            pool: "limit: 4, deadline: {longest: 30s}")
        #expect(shorter.values("x-envoy-expected-rq-timeout-ms").count == 1)
        #expect(Int(shorter.value("x-envoy-expected-rq-timeout-ms") ?? "") ?? 99_999 <= 30_000)
        let (_, untold) = try fields(
            "request-timeout: 20\r\n", pool: "limit: 4, deadline: {longest: 9s, pass_on: false}")
        #expect(untold.value("x-envoy-expected-rq-timeout-ms") == nil)
        #expect(untold.value("request-timeout") == "20")
    }

    @Test(
        arguments: [
            "grpc-timeout: -1S", "grpc-timeout: 0S", "request-timeout: 0", "request-timeout: now",
            "x-request-timeout: 99999999999999999999999", "x-stainless-read-timeout: inf",
            "x-envoy-expected-rq-timeout-ms: 0x1",
        ])
    func oddTimesPassAsTheyAre(_ field: String) throws {
        let (status, seen) = try fields(field + "\r\n")
        #expect(status == 200)
        let parts = field.components(separatedBy: ": ")
        #expect(seen.value(parts[0]) == parts[1])
        let isEnvoys = parts[0].hasPrefix("x-envoy")
        #expect(seen.value("x-envoy-expected-rq-timeout-ms") == nil || isEnvoys)
    }

    @Test func whoWaitsInVainIsToldAtItsDeadline() throws {
        let world = try World(pool: "limit: 1, queue: {max_wait: 20s}")
        let first = world.connect()
        try first.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let backend = try world.accept()
        #expect(world.inFlight == 1)
        let waited = try world.milliseconds {
            let refused = try world.connect().get("/", fields: "request-timeout: 0.2\r\n")
            #expect(refused.status == 503)
            #expect(refused.value("X-Penstock-Reason") == "deadline")
        }
        #expect(waited == 200)
        try backend.answer("ok")
        #expect(try first.readResponse().status == 200)
        // The refused one never got to the backend.
        #expect(world.backends.count == 1 && world.holdings.dials == 0)
    }

    @Test func ignoredFieldsHaveNoEffect() throws {
        let world = try World(pool: "limit: 1, deadline: {headers: ignore}")
        let client = world.connect()
        try client.send("GET / HTTP/1.1\r\nHost: h\r\nrequest-timeout: 0.05\r\n\r\n")
        let backend = try world.accept()
        world.pass(milliseconds: 200)
        #expect(try backend.readRequest().value("request-timeout") == "0.05")
        try backend.answer("ok")
        #expect(try client.readResponse().status == 200)
    }

    @Test(arguments: ["request-timeout: 0.2\r\n", ""])
    func whatIsLateForItsClientIsCancelled(_ fields: String) throws {
        let world = try World(
            pool: fields.isEmpty ? "limit: 1, deadline: {longest: 200ms}" : "limit: 1")
        let client = world.connect()
        try client.send("GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
        let backend = try world.accept()
        let waited = try world.milliseconds {
            let late = try client.readResponse()
            #expect(late.status == 504)
            #expect(late.value("X-Penstock-Reason") == "deadline_passed")
        }
        #expect(waited == 200)
        // The backend's connection is closed, and its limit is not blamed.
        #expect(backend.isClosed)
        world.settles(idle: 0)
        #expect(world.pool.admission.limit == 1)
    }
}
