// Comments that keep a stream's connection alive until its first event, and what becomes of a stream
// that was begun by one.

import Admission
import Bytes
import Foundation
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct KeepAliveTests {
    private static let comment = ": waiting\n\n"
    private static let event = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
    private static let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    /// One pool, and a route for everything that keeps its streams alive.
    private func world(
        pool: String = "limit: 1", route: String = "", more: String = ""
    ) throws -> World {
        try World(
            text: """
                listen: 127.0.0.1:0
                admin: off
                log: {access: off}
                pools:
                  main: {backends: ["\(World.backendURL)"], \(pool)}
                routes:
                  - {path: /*, pool: main, stream_keep_alive: 100ms\(route)}
                \(more)

                """)
    }

    private func post(
        _ body: String = "{\"model\":\"m\",\"messages\":[],\"stream\":true}",
        to path: String = "/v1/chat/completions", version: String = "1.1",
        fields: String = "Content-Type: application/json\r\n"
    ) -> String {
        "POST \(path) HTTP/\(version)\r\nHost: h\r\nConnection: keep-alive\r\n\(fields)"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private static func chunk(_ text: String) -> String {
        "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"
    }

    /// Has a backend stream one event.
    private func stream(from backend: Peer) throws {
        try backend.send(Self.head + Self.chunk(Self.event) + "0\r\n\r\n")
    }

    /// Takes the pool's one slot until the backend streams.
    private func hold(_ world: World) throws -> (client: ClientPeer, backend: Peer) {
        let holder = world.connect()
        try holder.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let backend = try world.accept()
        #expect(world.inFlight == 1)
        return (holder, backend)
    }

    private func error(in text: String) throws -> [String: Any] {
        let data = try #require(text.components(separatedBy: "data: ").last)
        return try #require(try jsonObject(data)["error"] as? [String: Any])
    }

    /// Compressed bodies say of a stream as others do, also in several members.
    @Test(arguments: ["gzip", "x-gzip", "identity, gzip"])
    func aCompressedBodyAsksForAStreamToo(coding: String) throws {
        let world = try world(pool: "limit: 1, queue: {max_wait: 1m}")
        let (holder, backend) = try hold(world)
        let body = try gzipped("{\"model\":\"m\",\"str") + gzipped("eam\":true}")
        let client = world.connect()
        try client.send(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                + "Content-Encoding: \(coding)\r\n"
                + "Content-Length: \(body.count)\r\n\r\n")
        try client.send(body)
        world.pass(milliseconds: 150)
        #expect(Message(head: try client.read(until: "\r\n\r\n")).status == 200)
        try backend.answer("done")
        #expect(try holder.readResponse().status == 200)
        try stream(from: backend)
        _ = try client.read(until: "0\r\n\r\n")
    }

    /// It is only looked at for comments, so it is refused for none of this, and gets no comments.
    @Test(arguments: [
        "{\"stream\":true", "{\"stream\":true]", "[1]", "stream", "{\"stream\":true,\"x\":yes}",
        "{\"a\":\(String(repeating: "[", count: 200))",
    ])
    func whatCannotBeReadPasses(_ body: String) throws {
        let world = try world(pool: "limit: 1, queue: {max_wait: 1m}")
        let (holder, backend) = try hold(world)
        let client = world.connect()
        try client.send(post(body))
        world.pass(milliseconds: 350)
        try backend.answer("done")
        #expect(try holder.readResponse().status == 200)
        try backend.answer("done")
        #expect(try client.readResponse().bodyText == "done")
    }

    @Test func aWaitingStreamIsKeptAlive() throws {
        let world = try world(pool: "limit: 1, queue: {max_wait: 1m}")
        let (holder, backend) = try hold(world)
        let client = world.connect()
        try client.send(post())
        let head = Message(head: try client.read(until: "\r\n\r\n"))
        #expect(head.status == 200)
        #expect(head.value("Content-Type") == "text/event-stream")
        #expect(head.value("Transfer-Encoding") == "chunked")
        #expect(head.value("X-Request-Id") != nil)
        #expect(try client.readChunk() == Self.comment)
        for _ in 0..<3 {
            var chunk: String?
            let waited = try world.milliseconds { chunk = try client.readChunk() }
            #expect(chunk == Self.comment)
            #expect(waited == 100)
        }
        #expect(world.queued == 1)
        try stream(from: backend)
        #expect(try holder.readResponse().status == 200)
        world.pass(milliseconds: 250)
        try stream(from: backend)
        var chunks: [String] = []
        while let chunk = try client.readChunk() { chunks.append(chunk) }
        #expect(chunks == [Self.comment, Self.comment, Self.event], "no comment follows an event")
        _ = try client.read(until: "\r\n")
        // The connection goes on.
        try client.send(post("{\"model\":\"m\"}"))
        try stream(from: backend)
        #expect(try client.readResponse().status == 200)
        world.settles(clients: 2, idle: 1)
        let counted = world.metric { metrics in
            metrics.models.map { ($0.name, $0.streams.map(\.firstToken.count)) }
                .filter { $0.0 == Array("m".utf8) }.map(\.1)
        }
        #expect(counted == [[2]])
    }

    @Test(arguments: [
        ("/v1/chat/completions", "service_unavailable_error"), ("/v1/messages", "overloaded_error"),
    ])
    func aRefusalAfterACommentIsAnEvent(_ path: String, _ type: String) throws {
        let world = try world(pool: "limit: 1, queue: {max_wait: 500ms}")
        let (holder, backend) = try hold(world)
        let client = world.connect()
        try client.send(post(to: path))
        var answer = Message()
        let waited = try world.milliseconds { answer = try client.readResponse() }
        #expect(waited == 500)
        #expect(answer.status == 200)
        #expect(answer.chunks.first == Self.comment)
        #expect(try error(in: answer.bodyText)["type"] as? String == type)
        let ended = world.metric { metrics in
            [
                metrics.count(of: .success, .queueTimeout),
                metrics.count(of: .rejected, .queueTimeout),
            ]
        }
        #expect(ended == [1, 1])
        // Who did not ask for a stream is told as before.
        try client.send(post("{\"model\":\"m\",\"stream\":false}", to: path))
        let refused = try client.readResponse()
        #expect(refused.status == (path == "/v1/messages" ? 529 : 503))
        #expect(refused.value("Retry-After") != nil)
        try stream(from: backend)
        _ = try holder.readResponse()
        world.settles(clients: 2, idle: 1)
    }

    @Test(arguments: [
        ("400 Bad", "{\"error\":{\"message\":\"no\"}}", "invalid_request_error"),
        ("503 Full", "{}", "service_unavailable_error"), ("500 Broken", "{}", "server_error"),
        ("200 OK", "{\"choices\":[]}", "server_error"), ("204 Nothing", "", "server_error"),
    ])
    func whatIsNoStreamBecomesAnError(_ status: String, _ body: String, _ type: String) throws {
        let world = try world()
        let client = world.connect()
        try client.send(post())
        let backend = try world.accept()
        _ = try client.read(until: Self.comment)
        let length = status.hasPrefix("204") ? "" : "Content-Length: \(body.utf8.count)\r\n"
        try backend.send(
            "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\n\(length)\r\n\(body)")
        let rest = try client.read(until: "\r\n0\r\n\r\n")
        let told = try error(in: rest.replacingOccurrences(of: "\r\n0\r\n\r\n", with: ""))
        #expect(told["type"] as? String == type)
        #expect(told["code"] as? String == "stream_refused")
        world.settles(clients: 1, idle: 0)
        let charged = world.metric { metrics in
            metrics.allStreams.flatMap(\.traffic).map { [$0.responses, $0.inputTokens] }
        }
        #expect(charged == [[0, 0]])
    }

    @Test func aBackendThatDiesBeforeItsFirstEventIsAnError() throws {
        let world = try world()
        let client = world.connect()
        try client.send(post())
        let backend = try world.accept()
        _ = try client.read(until: Self.comment)
        backend.close()
        #expect(try client.read(until: "\r\n0\r\n\r\n").contains("upstream_closed"))
        world.settles(clients: 1, idle: 0)
    }

    /// A head says that the engine has the request; comments go on until there is an event, and none
    /// stands within one.
    @Test func commentsStandBetweenEventsOnly() throws {
        let world = try world(pool: "limit: 1")
        let client = world.connect()
        try client.send(post())
        let backend = try world.accept()
        try backend.send(Self.head)
        let head = Message(head: try client.read(until: "\r\n\r\n"))
        #expect(head.value("X-Penstock-Queue-Ms") == "0", "the backend's own head")
        #expect(try client.readChunk() == Self.comment)
        #expect(try client.readChunk() == Self.comment)
        try backend.send(Self.chunk(String(Self.event.prefix(9))))
        world.pass(milliseconds: 500)
        try backend.send(Self.chunk(String(Self.event.dropFirst(9))))
        var text = ""
        while !text.hasSuffix(Self.event) { text += try #require(try client.readChunk()) }
        #expect(text == Self.event)
        #expect(client.isSilent(for: 0.4), "no comment follows the first event")
        try backend.send("0\r\n\r\n")
        _ = try client.read(until: "0\r\n\r\n")
        world.settles(clients: 1, idle: 1)
    }

    @Test func anOldClientGetsCommentsWithoutChunks() throws {
        let world = try world()
        let client = world.connect()
        try client.send(post(version: "1.0"))
        let backend = try world.accept()
        let head = Message(head: try client.read(until: "\r\n\r\n"))
        #expect(head.value("Transfer-Encoding") == nil && head.value("Connection") == "close")
        #expect(try client.read(until: Self.comment) == Self.comment)
        try stream(from: backend)
        #expect(try client.readToEnd() == Self.event)
    }

    /// Nobody else is sent comments: the answer comes as it would without them.
    @Test(arguments: [
        ("/v1/chat/completions", "{\"stream\":false}", "Content-Type: application/json\r\n"),
        ("/v1/chat/completions", "{}", "Content-Type: application/json\r\n"),
        ("/v1/chat/completions", "{\"stream\":true}", "Content-Type: text/plain\r\n"),
        ("/api/chat", "{\"model\":\"m\",\"stream\":true}", "Content-Type: application/json\r\n"),
        ("/other", "{\"stream\":true}", "Content-Type: application/json\r\n"),
    ])
    func othersWaitInSilence(_ path: String, _ body: String, _ fields: String) throws {
        let world = try world()
        let client = world.connect()
        try client.send(post(body, to: path, fields: fields))
        let backend = try world.accept()
        #expect(client.isSilent(for: 0.4))
        try stream(from: backend)
        #expect(try client.readResponse().bodyText == Self.event)
    }

    /// What a client asks for may stand at the end of its body, which comes in pieces; the backend
    /// gets it whole.
    @Test(arguments: ["", ", models: [m]"])
    func theWishMayStandAtTheEnd(_ route: String) throws {
        let world = try world(route: route)
        let client = world.connect()
        let prompt = String(repeating: "word ", count: 30_000)
        let body = "{\"model\":\"m\",\"prompt\":\"\(prompt)\",\"stream\":true}"
        let request = post(body)
        try client.send(String(request.prefix(1_000)))
        world.pass(milliseconds: 150)
        #expect(world.inFlight == 0, "it is not known yet what is wanted")
        try client.send(String(request.dropFirst(1_000)))
        let backend = try world.accept()
        _ = try client.read(until: Self.comment)
        #expect(try backend.readRequest().bodyText == body)
        try stream(from: backend)
        _ = try client.read(until: "\r\n0\r\n\r\n")
        #expect(world.backends.count == 1)
        world.settles(clients: 1)
    }

    /// A body that is not held any longer goes on as it is, and its client waits in silence.
    @Test func longBodiesAreNotRefusedForTheWish() throws {
        let world = try world(route: ", models: [m]", more: "models: {max_held: 200KiB}")
        world.serve { backend, request in try backend.answer("\(request.body.count)") }
        let client = world.connect()
        let prompt = String(repeating: "x", count: 1_000_000)
        let body = "{\"model\":\"m\",\"prompt\":\"\(prompt)\",\"stream\":true}"
        try client.send(post(body))
        #expect(try client.readResponse().bodyText == "\(body.utf8.count)")
    }

    @Test func aClientThatLeavesWhileItIsKeptAliveIsCancelled() throws {
        let world = try world(pool: "limit: 1, queue: {max_wait: 1m}")
        let (holder, backend) = try hold(world)
        let client = world.connect()
        try client.send(post())
        _ = try client.read(until: Self.comment)
        client.close()
        #expect(world.queued == 0)
        #expect(world.metric { $0.count(of: .abandoned, .clientGone) } == 1)
        try stream(from: backend)
        _ = try holder.readResponse()
        world.settles(clients: 1, idle: 1)
    }

    /// The clients' time between two bytes begins anew with each comment; a deadline does not.
    @Test func commentsCountForAClientsReadTimeout() throws {
        let world = try world(pool: "limit: 4")
        let patient = world.connect()
        let json = "Content-Type: application/json\r\n"
        try patient.send(post(fields: json + "x-stainless-read-timeout: 0.3\r\n"))
        let backend = try world.accept()
        let hasty = world.connect()
        try hasty.send(post(fields: json + "x-request-timeout: 0.3\r\n"))
        _ = try world.accept()
        #expect(try hasty.readResponse().bodyText.contains("deadline_passed"))
        try stream(from: backend)
        #expect(try patient.readResponse().bodyText.hasSuffix(Self.event))
    }
}
