// The client leaves, in every phase of its request and in every way: whatever it held comes free at once, and the backend
// notices.

import Foundation
import Testing

@testable import Gateway
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
}

@Suite struct ClientGoneTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test(arguments: Leaving.allCases)
    func whileItsHeadIsRead(leaving: Leaving) throws {
        let gateway = try RunningGateway(policyText([try ScriptedBackend.refusingURL()]))
        let client = try gateway.connect()
        try client.send("GET / HTTP/1.1\r\nHo")
        try eventually("the head began") { try gateway.holdings().exchanges == 1 }
        leaving.apply(to: client)
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test(arguments: Leaving.allCases)
    func whileItWaitsInTheQueue(leaving: Leaving) throws {
        let go = Door()
        let backend = try ScriptedBackend.serving { wire, _ in
            try go.pass()
            try wire.answer("ok")
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_wait: 1m}"))
        let first = try gateway.connect()
        try first.send(Self.get)
        try eventually("the first is running") { try gateway.holdings().inFlight == 1 }
        let second = try gateway.connect()
        try second.send(Self.get)
        let third = try gateway.connect()
        try eventually("the second waits") { try gateway.holdings().queued == 1 }
        try third.send(Self.get)
        try eventually("the third waits") { try gateway.holdings().queued == 2 }
        leaving.apply(to: second)
        try eventually("the second has left") { try gateway.holdings().queued == 1 }
        go.open()
        #expect(try first.readAnswer().status == 200)
        #expect(try third.readAnswer().status == 200)
        #expect(backend.requests.count == 2)
        try gateway.settles(clients: 2, idle: 1)
    }

    @Test(arguments: Leaving.allCases)
    func whileTheBackendIsDialled(leaving: Leaving) throws {
        let backlog = try FullBacklog()
        let gateway = try RunningGateway(policyText([backlog.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        try eventually("the dial is under way") { try gateway.holdings().dials == 1 }
        leaving.apply(to: client)
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test(arguments: Leaving.allCases)
    func whileItWaitsForTheAnswer(leaving: Leaving) throws {
        let arrived = Door()
        let noticed = Handover<Bool>()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            arrived.open()
            noticed.give(wire.ends())
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        try arrived.pass()
        leaving.apply(to: client)
        #expect(try noticed.take("the backend's notice"))
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test(arguments: Leaving.allCases)
    func whileItsAnswerStreams(leaving: Leaving) throws {
        let noticed = Handover<Bool>()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            // Sends until the connection breaks.
            for _ in 0..<500 {
                do { try wire.send("5\r\nevent\r\n") } catch {
                    noticed.give(true)
                    return
                }
                usleep(5_000)
            }
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "event")
        leaving.apply(to: client)
        #expect(try noticed.take("the backend's notice"))
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test(arguments: Leaving.allCases)
    func inTheMiddleOfItsUpload(leaving: Leaving) throws {
        let noticed = Handover<Bool>()
        let begun = Door()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            _ = try wire.read(count: 3)
            begun.open()
            noticed.give(wire.ends())
        }
        let gateway = try RunningGateway(
            policyText([backend.url], server: "body_before_queue: 0B"))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc")
        try begun.pass()
        leaving.apply(to: client)
        #expect(try noticed.take("the backend's notice"))
        try gateway.settles(clients: 0, idle: 0)
    }

    /// Both sides are stuck: the client does not read, so the backend is not read either.
    @Test(arguments: Leaving.allCases)
    func whileItDoesNotReadItsAnswer(leaving: Leaving) throws {
        let noticed = Handover<Bool>()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            let block = [UInt8](repeating: 0x78, count: 1 << 20)
            while wire.sendWhatFits(block, quietSeconds: 3) == block.count {}
            noticed.give(true)
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect(receiveBuffer: 4096)
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        usleep(100_000)
        leaving.apply(to: client)
        #expect(try noticed.take("the backend's notice"))
        try gateway.settles(clients: 0, idle: 0)
    }

    /// A unix socket's client that has gone shows nothing but a failed write.
    @Test(arguments: Leaving.allCases)
    func onAUnixSocketWithTheAnswerHalfSent(leaving: Leaving) throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.answer(String(repeating: "x", count: 1 << 20))
        }
        let gateway = try RunningGateway(
            policyText([backend.url], listen: "\"unix:\(Place.freshPath())\""))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        usleep(50_000)
        leaving.apply(to: client)
        try gateway.settles(clients: 0)
    }

    @Test func withRequestsStillInThePipeline() throws {
        let arrived = Door()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            arrived.open()
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(String(repeating: Self.get, count: 50))
        try arrived.pass()
        client.close()
        try gateway.settles(clients: 0, idle: 0)
        #expect(backend.acceptedCount == 1)
    }
}
