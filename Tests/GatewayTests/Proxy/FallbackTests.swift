// Pools that stand in for others.

import Bytes
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

    /// A compressed body's model cannot be replaced: the request stays with its own pool, and says so.
    @Test func aCompressedBodyDoesNotFallBack() throws {
        let go = Door()
        let large = try ScriptedBackend.serving { wire, _ in
            try go.pass(within: 20)
            try wire.answer("large")
        }
        let small = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policy(large, small))
        var compressed = ByteBuffer()
        let text = Array("{\"model\":\"big\"}".utf8)
        try #require(Gzip.compress(text.span, into: &compressed))
        let body = (0..<compressed.count).map { compressed.bytes[$0] }
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
