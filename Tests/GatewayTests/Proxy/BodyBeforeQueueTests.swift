// Bodies that are read before their requests are offered, and those that follow: no slot of the limit
// waits for a client that sends slowly.

import Testing

@testable import Gateway
@testable import Reactor

@Suite struct BodyBeforeQueueTests {
    private static let post = "POST / HTTP/1.1\r\nHost: h\r\n"

    private static func head(_ length: Int) -> String {
        "\(post)Content-Length: \(length)\r\n\r\n"
    }

    private static func body(_ count: Int) -> String { String(repeating: "~", count: count) }

    @Test func aRequestStartsWhenItsBodyIsThere() throws {
        let scene = try MemoryScene()
        let client = scene.connect()
        scene.send(Self.head(100_000) + Self.body(40_000), from: client)
        #expect(scene.gateway.dialler.dialCount == 0 && scene.inFlight == 0)
        #expect(scene.gateway.bodyMemory.heldBytes == 40_000)
        scene.send(Self.body(60_000), from: client)
        #expect(scene.gateway.dialler.dialCount == 1 && scene.inFlight == 1)
        let backend = scene.acceptDial()
        #expect(scene.gateway.bodyMemory.heldBytes == 0)
        let got = String(decoding: backend.written, as: UTF8.self)
        #expect(got.hasSuffix("\r\n\r\n" + Self.body(100_000)))
        scene.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", from: backend)
        #expect(client.got.hasSuffix("ok") && scene.inFlight == 0)
    }

    /// What most requests are: there is nothing to hold.
    @Test func aBodyThatCameWithItsHeadIsNotCopied() throws {
        let scene = try MemoryScene()
        scene.send(Self.head(9) + Self.body(9), from: scene.connect())
        #expect(scene.gateway.dialler.dialCount == 1)
        #expect(scene.gateway.bodyMemory.heldBytes == 0)
    }

    @Test(arguments: [
        // Longer than what is read before.
        ("", "Content-Length: 1048577\r\n\r\nb"),
        // The client waits to be asked.
        ("", "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n"),
        ("body_before_queue: 0B", "Content-Length: 10\r\n\r\nb"),
        ("body_before_queue: 0B", "Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n"),
        // All bodies have what they may.
        ("body_before_queue_total: 9B", "Content-Length: 10\r\n\r\nb"),
    ])
    func othersFollow(server: String, rest: String) throws {
        let scene = try MemoryScene(server: server)
        scene.send(Self.post + rest, from: scene.connect())
        #expect(scene.gateway.dialler.dialCount == 1 && scene.inFlight == 1)
        #expect(scene.gateway.bodyMemory.heldBytes == 0)
    }

    @Test func chunksAreHeldUpToTheBound() throws {
        let scene = try MemoryScene(server: "body_before_queue: 1KiB")
        let client = scene.connect()
        scene.send("\(Self.post)Transfer-Encoding: chunked\r\n\r\n", from: client)
        scene.send("3ff\r\n\(Self.body(1023))\r\n", from: client)
        #expect(scene.inFlight == 0 && scene.gateway.bodyMemory.heldBytes == 1023)
        scene.send("3ff\r\n\(Self.body(1023))\r\n", from: client)
        #expect(scene.inFlight == 1 && scene.gateway.bodyMemory.heldBytes == 1024)
        let backend = scene.acceptDial()
        scene.send("0\r\nX-Sum: 1\r\n\r\n", from: client)
        let got = String(decoding: backend.written, as: UTF8.self)
        #expect(got.filter { $0 == "~" }.count == 2046)
        #expect(got.hasSuffix("0\r\nX-Sum: 1\r\n\r\n"))
    }

    @Test(arguments: ["", "2\r\nbb\r\n"])
    func chunksEndBeforeOrWithNothing(chunks: String) throws {
        let scene = try MemoryScene()
        let client = scene.connect()
        scene.send("\(Self.post)Transfer-Encoding: chunked\r\n\r\n", from: client)
        scene.send("\(chunks)0\r\n\r\n", from: client)
        let backend = scene.acceptDial()
        #expect(
            String(decoding: backend.written, as: UTF8.self).hasSuffix("\r\n\r\n\(chunks)0\r\n\r\n")
        )
    }

    /// Those that are beyond the total are not refused, and what is held meanwhile is known.
    @Test func theTotalEndsHolding() throws {
        let scene = try MemoryScene(server: "body_before_queue_total: 2KiB")
        let first = scene.connect()
        let second = scene.connect()
        scene.send("\(Self.post)Transfer-Encoding: chunked\r\n\r\n", from: first)
        scene.send(Self.head(1024), from: second)
        scene.send("5dc\r\n\(Self.body(1500))\r\n", from: first)
        #expect(scene.inFlight == 0)
        scene.send(Self.body(1000), from: second)
        #expect(scene.inFlight == 1 && scene.gateway.bodyMemory.heldBytes == 2048)
        scene.send("5dc\r\n\(Self.body(1500))\r\n", from: first)
        #expect(scene.inFlight == 2 && scene.gateway.bodyMemory.heldBytes <= 2049)
    }

    @Test func heldBytesOfTheParkedCount() throws {
        let scene = try MemoryScene(pool: "limit: 1, queue: {max_wait: 30s}")
        scene.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n", from: scene.connect())
        let client = scene.connect()
        scene.send(Self.head(50_000) + Self.body(10_000), from: client)
        #expect(scene.queued == 0)
        scene.send(Self.body(40_000), from: client)
        #expect(scene.queued == 1 && scene.pool.admission.queueBytes == 50_000)
        client.stream.reset()
        scene.turn { client.connection.ready([.hungUp, .failed]) }
        #expect(scene.queued == 0 && scene.gateway.bodyMemory.heldBytes == 0)
    }

    @Test func aClientThatLeavesLeavesNothing() throws {
        let scene = try MemoryScene()
        let client = scene.connect()
        scene.send(Self.head(50_000) + Self.body(30_000), from: client)
        #expect(scene.gateway.bodyMemory.heldBytes == 30_000)
        client.stream.end()
        scene.turn { client.connection.ready([.readable, .peerClosed]) }
        #expect(!client.isOpen && scene.gateway.bodyMemory.heldBytes == 0)
        #expect(scene.gateway.openExchangeCount == 0)
    }

    // MARK: Time

    /// It would pass `body_idle` for hours.
    @Test func aByteEachHalfSecondIsTooSlow() throws {
        let scene = try MemoryScene()
        let client = scene.connect()
        scene.send(Self.head(10_000), from: client)
        var seconds = 0.0
        while client.got.isEmpty && seconds < 60 {
            scene.pass(milliseconds: 500)
            seconds += 0.5
            scene.send("b", from: client)
        }
        #expect(client.got.hasPrefix("HTTP/1.1 408 "))
        #expect(client.got.contains("client_timeout"))
        #expect(seconds > 9 && seconds < 11)
    }

    /// Half a megabyte at 5 kB/s, with a tunnel of 25 seconds on the way.
    @Test func aPhoneThatMovesIsServed() throws {
        let scene = try MemoryScene()
        let client = scene.connect()
        scene.send(Self.head(500_000), from: client)
        for second in 0..<100 {
            scene.pass(milliseconds: second == 3 ? 25_000 : 1_000)
            scene.send(Self.body(5_000), from: client)
        }
        #expect(client.got.isEmpty && scene.inFlight == 1)
    }

    @Test(arguments: [("", true), ("timeouts: {body: off}", false)])
    func aBodyHasATime(server: String, isCut: Bool) throws {
        let scene = try MemoryScene(server: server)
        let client = scene.connect()
        scene.send(Self.head(1_000_000), from: client)
        for second in 0..<310 {
            scene.pass(milliseconds: 1_000)
            #expect(client.got.isEmpty || second >= 299)
            scene.send(Self.body(1_000), from: client)
        }
        #expect(client.got.hasPrefix("HTTP/1.1 408 ") == isCut)
    }

    /// Neither the time in the queue nor what a backend does not take is the client's.
    @Test func whatTheGatewayDoesNotReadCostsTheClientNothing() throws {
        let scene = try MemoryScene(
            pool: "limit: 1, queue: {max_wait: 30s}", server: "body_before_queue: 0B")
        let first = scene.connect()
        scene.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n", from: first)
        let backend = scene.acceptDial()
        let client = scene.connect()
        scene.send(Self.head(1_000) + "b", from: client)
        scene.pass(milliseconds: 25_000)
        #expect(scene.queued == 1)
        scene.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", from: backend)
        scene.pass(milliseconds: 5_000)
        scene.send(Self.body(999), from: client)
        scene.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", from: backend)
        #expect(client.got.hasPrefix("HTTP/1.1 200 "))
    }
}
