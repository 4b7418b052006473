// The client leaves, in every phase of its request and in every way: whatever it held comes free at once, and the backend
// notices.

import Foundation
import Testing

@testable import Gateway
@testable import Reactor
@testable import TestSupport

/// How a client leaves.
enum Leaving: String, CaseIterable, Sendable {
    case fin, reset

    func apply(to wire: Wire) {
        switch self {
        case .fin: wire.close()
        case .reset: wire.reset()
        }
    }

    func apply(to peer: Peer) {
        switch self {
        case .fin: peer.close()
        case .reset: peer.reset()
        }
    }
}

@Suite struct ClientGoneTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test(arguments: Leaving.allCases)
    func whileItsHeadIsRead(leaving: Leaving) throws {
        let world = try World()
        let client = world.connect()
        try client.send("GET / HTTP/1.1\r\nHo")
        #expect(world.holdings.exchanges == 1)
        leaving.apply(to: client)
        world.settles(clients: 0, idle: 0)
    }

    @Test(arguments: Leaving.allCases)
    func whileItWaitsInTheQueue(leaving: Leaving) throws {
        let world = try World(pool: "limit: 1, queue: {max_wait: 1m}")
        let first = world.connect()
        try first.send(Self.get)
        let backend = try world.accept()
        let second = world.connect()
        try second.send(Self.get)
        #expect(world.queued == 1)
        let third = world.connect()
        try third.send(Self.get)
        #expect(world.queued == 2)
        leaving.apply(to: second)
        #expect(world.queued == 1)
        for client in [first, third] {
            _ = try backend.readRequest()
            try backend.answer("ok")
            #expect(try client.readResponse().status == 200)
        }
        #expect(backend.takeRequest() == nil)
        world.settles(clients: 2, idle: 1)
    }

    @Test(arguments: Leaving.allCases)
    func whileTheBackendIsDialled(leaving: Leaving) throws {
        let world = try World()
        let client = world.connect()
        try client.send(Self.get)
        #expect(world.holdings.dials == 1)
        leaving.apply(to: client)
        world.settles(clients: 0, idle: 0)
    }

    @Test(arguments: Leaving.allCases)
    func whileItWaitsForTheResponse(leaving: Leaving) throws {
        let world = try World()
        let client = world.connect()
        try client.send(Self.get)
        let backend = try world.accept()
        _ = try backend.readRequest()
        leaving.apply(to: client)
        #expect(backend.ends())
        world.settles(clients: 0, idle: 0)
    }

    @Test(arguments: Leaving.allCases)
    func whileItsResponseStreams(leaving: Leaving) throws {
        let world = try World()
        let client = world.connect()
        try client.send(Self.get)
        let backend = try world.accept()
        try backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n")
        _ = try client.read(until: "event")
        leaving.apply(to: client)
        #expect(throws: WireError.self) {
            // Sends until the connection breaks.
            for _ in 0..<500 {
                try backend.send("5\r\nevent\r\n")
                world.pass(milliseconds: 5)
            }
        }
        world.settles(clients: 0, idle: 0)
    }

    @Test(arguments: Leaving.allCases)
    func inTheMiddleOfItsUpload(leaving: Leaving) throws {
        let world = try World(server: "body_before_queue: 0B")
        let client = world.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc")
        let backend = try world.accept()
        _ = try backend.readHead()
        _ = try backend.read(count: 3)
        leaving.apply(to: client)
        #expect(backend.ends())
        world.settles(clients: 0, idle: 0)
    }

    /// Both sides are stuck: the client does not read, so the backend is not read either.
    @Test(arguments: Leaving.allCases)
    func whileItDoesNotReadItsResponse(leaving: Leaving) throws {
        let world = try World()
        let client = world.connect()
        client.take(4_096)
        try client.send(Self.get)
        let backend = try world.accept()
        try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        try backend.send([UInt8](repeating: 0x78, count: 3 << 20))
        _ = try client.read(until: "\r\n\r\n")
        world.pass(milliseconds: 100)
        #expect(!backend.isClosed)
        leaving.apply(to: client)
        #expect(backend.isClosed)
        world.settles(clients: 0, idle: 0)
    }

    /// A unix socket's client that has gone shows nothing but a failed write.
    @Test(arguments: Leaving.allCases)
    func onAUnixSocketWithTheResponseHalfSent(leaving: Leaving) throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.answer(String(repeating: "x", count: 1 << 20))
        }
        let gateway = try RunningGateway(
            policyText([backend.url], listen: "\"unix:\(Place.freshPath())\""))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        try eventually("the socket is full") {
            try gateway.ask { $0.connections.all.contains { $0.hasOutput } }
        }
        leaving.apply(to: client)
        try gateway.settles(clients: 0)
    }

    @Test func withRequestsStillInThePipeline() throws {
        let world = try World()
        let client = world.connect()
        try client.send(String(repeating: Self.get, count: 50))
        let backend = try world.accept()
        _ = try backend.readRequest()
        client.close()
        world.settles(clients: 0, idle: 0)
        #expect(world.backends.count == 1)
    }
}
