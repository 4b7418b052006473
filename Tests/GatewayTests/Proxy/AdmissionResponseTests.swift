// What a request gets that is not served, and how the queue looks from outside.

import Admission
import Foundation
import Synchronization
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct AdmissionResponseTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    /// What every answer must have that sends a client away for a while.
    private func expectComeBack(_ answer: Message, _ reason: String) throws {
        #expect(answer.status == 503)
        #expect(answer.value("X-Penstock-Reason") == reason)
        let seconds = try #require(answer.value("Retry-After").flatMap { Int($0) })
        let milliseconds = try #require(answer.value("retry-after-ms").flatMap { Int($0) })
        #expect((1...60).contains(seconds))
        #expect((1...60_000).contains(milliseconds))
        #expect((milliseconds + 999) / 1000 == seconds)
        #expect(answer.values("Connection").isEmpty)
        #expect(answer.values("Cache-Control") == ["no-store"])
    }

    @Test func aFullQueueSaysWhenToComeBack() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_requests: 1, max_wait: 10s}"))
        let clients = try (0..<2).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        try eventually("one runs, one waits") {
            let now = try gateway.holdings()
            return now.inFlight == 1 && now.queued == 1
        }
        let third = try gateway.connect()
        for _ in 0..<3 { try expectComeBack(try third.get("/"), "queue_full") }
        go.open()
        for client in clients { #expect(try client.readResponse().bodyText == "ok") }
        // The connection that was refused is as good as before.
        #expect(try third.get("/").status == 200)
        #expect(backend.requests.count == 3)
        #expect(try gateway.metric { $0.count(of: .rejected, .queueFull) } == 3)
        try gateway.settles(clients: 3, idle: 1)
    }

    @Test func withoutAQueueNothingWaits() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_requests: 0}"))
        let first = try gateway.connect()
        try first.send(Self.get)
        try eventually("one runs") { try gateway.holdings().inFlight == 1 }
        let second = try gateway.connect()
        try expectComeBack(try second.get("/"), "queue_full")
        go.open()
        #expect(try first.readResponse().status == 200)
    }

    @Test func theQueueHoldsOnlySoManyBytes() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_bytes: 100B, max_wait: 10s}"))
        let first = try gateway.connect()
        try first.send(Self.get)
        try eventually("one runs") { try gateway.holdings().inFlight == 1 }
        let second = try gateway.connect()
        let body = String(repeating: "x", count: 200)
        try second.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200\r\n\r\n\(body)")
        try expectComeBack(try second.readResponse(), "queue_bytes_full")
        go.open()
        #expect(try first.readResponse().status == 200)
        #expect(try second.get("/").status == 200)
    }

    /// The limit is what the backend sees at most, whatever the clients do.
    @Test func theBackendNeverSeesMoreThanTheLimit() throws {
        let go = Door()
        let running = Mutex((now: 0, most: 0))
        let backend = try ScriptedBackend { wire, _ in
            while true {
                _ = try wire.readRequest(within: 20)
                running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                try go.pass()
                running.withLock { $0.now -= 1 }
                try wire.answer("ok")
            }
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 3, queue: {max_wait: 10s}"))
        let clients = try (0..<10).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        try eventually("three run, seven wait") {
            let now = try gateway.holdings()
            return now.inFlight == 3 && now.queued == 7
        }
        eventually("three have arrived") { running.withLock { $0.now } == 3 }
        // A fourth connection would be there by now, or on its way.
        let now = try gateway.holdings()
        #expect(now.dials == 0 && now.upstreamOpen == 3 && backend.acceptedCount == 3)
        go.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
        #expect(running.withLock { $0.most } == 3)
        // Each reactor has connections of its own.
        #expect(backend.acceptedCount <= 3 * RunningGateway.usualThreads)
        try gateway.settles(clients: 10, idle: 3)
    }

    /// A body that arrived with the head waits in the buffer and travels when its turn comes.
    @Test func whatWaitsKeepsItsBody() throws {
        let go = Door()
        let backend = try ScriptedBackend.serving { wire, request in
            try go.pass()
            try wire.answer(request.bodyText)
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_wait: 10s}"))
        let clients = try (0..<4).map { _ in try gateway.connect() }
        for (number, client) in clients.enumerated() {
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nbody \(number)")
        }
        try eventually("three wait") { try gateway.holdings().queued == 3 }
        go.open()
        for (number, client) in clients.enumerated() {
            #expect(try client.readResponse().bodyText == "body \(number)")
        }
        try gateway.settles(clients: 4, idle: 1)
    }

    /// `Expect: 100-continue` is answered only after admission: a refused upload never travels.
    @Test func aRefusedUploadIsNotAskedFor() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_requests: 0}"))
        let first = try gateway.connect()
        try first.send(Self.get)
        try eventually("one runs") { try gateway.holdings().inFlight == 1 }
        let second = try gateway.connect()
        try second.send(
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        let answer = try second.readResponse()
        #expect(answer.status == 503)
        #expect(answer.values("Connection") == ["close"])
        #expect(second.ends())
        second.close()
        go.open()
        #expect(try first.readResponse().status == 200)
        try gateway.settles(clients: 1, idle: 1)
    }

    @Test func aPoolWhoseBackendsAreAllOutSaysSo() throws {
        let world = try World(
            pool: "limit: 5, ejection: {base: 10s, max: 10s}, queue: {max_wait: 100ms}")
        let client = world.connect()
        try client.send(Self.get)
        world.failDial()
        #expect(try client.readResponse().value("X-Penstock-Reason") == "connect_failed")
        try expectComeBack(try client.get("/"), "no_backend")
        world.settles(clients: 1, idle: 0)
    }

    @Test func aBackendThatIsOutComesBack() throws {
        let world = try World(
            pool: "limit: 5, ejection: {base: 50ms, max: 50ms}, queue: {max_wait: 3s}")
        let client = world.connect()
        try client.send(Self.get)
        world.failDial()
        #expect(try client.readResponse().status == 502)
        world.echo()
        #expect(try client.get("/").status == 200)
        #expect(world.requests.count == 1)
        world.settles(clients: 1, idle: 1)
    }

    @Test(arguments: [(429, 1), (503, 1), (529, 1), (500, 0), (404, 0), (200, 0)])
    func overloadResponsesOfTheBackendCountAsDrops(status: Int, drops: Int) throws {
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.answer("x", status: status, fields: "Retry-After: 7\r\n")
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: {algorithm: aimd, initial: 20}"))
        let client = try gateway.connect()
        let answer = try client.get("/")
        #expect(answer.status == status)
        // The backend's own advice travels untouched.
        #expect(answer.value("Retry-After") == "7")
        try gateway.settles(clients: 1, idle: 1)
        let limit = try gateway.ask { $0.snapshot.pools[0].admission.limit }
        #expect((limit < 20) == (drops == 1))
    }
}
