// Bodies that are read before their requests are offered, and those that follow: no slot of the limit
// waits for a client that sends slowly.

import Testing

@testable import Gateway
@testable import Reactor
@testable import TestSupport

@Suite struct BodyBeforeQueueTests {
    private static let post = "POST / HTTP/1.1\r\nHost: h\r\n"

    private static func head(_ length: Int) -> String {
        "\(post)Content-Length: \(length)\r\n\r\n"
    }

    private static func body(_ count: Int) -> String { String(repeating: "~", count: count) }

    @Test func aRequestStartsWhenItsBodyIsThere() throws {
        let world = try World()
        let client = world.connect()
        try client.send(Self.head(100_000) + Self.body(40_000))
        #expect(world.gateway.dialler.dialCount == 0 && world.inFlight == 0)
        #expect(world.gateway.bodyMemory.heldBytes == 40_000)
        try client.send(Self.body(60_000))
        #expect(world.gateway.dialler.dialCount == 1 && world.inFlight == 1)
        let backend = try world.accept()
        #expect(world.gateway.bodyMemory.heldBytes == 0)
        let got = backend.got
        #expect(got.hasSuffix("\r\n\r\n" + Self.body(100_000)))
        try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        #expect(client.got.hasSuffix("ok") && world.inFlight == 0)
    }

    /// What most requests are: there is nothing to hold.
    @Test func aBodyThatCameWithItsHeadIsNotCopied() throws {
        let world = try World()
        try world.connect().send(Self.head(9) + Self.body(9))
        #expect(world.gateway.dialler.dialCount == 1)
        #expect(world.gateway.bodyMemory.heldBytes == 0)
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
        let world = try World(server: server)
        try world.connect().send(Self.post + rest)
        #expect(world.gateway.dialler.dialCount == 1 && world.inFlight == 1)
        #expect(world.gateway.bodyMemory.heldBytes == 0)
    }

    @Test func chunksAreHeldUpToTheBound() throws {
        let world = try World(server: "body_before_queue: 1KiB")
        let client = world.connect()
        try client.send("\(Self.post)Transfer-Encoding: chunked\r\n\r\n")
        try client.send("3ff\r\n\(Self.body(1023))\r\n")
        #expect(world.inFlight == 0 && world.gateway.bodyMemory.heldBytes == 1023)
        try client.send("3ff\r\n\(Self.body(1023))\r\n")
        #expect(world.inFlight == 1 && world.gateway.bodyMemory.heldBytes == 1024)
        let backend = try world.accept()
        try client.send("0\r\nX-Sum: 1\r\n\r\n")
        let got = backend.got
        #expect(got.filter { $0 == "~" }.count == 2046)
        #expect(got.hasSuffix("0\r\nX-Sum: 1\r\n\r\n"))
    }

    @Test(arguments: ["", "2\r\nbb\r\n"])
    func chunksEndBeforeOrWithNothing(chunks: String) throws {
        let world = try World()
        let client = world.connect()
        try client.send("\(Self.post)Transfer-Encoding: chunked\r\n\r\n")
        try client.send("\(chunks)0\r\n\r\n")
        let backend = try world.accept()
        #expect(
            backend.got.hasSuffix("\r\n\r\n\(chunks)0\r\n\r\n")
        )
    }

    /// Those that are beyond the total are not refused, and what is held meanwhile is known.
    @Test func theTotalEndsHolding() throws {
        let world = try World(server: "body_before_queue_total: 2KiB")
        let first = world.connect()
        let second = world.connect()
        try first.send("\(Self.post)Transfer-Encoding: chunked\r\n\r\n")
        try second.send(Self.head(1024))
        try first.send("5dc\r\n\(Self.body(1500))\r\n")
        #expect(world.inFlight == 0)
        try second.send(Self.body(1000))
        #expect(world.inFlight == 1 && world.gateway.bodyMemory.heldBytes == 2048)
        try first.send("5dc\r\n\(Self.body(1500))\r\n")
        #expect(world.inFlight == 2 && world.gateway.bodyMemory.heldBytes <= 2049)
    }

    @Test func heldBytesOfTheParkedCount() throws {
        let world = try World(pool: "limit: 1, queue: {max_wait: 30s}")
        try world.connect().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let client = world.connect()
        try client.send(Self.head(50_000) + Self.body(10_000))
        #expect(world.queued == 0)
        try client.send(Self.body(40_000))
        #expect(world.queued == 1 && world.pool.admission.queueBytes == 50_000)
        client.reset()
        #expect(world.queued == 0 && world.gateway.bodyMemory.heldBytes == 0)
    }

    @Test func aClientThatLeavesLeavesNothing() throws {
        let world = try World()
        let client = world.connect()
        try client.send(Self.head(50_000) + Self.body(30_000))
        #expect(world.gateway.bodyMemory.heldBytes == 30_000)
        client.close()
        #expect(!client.isOpen && world.gateway.bodyMemory.heldBytes == 0)
        #expect(world.gateway.openExchangeCount == 0)
    }

    // MARK: Time

    /// It would pass `body_idle` for hours.
    @Test func aByteEachHalfSecondIsTooSlow() throws {
        let world = try World()
        let client = world.connect()
        try client.send(Self.head(10_000))
        var seconds = 0.0
        while client.got.isEmpty && seconds < 60 {
            world.pass(milliseconds: 500)
            seconds += 0.5
            try? client.send("b")
        }
        #expect(client.got.hasPrefix("HTTP/1.1 408 "))
        #expect(client.got.contains("client_timeout"))
        #expect(seconds > 9 && seconds < 11)
    }

    /// Half a megabyte at 5 kB/s, with a tunnel of 25 seconds on the way.
    @Test func aPhoneThatMovesIsServed() throws {
        let world = try World()
        let client = world.connect()
        try client.send(Self.head(500_000))
        for second in 0..<100 {
            world.pass(milliseconds: second == 3 ? 25_000 : 1_000)
            try client.send(Self.body(5_000))
        }
        #expect(client.got.isEmpty && world.inFlight == 1)
    }

    @Test(arguments: [("", true), ("timeouts: {body: off}", false)])
    func aBodyHasATime(server: String, isCut: Bool) throws {
        let world = try World(server: server)
        let client = world.connect()
        try client.send(Self.head(1_000_000))
        for second in 0..<310 {
            world.pass(milliseconds: 1_000)
            #expect(client.got.isEmpty || second >= 299)
            try? client.send(Self.body(1_000))
        }
        #expect(client.got.hasPrefix("HTTP/1.1 408 ") == isCut)
    }

    /// Neither the time in the queue nor what a backend does not take is the client's.
    @Test func whatTheGatewayDoesNotReadCostsTheClientNothing() throws {
        let world = try World(
            pool: "limit: 1, queue: {max_wait: 30s}", server: "body_before_queue: 0B")
        let first = world.connect()
        try first.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let backend = try world.accept()
        let client = world.connect()
        try client.send(Self.head(1_000) + "b")
        world.pass(milliseconds: 25_000)
        #expect(world.queued == 1)
        try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        world.pass(milliseconds: 5_000)
        try client.send(Self.body(999))
        try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        #expect(client.got.hasPrefix("HTTP/1.1 200 "))
    }
}
