// What is learnt from responses as they pass, and streams that fail.

import Admission
import Foundation
import Inference
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct InferenceResponseTests {
    private static let stream =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    private func chunk(_ text: String) -> String {
        "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"
    }

    private func policy(_ url: String) -> String {
        policyText([url], pool: "limit: 10, timeouts: {stream_stall: 300ms}")
    }

    @Test func usageAndTimesOfAStreamAreCounted() throws {
        let event = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
        let usage =
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n"
        let world = try World(pool: "limit: 10")
        let client = world.connect()
        try client.send("GET /v1/chat/completions HTTP/1.1\r\nHost: h\r\n\r\n")
        let backend = try world.accept()
        try backend.send(Self.stream + chunk(event))
        world.pass(milliseconds: 300)
        try backend.send(chunk(event + String(usage.prefix(20))))
        try backend.send(
            chunk(String(usage.dropFirst(20)) + "data: [DONE]\n\n") + "0\r\n\r\n")
        let answer = try client.readResponse()
        #expect(answer.bodyText == event + event + usage + "data: [DONE]\n\n")
        #expect(answer.value("X-Penstock-Queue-Ms") == "0")
        #expect(answer.value("Server-Timing")?.hasPrefix("queue;dur=0, backend;dur=") == true)
        let seen = world.metric { metrics in
            metrics.allStreams.map { streams in
                let traffic = streams.traffic[0]
                return [
                    traffic.responses, traffic.inputTokens, traffic.outputTokens,
                    streams.firstToken.count, streams.interToken.count, streams.tokenRate.count,
                ]
            }
        }
        #expect(seen == [[1, 7, 2, 1, 2, 1]])
        // One token came 0.3 s after the first.
        let rate = world.metric { $0.allStreams[0].tokenRate.sumNanoseconds }
        #expect(rate > 3_300_000_000 && rate < 3_400_000_000)
    }

    @Test func whatAClientTookBeforeItLeftIsCounted() throws {
        let start =
            "data: {\"type\":\"message_start\",\"message\":{\"usage\":"
            + "{\"input_tokens\":11,\"output_tokens\":1}}}\n\n"
        let delta =
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
            + "{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n"
        let world = try World(pool: "limit: 10")
        let client = world.connect()
        try client.send("POST /v1/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
        try world.accept().send(Self.stream + chunk(start + delta + delta + delta))
        #expect(world.metric { $0.allStreams.first?.firstToken.count } == 1)
        client.close()
        #expect(world.inFlight == 0)
        let seen = world.metric { metrics in
            metrics.allStreams.map {
                let traffic = $0.traffic[0]
                return [traffic.responses, traffic.inputTokens, traffic.outputTokens]
            }
        }
        #expect(seen == [[0, 11, 4]])
    }

    @Test func usageOfAWholeResponseIsLearnt() throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.answer(
                "{\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":5}}",
                fields: "Content-Type: application/json\r\n")
        }
        let gateway = try RunningGateway(policy(backend.url), threads: 2)
        let client = try gateway.connect()
        for _ in 0..<60 {
            try client.send("POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n")
            try client.send(String(repeating: "x", count: 100))
            _ = try client.readResponse()
        }
        // One thread served the connection, and all expect the same.
        let all = try gateway.askAll { gateway in
            gateway.pools[0].admission.tokens.expected(
                of: [], TokenEstimates.Request(bodyBytes: 1_000))
        }
        #expect(all.count == 2)
        for expected in all {
            #expect((450...500).contains(expected.input))
            #expect(expected.output == 5)
        }
    }

    /// Long prompts take several units of the limit where the policy says so, and what was learnt says
    /// how long they are.
    @Test(arguments: [("", 1, 1), (", seats: {tokens: 1000, max: 4}", 1, 3)])
    func longRequestsTakeMoreOfTheLimit(_ seats: String, _ short: Int, _ long: Int) throws {
        let go = Door()
        let backend = try ScriptedBackend.serving { wire, _ in
            try go.pass(within: 20)
            try wire.answer()
        }
        let gateway = try RunningGateway(policyText([backend.url], pool: "limit: 12\(seats)"))
        var clients: [Wire] = []
        var inFlight = 0
        // A quarter of its bytes, and the 256 tokens of an answer that nothing is known of.
        for (bytes, taken) in [(40, short), (8_000, long)] {
            let client = try gateway.connect()
            try client.send("POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: \(bytes)\r\n\r\n")
            try client.send(String(repeating: "x", count: bytes))
            clients.append(client)
            inFlight += taken
            try eventually("\(inFlight) units") { try gateway.holdings().inFlight == inFlight }
        }
        go.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
        try gateway.settles(clients: 2)
    }

    /// What reports a prompt and no answer makes none, and is not expected to.
    @Test func embeddingsAreExpectedToAnswerNothing() throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.answer(
                "{\"data\":[],\"usage\":{\"prompt_tokens\":25,\"total_tokens\":25}}",
                fields: "Content-Type: application/json\r\n")
        }
        let gateway = try RunningGateway(policy(backend.url))
        let client = try gateway.connect()
        try client.send("POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
        _ = try client.readResponse()
        let expected = try gateway.askAll { gateway in
            gateway.pools[0].admission.tokens.expected(
                of: [], TokenEstimates.Request(bodyBytes: 2))
        }
        #expect(expected.allSatisfy { $0.output == 0 })
    }

    @Test(arguments: [("/v1/chat/completions", false), ("/v1/messages", true)])
    func aStreamThatStallsEndsWithAnError(_ path: String, _ isAnthropic: Bool) throws {
        let world = try World(pool: "limit: 10, timeouts: {stream_stall: 300ms}")
        world.serve { backend, _ in try backend.send(Self.stream + self.chunk("data: {}\n\n")) }
        let client = world.connect()
        var text = ""
        let waited = try world.milliseconds { text = try client.get(path).bodyText }
        #expect(waited == 300)
        #expect(text.hasPrefix("data: {}\n\n" + (isAnthropic ? "event: error\ndata: " : "data: ")))
        #expect(text.hasSuffix("\n\n"))
        let object = try #require(text.split(separator: "data: ").last)
        let error = try #require(try jsonObject(String(object))["error"] as? [String: Any])
        #expect(error["type"] as? String == (isAnthropic ? "timeout_error" : "server_error"))
        if !isAnthropic { #expect(error["code"] as? String == "stream_stalled") }
        #expect(world.metric { $0.count(of: .success, .streamStalled) } == 1)
        world.settles(idle: 0)
    }

    /// A stall says what other time-outs of a backend say: it cannot keep up with its limit.
    @Test func aStallLowersTheLimit() throws {
        let world = try World(
            pool: "limit: {algorithm: aimd, initial: 100}, timeouts: {stream_stall: 100ms}")
        world.serve { backend, _ in try backend.send(Self.stream + self.chunk("data: {}\n\n")) }
        _ = try world.connect().get("/v1/chat/completions")
        try world.wait(for: "a lower limit") { world.pool.admission.limit < 100 }
    }

    /// Heads come when a request is taken in, so a first event may take as long as a first byte.
    @Test func aStreamThatHasNotBegunDoesNotStall() throws {
        let world = try World(pool: "timeouts: {idle: 100ms, stream_stall: 100ms}")
        world.serve { backend, _ in
            try backend.send(Self.stream)
            backend.world.later(milliseconds: 400) {
                try backend.send(self.chunk("data: {}\n\n") + "0\r\n\r\n")
            }
        }
        #expect(try world.connect().get("/v1/chat/completions").bodyText == "data: {}\n\n")
        let impatient = try World(pool: "timeouts: {first_byte: 150ms}")
        impatient.serve { backend, _ in try backend.send(Self.stream) }
        var text = ""
        let waited = try impatient.milliseconds {
            text = try impatient.connect().get("/v1/chat/completions").bodyText
        }
        #expect(waited == 150)
        #expect(text.contains("first_byte_timeout"))
    }

    /// What keeps sending anything has not stalled, and other answers have a time-out of their own.
    @Test func commentsAndPausesOfOthersAreNoStall() throws {
        let world = try World(pool: "timeouts: {stream_stall: 2s}")
        world.serve { backend, _ in
            try backend.send(Self.stream + self.chunk("data: {}\n\n"))
            for number in 1...8 {
                let rest = self.chunk(": still here\n\n") + (number == 8 ? "0\r\n\r\n" : "")
                backend.world.later(milliseconds: 300 * number) { try backend.send(rest) }
            }
        }
        let text = try world.connect().get("/v1/chat/completions").bodyText
        #expect(text.hasSuffix(": still here\n\n"))
        let other = try World(pool: "timeouts: {stream_stall: 100ms}")
        other.serve { backend, _ in
            try backend.send(Self.stream + self.chunk("data: {}\n\n"))
            backend.world.later(milliseconds: 400) { try backend.send("0\r\n\r\n") }
        }
        #expect(try other.connect().get("/events").bodyText == "data: {}\n\n")
    }

    @Test func withinAnEventTheResponseIsCut() throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.send(Self.stream + self.chunk("data: {\"half"))
            wire.close()
        }
        let gateway = try RunningGateway(policy(backend.url))
        let client = try gateway.connect()
        try client.send("GET /v1/x HTTP/1.1\r\nHost: h\r\n\r\n")
        let text = try client.readToEnd()
        #expect(text.hasSuffix("data: {\"half\r\n"), "no last chunk")
    }
}
