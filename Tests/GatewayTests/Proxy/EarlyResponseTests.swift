// Responses to nothing: bytes that a backend sends before it was asked must not become the response
// to whoever asks next. The order of events is the point, so the connections are in memory.

import Testing

@testable import Gateway
@testable import Reactor
@testable import TestSupport

@Suite struct EarlyResponseTests {
    private static func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n" }

    private static let spoof = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nspoof"

    /// A client whose first request was answered, and the backend that it was answered by.
    private func answered(in world: World) throws -> (client: ClientPeer, backend: Peer) {
        let client = world.connect()
        try client.send(Self.get("/a"))
        let backend = try world.accept()
        try backend.answer("first")
        #expect(client.got.hasSuffix("first"))
        return (client, backend)
    }

    @Test func aBackendThatSpeaksFirstIsAnswered502() throws {
        let world = try World()
        let client = world.connect()
        try client.send(Self.get("/a"))
        let backend = try world.accept(saying: Self.spoof)
        #expect(client.got.hasPrefix("HTTP/1.1 502 "))
        #expect(client.got.contains("upstream_invalid") && !client.got.contains("spoof"))
        #expect(backend.isClosed && backend.got.isEmpty)
    }

    @Test func bytesThatCameBeforeTheNextRequestAreNotItsResponse() throws {
        let world = try World()
        let (client, first) = try answered(in: world)
        // The backend's surplus and the client's next request are reported together.
        first.stream.send(Array(Self.spoof.utf8))
        world.turn {
            try? client.send(Self.get("/b"))
            first.wake()
        }
        #expect(first.isClosed && !client.got.contains("spoof"))
        let second = try world.accept()
        try second.answer("second")
        #expect(client.got.hasSuffix("second") && !client.got.contains("spoof"))
    }

    @Test func anEndBeforeTheNextRequestCostsNothing() throws {
        let world = try World()
        let (client, first) = try answered(in: world)
        first.stream.end()
        world.turn {
            try? client.send(Self.get("/b"))
            first.wake()
        }
        let second = try world.accept()
        try second.answer("second")
        #expect(client.got.hasSuffix("second"))
    }
}
