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
        path: String = "/*", route: String = "stream_usage: ask", more: String = "",
        framing: String = "Transfer-Encoding: chunked", quota: Int = 600_000
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
                tenant: {header: x-tenant, named: [{name: a, tokens_per_minute: \(quota)}]}
            routes:
              - {path: "\(path)", pool: main, \(route)}
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
            let (gateway, backend) = try stand(framing: framing, quota: 6_000)
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
            ("/v1/completions", "{\"stream\":\"false\"}"), ("/v1/completions", "{\"stream\":0}"),
            ("/v1/completions", "{\"stream\":null}"), ("/v1/completions", ""),
            ("/v1/completions", "{\"stream\":true,\"stream\":false}"),
        ] {
            let answer = try post(gateway, body, to: path)
            #expect(answer.bodyText == whole, "\(path) \(body)")
            #expect(backend.requests.last?.bodyText == body)
        }
        // Servers that are lenient give who asks in its own way what it asked for.
        let lenient = try post(
            gateway, "{\"stream\":1,\"stream_options\":{\"include_usage\":\"yes\"}}")
        #expect(lenient.bodyText == whole)
        #expect(
            backend.requests.last?.bodyText
                == "{\"stream\":1,\"stream_options\":{\"include_usage\":true}}")
        let (off, other) = try stand(route: "methods: [POST]")
        #expect(try post(off, "{\"stream\":true}").bodyText == whole)
        #expect(other.requests.last?.bodyText == "{\"stream\":true}")
    }

    /// Nothing that a client says beside it makes a stream less of one.
    @Test(arguments: [
        "anthropic-version: 2023-06-01\r\n", "Content-Type: text/plain\r\n", "",
        "Content-Type: multipart/form-data; boundary=x\r\n", "Content-Encoding: gzip\r\n",
        "Content-Encoding: br\r\n", "Content-Encoding: gzip, gzip\r\n",
        "Anthropic-Version: 1\r\nContent-Type: application/json; charset=utf-8\r\n",
    ])
    func fieldsDoNotTurnItOff(_ fields: String) throws {
        let (gateway, backend) = try stand()
        let answer = try post(gateway, "{\"stream\":true}", fields: fields)
        #expect(answer.bodyText == Self.event + Self.event + Self.done)
        #expect(backend.requests.last?.bodyText == "{\(Self.asked)\"stream\":true}")
    }

    /// Nor does it help to write the path in another way.
    @Test(arguments: [
        "/v1/chat/completion%73", "/%761/chat/completions", "/v1/completions/",
        "/chat/completions", "//v1/chat/completions", "/v1/completions?a=b",
    ])
    func pathsDoNotTurnItOff(_ path: String) throws {
        let (gateway, backend) = try stand()
        let answer = try post(gateway, "{\"stream\":true}", to: path)
        #expect(answer.bodyText == Self.event + Self.event + Self.done)
        #expect(backend.requests.last?.bodyText == "{\(Self.asked)\"stream\":true}")
    }

    /// Nor do the ways in which lenient servers let it be said.
    @Test(arguments: ["1", "1.0", "\"true\"", "\"on\"", "\"Y\"", "false,\"stream\":true", "2"])
    func lenientServersAreAskedToo(_ value: String) throws {
        let (gateway, backend) = try stand()
        let body = "\"stream\":\(value),\"stream_options\":{\"include_usage\":0}}"
        let answer = try post(gateway, "{\(body)")
        #expect(answer.bodyText == Self.event + Self.event + Self.done)
        #expect(
            backend.requests.last?.bodyText
                == "{" + body.replacing("usage\":0", with: "usage\":true"))
        let ambiguous = try post(gateway, "{\"STREAM\":\(value)}")
        #expect(ambiguous.status == 400)
        #expect(ambiguous.value("X-Penstock-Reason") == "body_invalid")
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

    /// What cannot be read, held or changed is sent as it came.
    @Test(
        arguments: [
            "{\"stream\":true", "{\"stream\":true]", "stream=true", "[{\"stream\":true}]", "\"\"",
            "{\"stream\":true,\"a\":\(String(repeating: "[", count: 200))", "\u{1f}\u{8b}stream",
            "{\"a\":\"\(String(repeating: "x", count: 7_000))\",\"stream\":true}",
            "{\"a\":\"\(String(repeating: "x", count: 7_000))\",\"STREAM\":true}",
            "{\"a\":\"\(String(repeating: "x", count: 7_000))\",\"a\":nonsense}",
            "{\"stream\":true,\"model\":3,\"model\":4,\"MODEL\":5,\"a\":nonsense}",
        ], [false, true])
    func whatCannotBeChangedPasses(_ body: String, isChunked: Bool) throws {
        let (gateway, backend) = try stand(more: "models: {max_held: 8KiB}")
        let whole = Self.event + Self.event + Self.usage + Self.done
        for fields in ["Content-Type: application/json\r\n", "Content-Encoding: gzip\r\n"] {
            let answer = try post(gateway, body, fields: fields, isChunked: isChunked)
            #expect(answer.bodyText == whole)
            #expect(backend.requests.last?.bodyText == body)
        }
    }

    @Test(arguments: ["gzip", "x-gzip", "gzip, gzip", "br"])
    func whatIsCompressedPasses(coding: String) throws {
        let (gateway, backend) = try stand()
        let body = try gzipped("{\"stream\":true}")
        let client = try gateway.connect()
        try client.send(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                + "Content-Encoding: \(coding)\r\nContent-Length: \(body.count)\r\n\r\n")
        try client.send(body)
        #expect(
            try client.readResponse().bodyText
                == Self.event + Self.event + Self.usage + Self.done)
        #expect(backend.requests.last?.body == body)
    }

    /// More than all bodies together may have, whichever bound is met.
    @Test(arguments: [(2_000_000, false), (2_000_000, true), (40_000, false), (40_000, true)])
    func whatIsTooLongToBeHeldPasses(length: Int, isChunked: Bool) throws {
        let (gateway, backend) = try stand(
            more:
                "models: {max_held: \(length > 1 << 20 ? "64MiB" : "16KiB"), max_held_total: 1MiB}")
        let body = "{\"a\":\"\(String(repeating: "x", count: length))\",\"stream\":true}"
        let client = try gateway.connect()
        let framing =
            isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.utf8.count)"
        let text =
            isChunked ? "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n" : body
        try client.send(
            "POST /v1/completions HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n" + text)
        #expect(
            try client.readResponse().bodyText
                == Self.event + Self.event + Self.usage + Self.done)
        #expect(backend.requests.last?.bodyText == body)
        #expect(try gateway.ask { $0.bodyMemory.heldBytes } == 0)
    }

    /// Names for models are replaced where they have a part in finding the route, and nowhere else.
    @Test func aModelThatIsOnlySeenStays() throws {
        let (gateway, backend) = try stand(
            path: "/v1/*",
            route: "stream_usage: ask}\n  - {path: /other, pool: main, models: [name]",
            more: "models: {aliases: {nick: name}, refresh: off}")
        let answer = try post(gateway, "{\"stream\":true,\"model\":\"nick\"}")
        #expect(answer.bodyText == Self.event + Self.event + Self.done)
        #expect(
            backend.requests.last?.bodyText
                == "{\(Self.asked)\"stream\":true,\"model\":\"nick\"}")
    }
}
