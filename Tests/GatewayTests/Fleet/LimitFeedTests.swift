// What the limits and the queue are told by the exchanges that they let through.

import Admission
import Foundation
import Testing

@testable import Gateway
@testable import Reactor
@testable import TestSupport

@Suite struct LimitFeedTests {
    private func limit(_ world: World) -> Int {
        world.pool.admission.backend(BackendID(index: 0), now: world.now)?.allowed ?? 0
    }

    /// A 503 with Retry-After halves the limit for as long as it says, and the client gets both.
    @Test func aBackendThatAsksForAPauseGetsHalf() throws {
        let world = try World(pool: "limit: {algorithm: knee, initial: 8}")
        world.serve { backend, request in
            let isRefused = request.startLine.contains("/busy")
            try backend.answer(
                "x", status: isRefused ? 503 : 200, fields: isRefused ? "Retry-After: 1\r\n" : "")
        }
        let client = world.connect()
        #expect(try client.get("/").status == 200)
        #expect(limit(world) == 8)
        let refused = try client.get("/busy")
        #expect(refused.status == 503)
        #expect(refused.value("Retry-After") == "1")
        #expect(limit(world) == 4)
        world.pass(milliseconds: 990)
        #expect(limit(world) == 4)
        world.pass(milliseconds: 10)
        #expect(limit(world) == 8, "the pause is over")
    }

    /// A date says the same as the seconds until then (RFC 9110 section 10.2.3); nonsense says nothing.
    @Test(arguments: ["seconds", "date", "nonsense"])
    func retryAfterMayBeADate(_ form: String) throws {
        let backend = try ScriptedBackend.serving { wire, request in
            let formatter = DateFormatter()
            formatter.locale = Locale(identifier: "en_US_POSIX")
            formatter.timeZone = TimeZone(identifier: "GMT")
            formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
            let value =
                switch form {
                case "seconds": "30"
                case "date": formatter.string(from: Date().addingTimeInterval(30))
                default: "Soon, 01 Foo 2030"
                }
            let isRefused = request.startLine.contains("/busy")
            try wire.answer(
                "x", status: isRefused ? 503 : 200,
                fields: isRefused ? "Retry-After: \(value)\r\n" : "")
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: {algorithm: knee, initial: 8}"))
        let client = try gateway.connect()
        #expect(try client.get("/").status == 200)
        #expect(try client.get("/busy").status == 503)
        let allowed = try gateway.ask { gateway in
            let admission = gateway.snapshot.pools[0].admission
            return admission.backend(BackendID(index: 0), now: gateway.reactor.now)?.allowed
        }
        #expect(allowed == (form == "nonsense" ? 8 : 4))
    }

    /// In a dialect whose answers are not read, each chunk is a piece of work, and a body of known
    /// length says nothing of it.
    @Test func chunksAreWorkWhereNothingElseIsKnown() throws {
        let go = Door()
        let backend = try ScriptedBackend.serving { wire, request in
            if request.startLine.contains("/long") {
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcdef")
            } else {
                try wire.send(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n")
            }
            try go.pass()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        for (path, pieces) in [("/chunks", 3), ("/long", 0)] {
            let client = try gateway.connect()
            try client.send("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try client.read(until: path == "/long" ? "abcdef" : "c\r\n")
            let counted = try gateway.askAll { gateway in
                gateway.connections.all.compactMap { $0.exchange?.attempt.response.pieces }
            }
            #expect(counted.flatMap(\.self) == [pieces], "\(path)")
            go.open()
            client.close()
            try gateway.settles(clients: 0, idle: 0)
        }
    }

    /// A backend that still works for clients that have left is not silent, however long others wait for
    /// their first byte.
    @Test(arguments: [true, false])
    func bytesForClientsThatHaveLeftAreSignsOfLife(sends: Bool) throws {
        let world = try World(
            pool: "limit: {algorithm: knee, initial: 8}, cancel: continues, "
                + "timeouts: {first_byte: 120s, idle: 120s}")
        func ask() throws -> (client: ClientPeer, backend: Peer) {
            let client = world.connect()
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            return (client, try world.accept())
        }
        let served = try ask()
        world.pass(milliseconds: 100)
        try served.backend.answer("ok", fields: "Connection: close\r\n")
        let leaving = try ask()
        let waiting = try (0..<7).map { _ in try ask() }
        try leaving.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nx")
        leaving.client.reset()
        #expect(world.gateway.abandonedResponses.count == 1)
        for _ in 0..<30 {
            world.pass(milliseconds: 1_000)
            if sends { try leaving.backend.send("x") }
        }
        // Time is looked at when somebody asks for something.
        try world.connect().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let suspicions = world.pool.admission.suspicions(of: BackendID(index: 0), .silence)
        #expect(sends ? suspicions == 0 : suspicions > 0)
        #expect(waiting.allSatisfy { $0.client.got.isEmpty })
    }

    /// While nothing has served anything yet, requests wait for a model to be loaded, for longer
    /// than they would wait for their turn.
    @Test func requestsWaitForAColdBackend() throws {
        let world = try World(
            pool: "limit: 4, ejection: {base: 100ms, max: 100ms}, "
                + "queue: {max_wait: 200ms, cold_wait: 30s}, timeouts: {connect: 30s}")
        let client = world.connect()
        try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        var refusals = 0
        // Many times as long as it would wait for its turn.
        for _ in 0..<200 {
            if world.failDial() { refusals += 1 }
            world.pass(milliseconds: 100)
        }
        #expect(refusals > 10 && client.got.isEmpty)
        world.echo()
        #expect(try client.readResponse().status == 200)
        #expect(world.requests.count == 1)
        // It is warm now: an outage is told at once.
        world.serve(nil)
        for backend in world.backends { backend.close() }
        try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        world.failDial()
        let second = try client.readResponse()
        #expect(second.status == 502 || second.status == 503)
        world.settles(clients: 1, idle: 0)
    }
}
