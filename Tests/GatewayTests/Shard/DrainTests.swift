// The end of a gateway: what is queued or running is served, what comes later is sent away, and time and patience have an end.

import Admission
import Control
import Foundation
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct DrainTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    /// Connections that rest are kept for a moment, in which their clients may be sending a request.
    @Test func anIdleGatewayEndsWithinAMoment() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url]))
        let used = try gateway.connect()
        let fresh = try gateway.connect()
        #expect(try used.get("/").status == 200)
        let waited = try seconds {
            gateway.drain()
            #expect(used.ends())
            #expect(fresh.ends())
            try gateway.waitForEnd()
        }
        #expect(waited >= 0.95)
        #expect(throws: HarnessError.self) { try gateway.connect() }
        eventually("idle connections to backends are closed") { backend.openCount == 0 }
    }

    @Test func anIdleConnectionGetsOneMoreResponse() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url]))
        let clients = try (0..<20).map { _ in try gateway.connect() }
        for client in clients.dropLast() { #expect(try client.get("/").status == 200) }
        gateway.drain()
        try eventually("the gateway drains") { try gateway.isDraining() }
        for client in clients {
            try client.send(Self.get)
            let answer = try client.readResponse()
            #expect(answer.status == 200)
            #expect(answer.values("Connection") == ["close"])
            #expect(client.ends())
        }
        try gateway.waitForEnd()
    }

    /// Whoever was told that the connection stays may send another request on it, though the drain began
    /// in between.
    @Test func aResponseThatPromisedMoreIsFollowedByOne() throws {
        let go = Door()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            try go.pass()
            try wire.send("0\r\n\r\n")
            _ = try wire.readRequest()
            try wire.answer("ok")
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "one\r\n")
        gateway.drain()
        try eventually("the gateway drains") { try gateway.isDraining() }
        go.open()
        _ = try client.read(until: "0\r\n\r\n")
        try client.send(Self.get)
        let answer = try client.readResponse()
        #expect(answer.status == 200 && answer.values("Connection") == ["close"])
        #expect(client.ends())
        try gateway.waitForEnd()
    }

    /// Closing a socket resets those who wait behind it: they are accepted first.
    @Test func whoWaitsToBeAcceptedIsServed() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 300"), threads: 1)
        let sent = Door()
        // While its thread is held, the gateway accepts nobody.
        try gateway.hold(0, until: sent)
        gateway.drain()
        try eventually("it drains") { try gateway.askControl { $0.gateway.isDraining } }
        let clients = try (0..<200).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        sent.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
        try gateway.waitForEnd()
    }

    @Test func whoWaitsAtAPathIsServed() throws {
        let backend = try ScriptedBackend.echoing()
        let path = Place.freshPath()
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 300", listen: "\"unix:\(path)\""),
            threads: 1)
        let sent = Door()
        try gateway.hold(0, until: sent)
        let clients = try (0..<200).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        gateway.drain()
        try eventually("it drains") { try gateway.askControl { $0.gateway.isDraining } }
        #expect(!FileManager.default.fileExists(atPath: path))
        sent.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
        try gateway.waitForEnd()
    }

    /// A listener that a reload removes does the same.
    @Test func aListenerThatGoesAcceptsThoseWhoWait() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 300"), threads: 1)
        let sent = Door()
        try gateway.hold(0, until: sent)
        let clients = try (0..<200).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        let reloaded = Door()
        let text = policyText([backend.url], listen: "127.0.0.2:0")
        onThread {
            try? gateway.reload(text)
            reloaded.open()
        }
        sent.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
        try reloaded.pass()
        #expect(throws: HarnessError.self) { try gateway.connect() }
    }

    /// Where the gateway is full, they are accepted as room comes.
    @Test func whoWaitsForRoomIsServed() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], server: "max_connections: 3"), threads: 1)
        let clients = try (0..<8).map { _ in try gateway.connect() }
        try eventually("it is full") { try gateway.acceptPauses() > 0 }
        gateway.drain()
        try eventually("the gateway drains") { try gateway.isDraining() }
        for client in clients {
            try client.send(Self.get)
            #expect(try client.readResponse().status == 200)
        }
        try gateway.waitForEnd()
    }

    @Test func whatIsQueuedAndRunningIsServed() throws {
        let go = Door()
        let backend = try ScriptedBackend.serving { wire, _ in
            try go.pass()
            try wire.answer("ok")
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_wait: 10s}"))
        let clients = try (0..<3).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        try eventually("one runs, two wait") { try gateway.holdings().queued == 2 }
        gateway.drain()
        try eventually("the gateway drains") { try gateway.isDraining() }
        #expect(throws: HarnessError.self) { try gateway.connect() }
        go.open()
        for client in clients {
            let answer = try client.readResponse()
            #expect(answer.bodyText == "ok")
            #expect(answer.values("Connection") == ["close"])
            #expect(client.ends())
        }
        try gateway.waitForEnd()
    }

    /// A stream whose head has left already cannot say that the connection closes; it is served to its end.
    @Test func aRunningStreamIsServedToItsEnd() throws {
        let go = Door()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            try go.pass()
            try wire.send("3\r\ntwo\r\n0\r\n\r\n")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "one\r\n")
        gateway.drain()
        try eventually("the gateway drains") { try gateway.isDraining() }
        go.open()
        #expect(try client.readToEnd() == "3\r\ntwo\r\n0\r\n\r\n")
        try gateway.waitForEnd()
    }

    /// A head that is half read when the drain begins is served where there is room, and sent away where
    /// it would have to wait.
    @Test(arguments: [2, 1])
    func aHeadThatIsHalfReadIsServedIfThereIsRoom(limit: Int) throws {
        let go = Door()
        let backend = try ScriptedBackend.serving { wire, request in
            if request.startLine.contains("/held") { try go.pass() }
            try wire.answer("ok")
        }
        let gateway = try RunningGateway(policyText([backend.url], pool: "limit: \(limit)"))
        let first = try gateway.connect()
        let second = try gateway.connect()
        try first.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n")
        try second.send("GET / HTTP/1.1\r\n")
        try eventually("both have begun") { try gateway.holdings().exchanges == 2 }
        gateway.drain()
        try eventually("the gateway drains") { try gateway.isDraining() }
        try second.send("Host: h\r\n\r\n")
        let answer = try second.readResponse()
        #expect(answer.status == (limit == 2 ? 200 : 503))
        #expect(answer.value("X-Penstock-Reason") == (limit == 2 ? nil : "draining"))
        #expect((answer.value("Retry-After") != nil) == (limit == 1))
        #expect(answer.values("Connection") == ["close"])
        #expect(second.ends())
        go.open()
        #expect(try first.readResponse().status == 200)
        first.close()
        second.close()
        try gateway.waitForEnd()
    }

    /// A request that was sent before the end began is answered, though the gateway had not read it yet.
    @Test func aRequestThatCrossesTheDrainIsAnswered() throws {
        let backend = try ScriptedBackend.echoing()
        // The thread that is held must be the one that has the client.
        let gateway = try RunningGateway(policyText([backend.url]), threads: 1)
        let client = try gateway.connect()
        #expect(try client.get("/").status == 200)
        let sent = Door()
        // While its thread is held, the gateway reads nothing.
        try gateway.hold(0, until: sent)
        gateway.drain()
        try eventually("it drains") { try gateway.askControl { $0.gateway.isDraining } }
        try client.send(Self.get)
        sent.open()
        let answer = try client.readResponse()
        #expect(answer.status == 200 && answer.values("Connection") == ["close"])
        #expect(client.ends())
        client.close()
        try gateway.waitForEnd()
    }

    @Test func theTimeToDrainIsLimited() throws {
        let noticed = Handover<Bool>()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            noticed.give(wire.ends())
        }
        let gateway = try RunningGateway(
            policyText(
                [backend.url], pool: "limit: 1, queue: {max_wait: 10s}",
                server: "drain_timeout: 200ms"))
        let running = try gateway.connect()
        let waiting = try gateway.connect()
        try running.send(Self.get)
        try eventually("one runs") { try gateway.holdings().inFlight == 1 }
        try waiting.send(Self.get)
        try eventually("one waits") { try gateway.holdings().queued == 1 }
        let waited = try seconds {
            gateway.drain()
            try gateway.waitForEnd()
        }
        #expect(waited >= 0.19)
        for client in [running, waiting] {
            let answer = try client.readResponse()
            #expect(answer.status == 503)
            #expect(answer.value("X-Penstock-Reason") == "draining")
            #expect(client.ends())
        }
        #expect(try noticed.take("the backend's notice"))
    }

    /// A stream that is cut ends with the error of its dialect, and is counted as what it is.
    @Test(arguments: ["/v1/chat/completions", "/v1/messages"], ["1.1", "1.0"])
    func aStreamIsToldThatItsTimeIsUp(path: String, version: String) throws {
        let over = Door()
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\na\r\ndata: {}\n\n\r\n")
            try over.pass()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("GET \(path) HTTP/\(version)\r\nHost: h\r\n\r\n")
        _ = try client.read(until: "data: {}\n\n")
        // As at the end of `drain_timeout`, after which nobody could be asked.
        _ = try gateway.askAll { shard in
            for connection in shard.connections.all { connection.abort() }
        }
        let rest = try client.readToEnd()
        let isAnthropic = path == "/v1/messages"
        #expect(rest.contains(isAnthropic ? "event: error\ndata: {" : "data: {\"error\""))
        #expect(rest.contains("The server is shutting down."))
        #expect(rest.hasSuffix(version == "1.1" ? "0\r\n\r\n" : "\n\n"))
        #expect(try gateway.metric { $0.count(of: .success, .draining) } == 1)
        over.open()
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test func aSecondRequestToEndEndsAtOnce() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "12345")
        gateway.drain()
        try eventually("the gateway drains") { try gateway.isDraining() }
        try gateway.stop()
        #expect(client.ends())
    }

    @Test func clientsThatLeaveDuringTheDrainEndIt() throws {
        let arrived = Door()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            arrived.open()
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        try arrived.pass()
        gateway.drain()
        try eventually("the gateway drains") { try gateway.isDraining() }
        client.close()
        try gateway.waitForEnd()
    }
}
