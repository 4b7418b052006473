// Clients that read slowly: their answers are taken from the backend at the backend's pace, within bounds,
// and they themselves have the time that they need as long as they take anything.

import Admission
import Bytes
import Foundation
import HTTP1
import Testing

@testable import Gateway
@testable import Reactor
@testable import Telemetry
@testable import TestSupport

@Suite struct SlowReaderTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    private static func answer(_ count: Int) -> String {
        "HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n" + String(repeating: "~", count: count)
    }

    /// A client that takes nothing for now, and its backend.
    private static func begin(
        _ world: World
    ) throws -> (client: ClientPeer, backend: Peer) {
        let client = world.connect()
        client.take(0)
        try client.send(get)
        return (client, try world.accept())
    }

    @Test func theBackendIsFreeWhileTheClientReads() throws {
        let world = try World()
        let (client, backend) = try Self.begin(world)
        try backend.send(Self.answer(900_000))
        #expect(world.inFlight == 1 && world.gateway.bodyMemory.aheadBytes == 0)
        world.pass(milliseconds: 30)
        #expect(world.inFlight == 0 && world.gateway.bodyMemory.aheadBytes == 1 << 20)
        #expect(!backend.isClosed)
        while world.gateway.openExchangeCount > 0 {
            client.take(100_000)
            world.pass(milliseconds: 1_000)
        }
        #expect(client.got.hasSuffix("~~~") && client.isOpen)
        #expect(world.gateway.bodyMemory.aheadBytes == 0)
        #expect(client.connection.output.capacity == 0)
    }

    @Test func whatIsLongerWaitsAtTheBackend() throws {
        let world = try World()
        let (client, backend) = try Self.begin(world)
        try backend.send(Self.answer(3_000_000))
        world.pass(milliseconds: 100)
        #expect(world.inFlight == 1)
        #expect(client.connection.output.count <= 1 << 20)
        #expect(client.connection.output.count > 900_000)
        #expect(client.connection.output.capacity == 1 << 20)
        while world.gateway.openExchangeCount > 0 {
            client.take(200_000)
            world.pass(milliseconds: 100)
            #expect(client.connection.output.count <= 1 << 20)
        }
        #expect(world.inFlight == 0 && world.gateway.bodyMemory.aheadBytes == 0)
        #expect(client.got.filter { $0 == "~" }.count == 3_000_000)
    }

    /// A client that keeps up never has its buffer grow, however long the answer.
    @Test func whoReadsInTimeHasTheUsualBuffer() throws {
        let world = try World()
        let (client, backend) = try Self.begin(world)
        try backend.send(Self.answer(2_000_000))
        while world.gateway.openExchangeCount > 0 {
            // A full buffer that is empty again ten milliseconds later.
            client.take(70_000)
            world.pass(milliseconds: 10)
            #expect(world.gateway.bodyMemory.aheadBytes == 0)
            #expect(client.connection.output.capacity <= BufferPool.largePieceBytes)
        }
        #expect(client.stream.output.count > 2_000_000)
    }

    @Test func theTotalHoldsOverAllResponses() throws {
        let world = try World(server: "buffer: {responses_total: 768KiB}")
        let pairs = try (0..<3).map { _ in try Self.begin(world) }
        for (_, backend) in pairs { try backend.send(Self.answer(400_000)) }
        world.pass(milliseconds: 100)
        // 512 KiB for the first, 256 for the second, and none for the third.
        #expect(world.gateway.bodyMemory.aheadBytes == 768 << 10)
        #expect(world.inFlight == 2)
        pairs[0].client.take(.max)
        #expect(world.gateway.bodyMemory.aheadBytes == 256 << 10)
        // Tried again now and then.
        world.pass(milliseconds: 1_100)
        #expect(world.gateway.bodyMemory.aheadBytes == 768 << 10)
        for (client, _) in pairs { client.take(.max) }
        #expect(world.inFlight == 0 && world.gateway.bodyMemory.aheadBytes == 0)
    }

    @Test func theBoundCanBeOff() throws {
        let world = try World(server: "buffer: {response: 0B}")
        let (client, backend) = try Self.begin(world)
        try backend.send(Self.answer(400_000))
        world.pass(milliseconds: 3_000)
        #expect(client.connection.output.count <= 64 << 10)
        #expect(world.inFlight == 1 && world.gateway.bodyMemory.aheadBytes == 0)
    }

    @Test func aClientThatLeavesGivesItBack() throws {
        let world = try World()
        let (client, backend) = try Self.begin(world)
        try backend.send(Self.answer(3_000_000))
        world.pass(milliseconds: 100)
        #expect(world.gateway.bodyMemory.aheadBytes == 1 << 20)
        client.reset()
        #expect(world.gateway.bodyMemory.aheadBytes == 0 && world.inFlight == 0)
    }

    /// The backend's silence is its own while the client could be given more.
    @Test func aBackendThatStallsIsNotCovered() throws {
        let world = try World(pool: "limit: 1, timeouts: {idle: 2s}")
        let (client, backend) = try Self.begin(world)
        try backend.send(String(Self.answer(900_000).prefix(500_000)))
        world.pass(milliseconds: 3_000)
        #expect(backend.isClosed && world.inFlight == 0)
        #expect(!client.isOpen)
    }

    /// The kernel says late that there is room: it holds megabytes, and a slow reader takes seconds for a
    /// third of them.
    @Test func steadyReadersAreNotCut() throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
            try wire.send([UInt8](repeating: 0x78, count: 10_000_000), within: 30)
        }
        let gateway = try RunningGateway(
            policyText([backend.url], server: "timeouts: {write_stall: 3s}"))
        let readers = [
            (rate: 20_000, client: try gateway.connect()),
            (rate: 2_000, client: try gateway.connect(receiveBuffer: 4096)),
        ]
        for (_, client) in readers {
            try client.send(Self.get)
            _ = try client.read(until: "\r\n\r\n")
        }
        // More than three times the time-out, which is the most that it grows to.
        let clock = ContinuousClock()
        var last = clock.now
        for _ in 0..<100 {
            // On a busy machine a tenth of a second takes longer, and they take as much more.
            let seconds = last.duration(to: clock.now) / .seconds(1)
            last = clock.now
            for (rate, client) in readers {
                // Not through the harness, which reads all that is there.
                let count = max(rate / 10, Int(Double(rate) * seconds))
                var piece = [UInt8](repeating: 0, count: count)
                let taken = unsafe recv(client.descriptor, &piece, piece.count, 0)
                try #require(taken > 0 || errno == EAGAIN)
            }
            // The kernels' buffers are what this is about, and they have no other time.
            usleep(100_000)
        }
        #expect(try gateway.holdings().clients == 2)
        #expect(try gateway.metric { $0.count(of: .success, .writeTimeout) } == 0)
    }
}
