// What a compressed body is charged: as much as what a server reads of it, however it comes.

import Admission
import Foundation
import Inference
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct CompressedBodyTests {
    private static let prompt =
        "{\"model\":\"m\",\"prompt\":\"\(String(repeating: "y", count: 40_000))\"}"
    /// Four bytes a token.
    private static let promptTokens = 10_000
    private static let quota = 100_000

    private func gateway(
        _ backend: ScriptedBackend, server: String = "", route: String = ""
    ) throws -> RunningGateway {
        try RunningGateway(
            """
            listen: 127.0.0.1:0
            admin: off
            log: {access: off}
            server: {\(server)}
            models: {refresh: off}
            pools:
              main:
                backends: ["\(backend.url)"]
                limit: 4
                tenant: {header: x-tenant, named: [{name: a, tokens_per_minute: \(Self.quota)}]}
            routes:
              - {path: /*, pool: main\(route)}

            """)
    }

    private func used(_ gateway: RunningGateway) throws -> Int {
        let rates = try gateway.ask { $0.pools[0].rates(of: .named("a"))?.tokens?.remaining }
        return Self.quota - (try #require(rates))
    }

    private func send(
        _ body: [UInt8], to path: String, from client: Wire, coding: String = "gzip",
        isChunked: Bool = false, pieces: Int = 60, fields: String = ""
    ) throws {
        let framing =
            isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)"
        try client.send(
            "POST \(path) HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\nContent-Encoding: \(coding)\r\n"
                + "\(fields)\(framing)\r\n\r\n")
        if !fields.isEmpty { _ = try client.read(until: "100 Continue\r\n\r\n") }
        var rest = body[...]
        while !rest.isEmpty {
            let next = Array(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
            if isChunked { try client.send("\(String(next.count, radix: 16))\r\n") }
            try client.send(next)
            if isChunked { try client.send("\r\n") }
        }
        if isChunked { try client.send("0\r\n\r\n") }
    }

    /// How a body comes.
    enum Way: CaseIterable {
        case pieces, whole, chunks, asked, unheld, watched, routed, members
    }

    /// What is reserved before there is an answer.
    @Test(arguments: Way.allCases, ["/v1/completions", "/v1/messages", "/other"])
    func itIsChargedAsExpanded(_ way: Way, _ path: String) throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try gateway(
            backend, server: way == .unheld ? "body_before_queue: 0B" : "",
            route: way == .watched
                ? ", stream_usage: ask, stream_keep_alive: 10s"
                : way == .routed ? ", models: [\"*\"]" : "")
        let client = try gateway.connect()
        var body = try gzipped(Self.prompt)
        if way == .members { body += try gzipped("  ") }
        #expect(body.count < 300)
        try send(
            body, to: path, from: client, isChunked: way == .chunks,
            pieces: way == .whole ? 1_000 : 60,
            fields: way == .asked ? "Expect: 100-continue\r\n" : "")
        try eventually("it runs") { try gateway.holdings().inFlight == 1 }
        let reserved = try used(gateway)
        #expect(reserved >= Self.promptTokens - 1_000)
        // What has not come is charged as much as it can be.
        #expect(way == .unheld || reserved < Self.promptTokens + 1_000)
        go.open()
        #expect(try client.readResponse().status == 200)
        if way != .chunks { #expect(backend.requests.last?.body == body) }
        try gateway.settles()
        #expect(
            ((Self.promptTokens - 2_000)...(Self.promptTokens + 1_000)).contains(try used(gateway)))
    }

    /// A coding that is not expanded here, or that is none, is charged eight times its length, and what was
    /// used once that is told.
    @Test(arguments: [
        "br", "zstd", "deflate", "gzip, gzip", "utf-8", "none", "aws-chunked", "identity;q=1",
        "gzip;q=1",
    ])
    func whatIsNotExpandedCostsAGuess(coding: String) throws {
        let go = Door()
        let usage = "{\"usage\":{\"prompt_tokens\":5000,\"completion_tokens\":1}}"
        let backend = try ScriptedBackend.serving { wire, _ in
            try go.pass()
            try wire.answer(usage, fields: "Content-Type: application/json\r\n")
        }
        let gateway = try gateway(backend)
        let client = try gateway.connect()
        let body = try gzipped(Self.prompt)
        try send(body, to: "/v1/completions", from: client, coding: coding)
        try eventually("it runs") { try gateway.holdings().inFlight == 1 }
        // The response is expected to have a few hundred.
        #expect((2 * body.count..<2 * body.count + 2_000).contains(try used(gateway)))
        go.open()
        #expect(try client.readResponse().status == 200)
        try gateway.settles()
        #expect((3_000...5_001).contains(try used(gateway)))
    }

    /// Where no response reports what was used, one request costs no more than its tenant fills again in two
    /// minutes, however it is coded.
    @Test(
        arguments: ["br", "gzip, gzip", "utf-8", "gzip", "identity"],
        ["/v1/completions", "/v2/models/m/infer"])
    func oneRequestShutsNobodyOut(coding: String, path: String) throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.answer("{}", fields: "Content-Type: application/json\r\n")
        }
        let gateway = try gateway(backend)
        let client = try gateway.connect()
        let text = String(repeating: "a", count: 3 << 20)
        let body = coding == "identity" ? Array(text.utf8) : try gzipped(text)
        try send(body, to: path, from: client, coding: coding, pieces: 60_000)
        #expect(try client.readResponse().status == 200)
        try gateway.settles()
        let rates = try gateway.ask { $0.pools[0].rates(of: .named("a"))?.tokens }
        #expect(try #require(rates).secondsUntilFull <= 120)
        if coding != "gzip", coding != "identity" {
            #expect(try used(gateway) < 2 * body.count + 2_000)
        }
    }

    /// What says that it is gzip, and is not, is what it is to a server that does not look at that.
    @Test(arguments: ["gzip", "identity", ""])
    func whatIsNotCompressedCostsItsLength(coding: String) throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try gateway(backend)
        let client = try gateway.connect()
        try send(
            Array(Self.prompt.utf8), to: "/v1/completions", from: client, coding: coding,
            pieces: 9_000)
        try eventually("it runs") { try gateway.holdings().inFlight == 1 }
        #expect((9_000...11_000).contains(try used(gateway)))
        go.open()
        #expect(try client.readResponse().status == 200)
    }

    /// What stops being gzip in its middle, or expands to too much to be read to its end, passes and
    /// costs no less than what was read of it.
    @Test func whatCannotBeExpandedPasses() throws {
        let backend = try ScriptedBackend.serving { wire, _ in try wire.answer("ok") }
        let bomb = try gzipped(String(repeating: "a", count: 20 << 20))
        for body in [try gzipped(Self.prompt) + Array("behind it".utf8), bomb] {
            let gateway = try gateway(backend)
            let client = try gateway.connect()
            try send(body, to: "/v1/completions", from: client, pieces: 5_000)
            #expect(try client.readResponse().status == 200)
            #expect(backend.requests.last?.body == body)
            try gateway.settles()
            #expect(try used(gateway) >= Self.promptTokens - 1_000)
        }
    }

    /// What a compressed prompt came to says nothing of how many bytes a token has in others, but by what
    /// it expands to.
    @Test func thePriceOfAByteStays() throws {
        let usage = "{\"usage\":{\"prompt_tokens\":10000,\"completion_tokens\":1}}"
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.answer(usage, fields: "Content-Type: application/json\r\n")
        }
        let gateway = try gateway(backend)
        let client = try gateway.connect()
        for coding in ["br", "gzip", "gzip"] {
            try send(try gzipped(Self.prompt), to: "/v1/completions", from: client, coding: coding)
            #expect(try client.readResponse().status == 200)
        }
        let expected = try gateway.ask { shard in
            shard.pools[0].admission.tokens.expected(
                of: [], TokenEstimates.Request(bodyBytes: 4_000)
            ).input
        }
        #expect((990...1_010).contains(expected))
    }
}
