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

    /// The most bytes that any request had in the gateway's buffers, as often as it is looked at.
    private final class Gauge: Sendable {
        private let most = Mutex(0)

        var value: Int { most.withLock { $0 } }

        func look(at gateway: RunningGateway) throws {
            let bytes =
                try gateway.askAll { gateway in
                    gateway.connections.all.map { client in
                        let upstream = client.exchange?.attempt.connection
                        return client.input.count + client.output.count
                            + (upstream?.input.count ?? 0) + (upstream?.output.count ?? 0)
                    }.max() ?? 0
                }.max() ?? 0
            most.withLock { $0 = max($0, bytes) }
        }

        /// Looks until something was seen in the buffers: on a busy machine it takes its time.
        func lookUntilFilled(_ gateway: RunningGateway) throws {
            let end = Date().addingTimeInterval(patience)
            repeat { try look(at: gateway) } while value == 0 && Date() < end
        }
    }

    @Test(arguments: [
        ("Content-Length: \(size)", size), ("Transfer-Encoding: chunked", size / 8),
        ("Connection: close", size / 8),
    ])
    func aLargeAnswerArrivesWhole(framing: String, size: Int) throws {
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
        #expect(try client.readAnswer().bodyText == "got it")
        try gateway.settles(clients: 1, idle: 1)
    }

    /// A slow reader slows the backend; what lies between them stays within the water marks.
    @Test func aSlowReaderHoldsTheBackendBack() throws {
        let size = 48 << 20
        let high = 64 << 10
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            try wire.sendPattern(size)
            _ = wire.ends()
        }
        let gateway = try RunningGateway(
            policyText([backend.url], server: "buffer: {high: 64KiB, response: 0B}"))
        let client = try gateway.connect(receiveBuffer: 64 << 10)
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        let gauge = Gauge()
        var nextLook = 0
        let isWhole = try client.readPattern(size) { got in
            guard got >= nextLook else { return }
            // Long enough for everything behind this reader to fill up.
            usleep(50_000)
            nextLook = got + (4 << 20)
            try gauge.lookUntilFilled(gateway)
        }
        #expect(isWhole)
        // No more is read than the other side's buffer has room for, or a few kilobytes where it has next to none.
        #expect(gauge.value > 0)
        #expect(gauge.value <= high + 4096, "\(gauge.value) bytes were buffered")
        try gateway.settles(clients: 1, idle: 1)
    }

    @Test func aSlowBackendHoldsTheUploadBack() throws {
        let size = 48 << 20
        let high = 64 << 10
        let gauge = Gauge()
        let whole = Handover<Bool>()
        let gatewayBox = Handover<RunningGateway>()
        let backend = try ScriptedBackend(receiveBuffer: 64 << 10) { wire, _ in
            _ = try wire.readHead()
            let gateway = try gatewayBox.take("the gateway")
            var nextLook = 0
            let isWhole = try wire.readPattern(size) { got in
                guard got >= nextLook else { return }
                usleep(50_000)
                nextLook = got + (4 << 20)
                try gauge.lookUntilFilled(gateway)
            }
            whole.give(isWhole)
            try wire.answer("got it")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url], server: "buffer: {high: 64KiB}"))
        gatewayBox.give(gateway)
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(size)\r\n\r\n")
        try client.sendPattern(size)
        #expect(try whole.take("the upload", within: 30))
        #expect(try client.readAnswer().status == 200)
        #expect(gauge.value > 0)
        #expect(gauge.value <= high + 4096, "\(gauge.value) bytes were buffered")
        try gateway.settles(clients: 1, idle: 1)
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
        usleep(100_000)
        #expect(try client.readPattern(size))
        #expect(try sender.take("the sender", within: 20))
        try gateway.settles(clients: 1, idle: 1)
    }
}
