// Much data and slow data: every byte arrives, nobody's memory grows, and an event is passed on when it happens.

import Bytes
import Foundation
import HTTP1
import Synchronization
import Testing

@testable import Gateway
@testable import Reactor
@testable import TestSupport

@Suite struct StreamTests {
    private static let size = 64 << 20
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    /// What is sent in a world: many times what the gateway may hold of it.
    private static let piece = 800_000

    /// Takes that much, slowly enough for everything behind this reader to fill up; the most bytes that
    /// the gateway had in its buffers meanwhile.
    private func takeSlowly(_ peer: Peer) throws -> Int {
        var most = 0
        var got = 0
        while got < Self.piece {
            peer.world.pass(milliseconds: 50)
            for client in peer.world.gateway.connections.all {
                let upstream = client.exchange?.attempt.connection
                let held =
                    client.input.count + client.output.count
                    + (upstream?.input.count ?? 0) + (upstream?.output.count ?? 0)
                most = max(most, held)
            }
            let count = min(40_000, Self.piece - got)
            peer.take(count)
            let bytes = try peer.read(count: count)
            try #require(Pattern.matches(bytes[...], at: got))
            got += count
        }
        peer.take(.max)
        return most
    }

    @Test(arguments: [
        ("Content-Length: \(size)", size), ("Transfer-Encoding: chunked", size / 8),
        ("Connection: close", size / 8),
    ])
    func aLargeResponseArrivesWhole(framing: String, size: Int) throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\n\(framing)\r\n\r\n")
            if framing.hasSuffix("chunked") {
                try wire.send("\(String(size, radix: 16))\r\n")
                try wire.sendPattern(size)
                try wire.send("\r\n0\r\n\r\n")
            } else {
                try wire.sendPattern(size)
            }
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        // An old client gets the bytes without chunks, whatever the backend sent.
        try client.send("GET / HTTP/1.0\r\n\r\n")
        _ = try client.read(until: "\r\n\r\n")
        #expect(try client.readPattern(size))
        #expect(client.ends())
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test func aLargeUploadArrivesWhole() throws {
        let whole = Handover<Bool>()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            whole.give((try? wire.readPattern(Self.size)) ?? false)
            try wire.answer("got it")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(Self.size)\r\n\r\n")
        try client.sendPattern(Self.size)
        #expect(try whole.take("the upload", within: 30))
        #expect(try client.readResponse().bodyText == "got it")
        try gateway.settles(clients: 1, idle: 1)
    }

    /// A slow reader slows the backend; what lies between them stays within the water marks.
    @Test func aSlowReaderHoldsTheBackendBack() throws {
        let world = try World(server: "buffer: {high: 64KiB, response: 0B}")
        let client = world.connect()
        try client.send(Self.get)
        let backend = try world.accept()
        client.take(0)
        try backend.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.piece)\r\n\r\n")
        try backend.send(Array(Pattern.bytes(at: 0, count: Self.piece)))
        client.take(1_024)
        _ = try client.read(until: "\r\n\r\n")
        let most = try takeSlowly(client)
        // No more is read than the other side's buffer has room for, or a few kilobytes where it has next to none.
        #expect(most > 0)
        #expect(most <= (64 << 10) + 4096, "\(most) bytes were buffered")
        world.settles(clients: 1, idle: 1)
    }

    @Test func aSlowBackendHoldsTheUploadBack() throws {
        let world = try World(server: "body_before_queue: 0B, buffer: {high: 64KiB}")
        let client = world.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(Self.piece)\r\n\r\n")
        let backend = try world.accept()
        _ = try backend.readHead()
        backend.take(0)
        try client.send(Array(Pattern.bytes(at: 0, count: Self.piece)))
        let most = try takeSlowly(backend)
        try backend.answer("got it")
        #expect(try client.readResponse().status == 200)
        #expect(most > 0)
        #expect(most <= (64 << 10) + 4096, "\(most) bytes were buffered")
        world.settles(clients: 1, idle: 1)
    }

    /// Nobody reads: the backend's writes must come to a stop, and go on when somebody does.
    @Test func nothingIsReadThatNobodyTakes() throws {
        let sent = Mutex(0)
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.size)\r\n\r\n")
            var total = 0
            while total < Self.size {
                let block = Array(Pattern.bytes(at: total, count: 1 << 16))
                try wire.send(block, within: 20)
                total += block.count
                sent.withLock { $0 = total }
            }
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect(receiveBuffer: 4096)
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        var stuck = 0
        eventually("the backend's writes stop") {
            let before = stuck
            stuck = sent.withLock { $0 }
            // That the kernels' buffers take no more shows in nothing but time.
            usleep(300_000)
            return before == stuck && sent.withLock { $0 } == stuck
        }
        #expect(stuck < Self.size / 2)
        #expect(try client.readPattern(8 << 20))
        #expect(sent.withLock { $0 } > stuck)
        client.reset()
        try gateway.settles(clients: 0, idle: 0)
    }

    /// The next event is made only after the last one was seen: whoever holds one back stops everything.
    @Test(arguments: ["chunked", "close"])
    func eventsArriveOneByOne(framing: String) throws {
        let seen = (0..<50).map { _ in Door() }
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            let isChunked = framing == "chunked"
            try wire.send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    + (isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n"))
            for (number, door) in seen.enumerated() {
                let event = "data: {\"token\": \(number)}\n\n"
                try wire.send(
                    isChunked
                        ? "\(String(event.utf8.count, radix: 16))\r\n\(event)\r\n" : event)
                try door.pass()
            }
            if isChunked { try wire.send("0\r\n\r\n") }
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        let time = try seconds {
            for (number, door) in seen.enumerated() {
                let event = try client.readChunk()
                #expect(event == "data: {\"token\": \(number)}\n\n")
                door.open()
            }
        }
        #expect(try client.readChunk() == nil)
        #expect(time < 2, "50 events took \(time) s")
        _ = try client.read(until: "\r\n")
        try gateway.settles(clients: 1)
    }

    /// Both directions flow at once: the answer begins before the request has ended.
    @Test func aDialogueWithinOneRequestFlows() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while let chunk = try wire.readChunk() {
                try wire.send("\(String(chunk.utf8.count, radix: 16))\r\n\(chunk)\r\n")
            }
            _ = try wire.read(until: "\r\n")
            try wire.send("0\r\n\r\n")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(
            policyText([backend.url], server: "body_before_queue: 0B"))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        _ = try client.read(until: "\r\n\r\n")
        for number in 0..<30 {
            let word = "word \(number)"
            try client.send("\(String(word.utf8.count, radix: 16))\r\n\(word)\r\n")
            #expect(try client.readChunk() == word)
        }
        try client.send("0\r\n\r\n")
        #expect(try client.read(until: "\r\n\r\n") == "0\r\n\r\n")
        try gateway.settles(clients: 1, idle: 1)
    }

    /// Both directions are full at once, and the client reads only after it has sent everything.
    @Test func anEchoLargerThanAllBuffersFlows() throws {
        let size = 8 << 20
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            var echoed = 0
            while echoed < size {
                let bytes = try wire.receive(within: 20)
                if bytes.isEmpty { return }
                try wire.send(bytes, within: 20)
                echoed += bytes.count
            }
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(size)\r\n\r\n")
        let sender = Handover<Bool>()
        onThread { sender.give((try? client.sendPattern(size)) != nil) }
        _ = try client.read(until: "\r\n\r\n", within: 10)
        // Time for all buffers to fill up, which nothing else tells of.
        usleep(100_000)
        #expect(try client.readPattern(size))
        #expect(try sender.take("the sender", within: 20))
        try gateway.settles(clients: 1, idle: 1)
    }
}
