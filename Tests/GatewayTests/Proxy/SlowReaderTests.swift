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

@Suite struct SlowReaderTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    private static func answer(_ count: Int) -> String {
        "HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n" + String(repeating: "~", count: count)
    }

    /// A client that takes nothing for now, and its backend.
    private static func begin(
        _ scene: MemoryScene, dials: Bool = true
    ) -> (MemoryScene.Client, MemoryStream) {
        let client = scene.connect()
        client.stream.room = 0
        scene.send(get, from: client)
        return (client, scene.acceptDial())
    }

    @Test func theBackendIsFreeWhileTheClientReads() throws {
        let scene = try MemoryScene()
        let (client, backend) = Self.begin(scene)
        scene.send(Self.answer(900_000), from: backend)
        #expect(scene.inFlight == 1 && scene.gateway.bodyMemory.aheadBytes == 0)
        scene.pass(milliseconds: 30)
        #expect(scene.inFlight == 0 && scene.gateway.bodyMemory.aheadBytes == 1 << 20)
        #expect(!backend.isClosed)
        while scene.gateway.openExchangeCount > 0 {
            scene.take(100_000, by: client)
            scene.pass(milliseconds: 1_000)
        }
        #expect(client.got.hasSuffix("~~~") && client.isOpen)
        #expect(scene.gateway.bodyMemory.aheadBytes == 0)
        #expect(client.connection.output.capacity == 0)
    }

    @Test func whatIsLongerWaitsAtTheBackend() throws {
        let scene = try MemoryScene()
        let (client, backend) = Self.begin(scene)
        scene.send(Self.answer(3_000_000), from: backend)
        scene.pass(milliseconds: 100)
        #expect(scene.inFlight == 1)
        #expect(client.connection.output.count <= 1 << 20)
        #expect(client.connection.output.count > 900_000)
        #expect(client.connection.output.capacity == 1 << 20)
        while scene.gateway.openExchangeCount > 0 {
            scene.take(200_000, by: client)
            scene.pass(milliseconds: 100)
            #expect(client.connection.output.count <= 1 << 20)
        }
        #expect(scene.inFlight == 0 && scene.gateway.bodyMemory.aheadBytes == 0)
        #expect(client.got.filter { $0 == "~" }.count == 3_000_000)
    }

    /// A client that keeps up never has its buffer grow, however long the answer.
    @Test func whoReadsInTimeHasTheUsualBuffer() throws {
        let scene = try MemoryScene()
        let (client, backend) = Self.begin(scene)
        scene.send(Self.answer(2_000_000), from: backend)
        while scene.gateway.openExchangeCount > 0 {
            // A full buffer that is empty again ten milliseconds later.
            scene.take(70_000, by: client)
            scene.pass(milliseconds: 10)
            #expect(scene.gateway.bodyMemory.aheadBytes == 0)
            #expect(client.connection.output.capacity <= BufferPool.largePieceBytes)
        }
        #expect(client.stream.written.count > 2_000_000)
    }

    @Test func theTotalHoldsOverAllResponses() throws {
        let scene = try MemoryScene(server: "buffer: {responses_total: 768KiB}")
        let pairs = (0..<3).map { _ in Self.begin(scene) }
        for (_, backend) in pairs { scene.send(Self.answer(400_000), from: backend) }
        scene.pass(milliseconds: 100)
        // 512 KiB for the first, 256 for the second, and none for the third.
        #expect(scene.gateway.bodyMemory.aheadBytes == 768 << 10)
        #expect(scene.inFlight == 2)
        scene.take(.max, by: pairs[0].0)
        #expect(scene.gateway.bodyMemory.aheadBytes == 256 << 10)
        // Tried again now and then.
        scene.pass(milliseconds: 1_100)
        #expect(scene.gateway.bodyMemory.aheadBytes == 768 << 10)
        for (client, _) in pairs { scene.take(.max, by: client) }
        #expect(scene.inFlight == 0 && scene.gateway.bodyMemory.aheadBytes == 0)
    }

    @Test func theBoundCanBeOff() throws {
        let scene = try MemoryScene(server: "buffer: {response: 0B}")
        let (client, backend) = Self.begin(scene)
        scene.send(Self.answer(400_000), from: backend)
        scene.pass(milliseconds: 3_000)
        #expect(client.connection.output.count <= 64 << 10)
        #expect(scene.inFlight == 1 && scene.gateway.bodyMemory.aheadBytes == 0)
    }

    @Test func aClientThatLeavesGivesItBack() throws {
        let scene = try MemoryScene()
        let (client, backend) = Self.begin(scene)
        scene.send(Self.answer(3_000_000), from: backend)
        scene.pass(milliseconds: 100)
        #expect(scene.gateway.bodyMemory.aheadBytes == 1 << 20)
        client.stream.reset()
        scene.turn { client.connection.ready([.hungUp, .failed]) }
        #expect(scene.gateway.bodyMemory.aheadBytes == 0 && scene.inFlight == 0)
    }

    /// The backend's silence is its own while the client could be given more.
    @Test func aBackendThatStallsIsNotCovered() throws {
        let scene = try MemoryScene(pool: "limit: 1, timeouts: {idle: 2s}")
        let (client, backend) = Self.begin(scene)
        scene.send(String(Self.answer(900_000).prefix(500_000)), from: backend)
        scene.pass(milliseconds: 3_000)
        #expect(backend.isClosed && scene.inFlight == 0)
        #expect(!client.isOpen)
    }

    /// The kernel says late that there is room: it holds megabytes, and a slow reader takes seconds for a
    /// third of them.
    @Test(arguments: [(20_000, nil), (2_000, Int32(4096))])
    func aSteadyReaderIsNotCut(rate: Int, receiveBuffer: Int32?) throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
            try wire.send([UInt8](repeating: 0x78, count: 10_000_000), within: 30)
        }
        let gateway = try RunningGateway(
            policyText([backend.url], server: "timeouts: {write_stall: 3s}"))
        let client = try gateway.connect(receiveBuffer: receiveBuffer)
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        for _ in 0..<100 {
            // Not through the harness, which reads all that is there.
            var piece = [UInt8](repeating: 0, count: rate / 10)
            let count = unsafe recv(client.descriptor, &piece, piece.count, 0)
            try #require(count > 0 || errno == EAGAIN)
            usleep(100_000)
        }
        #expect(try gateway.holdings().clients == 1)
        #expect(try gateway.metric { $0.count(of: .success, .writeTimeout) } == 0)
    }
}
