// The end of a gateway: what is queued or running is served, what comes later is sent away, and time and patience have an end.

import Admission
import Control
import Foundation
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct DrainTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func anIdleGatewayEndsAtOnce() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url]))
        let used = try gateway.connect()
        let fresh = try gateway.connect()
        #expect(try used.get("/").status == 200)
        gateway.drain()
        #expect(used.ends())
        #expect(fresh.ends())
        try gateway.waitForEnd()
        #expect(throws: HarnessError.self) { try gateway.connect() }
        eventually("idle connections to backends are closed") { backend.openCount == 0 }
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

    @Test func laterRequestsOnOldConnectionsAreSentAway() throws {
        let go = Door()
        let backend = try ScriptedBackend.serving { wire, _ in
            try go.pass()
            try wire.answer("ok")
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let first = try gateway.connect()
        let second = try gateway.connect()
        try first.send(Self.get)
        // Half a head keeps the second connection from being idle.
        try second.send("GET / HTTP/1.1\r\n")
        try eventually("both have begun") { try gateway.holdings().exchanges == 2 }
        gateway.drain()
        try eventually("the gateway drains") { try gateway.isDraining() }
        try second.send("Host: h\r\n\r\n")
        let answer = try second.readResponse()
        #expect(answer.status == 503)
        #expect(answer.value("X-Penstock-Reason") == "draining")
        #expect(answer.value("Retry-After") != nil)
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
        #expect(try client.readResponse().status == 503)
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
