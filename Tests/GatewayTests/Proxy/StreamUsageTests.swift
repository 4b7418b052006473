// Usage that the gateway asks for in the client's stead: what the backend is told, what the client gets and
// what its quota is charged.

import Admission
import Bytes
import Foundation
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct StreamUsageTests {
    private static let event = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
    private static let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":700,\"completion_tokens\":2}}\n\n"
    private static let done = "data: [DONE]\n\n"
    private static let asked = "\"stream_options\":{\"include_usage\":true},"

    /// Its backend streams two tokens and their usage, whatever it is asked.
    private func stand(
        route: String = "stream_usage: ask", more: String = "",
        framing: String = "Transfer-Encoding: chunked"
    ) throws -> (RunningGateway, ScriptedBackend) {
        let text = Self.event + Self.event + Self.usage + Self.done
        let backend = try ScriptedBackend.serving { wire, request in
            let isChunked = framing.contains("chunked")
            try wire.send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    + (isChunked ? framing : "Content-Length: \(text.utf8.count)") + "\r\n\r\n")
            guard isChunked else {
                try wire.send(text)
                return
            }
            for piece in [text.prefix(70), text.dropFirst(70).prefix(100), text.dropFirst(170)] {
                try wire.send(
                    "\(String(piece.utf8.count, radix: 16))\r\n\(piece)\r\n")
            }
            try wire.send("0\r\n\r\n")
        }
        let gateway = try RunningGateway(
            """
            listen: 127.0.0.1:0
            admin: off
            log: {access: off}
            pools:
              main:
                backends: ["\(backend.url)"]
                limit: 4
                tenant: {header: x-tenant, named: [{name: a, tokens_per_minute: 6000}]}
            routes:
              - {path: /*, pool: main, \(route)}
            \(more)

            """)
        return (gateway, backend)
    }

    private func post(
        _ gateway: RunningGateway, _ body: String, to path: String = "/v1/chat/completions",
        fields: String = "Content-Type: application/json\r\n", isChunked: Bool = false
    ) throws -> Message {
        let client = try gateway.connect()
        let framing =
            isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.utf8.count)"
        try client.send(
            "POST \(path) HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\n\(fields)\(framing)\r\n\r\n")
        var rest = body[...]
        while !rest.isEmpty {
            let next = rest.prefix(11)
            rest = rest.dropFirst(11)
            if isChunked { try client.send("\(String(next.utf8.count, radix: 16))\r\n") }
            try client.send(String(next))
            if isChunked { try client.send("\r\n") }
        }
        if isChunked { try client.send("0\r\n\r\n") }
        return try client.readResponse()
    }

    @Test(
        arguments: [
            ("{\"model\":\"m\",\"stream\":true}", "{\(asked)\"model\":\"m\",\"stream\":true}"),
            (
                "{\"stream\":true,\"stream_options\":{\"include_usage\":false,\"a\":1}}",
                "{\"stream\":true,\"stream_options\":{\"include_usage\":true,\"a\":1}}"
            ),
            (
                "{\"stream_options\":{\"a\":1},\"stream\":true}",
                "{\"stream_options\":{\"include_usage\":true,\"a\":1},\"stream\":true}"
            ),
        ], [false, true])
    func theBackendIsAskedAndTheClientDoesNotSeeIt(
        _ texts: (body: String, sent: String), isChunked: Bool
    ) throws {
        for framing in ["Transfer-Encoding: chunked", "length"] {
            let (gateway, backend) = try stand(framing: framing)
            let answer = try post(gateway, texts.body, isChunked: isChunked)
            #expect(answer.bodyText == Self.event + Self.event + Self.done)
            let request = try #require(backend.requests.last)
            #expect(request.bodyText == texts.sent)
            if !isChunked {
                #expect(request.values("Content-Length") == ["\(texts.sent.utf8.count)"])
            }
            // What it came to is charged: 702 tokens, of which some come back while the test runs.
            let left = try gateway.ask { $0.pools[0].rates(of: .named("a"))?.tokens?.remaining }
            let remaining = try #require(left)
            #expect((5_298...5_900).contains(remaining))
        }
    }

    /// Who asks gets what it asked for, and what is no stream, or of another interface, stays as it is.
    @Test func othersGetWhatTheyAskedFor() throws {
        let (gateway, backend) = try stand()
        let whole = Self.event + Self.event + Self.usage + Self.done
        for (path, body) in [
            (
                "/v1/chat/completions",
                "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
            ),
            ("/v1/chat/completions", "{\"stream\":false}"), ("/v1/chat/completions", "{}"),
            ("/v1/responses", "{\"stream\":true}"), ("/v1/messages", "{\"stream\":true}"),
            ("/other/completions", "{\"stream\":true}"),
        ] {
            let answer = try post(gateway, body, to: path)
            #expect(answer.bodyText == whole, "\(path) \(body)")
            #expect(backend.requests.last?.bodyText == body)
        }
        let text = try post(gateway, "{\"stream\":true}", fields: "Content-Type: text/plain\r\n")
        #expect(text.bodyText == whole)
        let (off, other) = try stand(route: "methods: [POST]")
        #expect(try post(off, "{\"stream\":true}").bodyText == whole)
        #expect(other.requests.last?.bodyText == "{\"stream\":true}")
    }

    /// With another model's name, and with comments that keep the stream alive.
    @Test func itGoesWithOtherChanges() throws {
        let (gateway, backend) = try stand(
            route: "stream_usage: ask, models: [\"*\"], stream_keep_alive: 10s",
            more: "models: {aliases: {nick: a-longer-name}, refresh: off}")
        let answer = try post(
            gateway,
            "{\"stream\":true,\"model\":\"nick\",\"stream_options\":{\"include_usage\":false}}")
        #expect(answer.bodyText == Self.event + Self.event + Self.done)
        let sent =
            "{\"stream\":true,\"model\":\"a-longer-name\",\"stream_options\":{\"include_usage\":true}}"
        #expect(backend.requests.last?.bodyText == sent)
        #expect(backend.requests.last?.values("Content-Length") == ["\(sent.utf8.count)"])
    }

    /// What cannot be held, or not be changed, is sent as it came.
    @Test func whatCannotBeChangedPasses() throws {
        let (gateway, backend) = try stand(more: "models: {max_held: 8KiB}")
        let whole = Self.event + Self.event + Self.usage + Self.done
        let long = "{\"a\":\"\(String(repeating: "x", count: 7_000))\",\"stream\":true}"
        #expect(try post(gateway, long).bodyText == whole)
        #expect(backend.requests.last?.bodyText == long)
        var compressed = ByteBuffer()
        let bytes = Array("{\"stream\":true}".utf8)
        try #require(Gzip.compress(bytes.span, into: &compressed))
        let body = (0..<compressed.count).map { compressed.bytes[$0] }
        let client = try gateway.connect()
        try client.send(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                + "Content-Encoding: gzip\r\nContent-Length: \(body.count)\r\n\r\n")
        try client.send(body)
        #expect(try client.readResponse().bodyText == whole)
        #expect(backend.requests.last?.body == body)
    }
}
