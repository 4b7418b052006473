// Connections to backends that died while they were idle: what is tried again, and what never is.

import Foundation
import Synchronization
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct RetryTests {
    /// A backend whose connections each answer one request and then die at the next one's first bytes.
    private func dyingBackend(_ log: RequestLog) throws -> ScriptedBackend {
        try ScriptedBackend(log: log) { wire, number in
            let request = try wire.readRequest()
            log.note(request)
            try wire.answer(request.startLine.hasPrefix("HEAD") ? "" : "\(number)")
            // The next request races with this close and loses.
            _ = try wire.receive(within: 60)
            wire.reset()
        }
    }

    @Test(arguments: ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
    func idempotentRequestsAreTriedAgain(method: String) throws {
        let log = RequestLog()
        let backend = try dyingBackend(log)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        #expect(try client.get("/first").bodyText == "0")
        try client.send("\(method) /second HTTP/1.1\r\nHost: h\r\n\r\n")
        let answer = try client.readResponse(isHead: method == "HEAD")
        #expect(answer.status == 200)
        #expect(backend.acceptedCount == 2)
        #expect(backend.requests.map(\.startLine).last == "\(method) /second HTTP/1.1")
        #expect(try gateway.metric { $0.retries } == 1)
        try gateway.settles(clients: 1, idle: 1)
    }

    /// The second time the fresh connection dies as well: that is the backend's answer.
    @Test func nothingIsTriedThreeTimes() throws {
        let backend = try ScriptedBackend { wire, number in
            _ = try wire.readRequest()
            if number > 0 { return }
            try wire.answer("0")
            _ = try wire.receive(within: 60)
            wire.reset()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        _ = try client.get("/")
        #expect(try client.get("/").value("X-Penstock-Reason") == "upstream_closed")
        #expect(backend.acceptedCount == 2)
        try gateway.settles(clients: 1, idle: 0)
    }

    /// A request that was sent again must not be sent a third time because its backend has gone and
    /// another one's idle connection closes as well.
    @Test func nothingIsSentThreeTimesByAnotherBackend() throws {
        let log = RequestLog()
        let go = Door()
        let backends = Mutex<[ScriptedBackend]>([])
        let script: @Sendable (Wire, Int) throws -> Void = { wire, _ in
            log.note(try wire.readRequest())
            try go.pass()
            try wire.answer("ok")
            log.note(try wire.readRequest())
            // Whoever is asked first goes for good; the other one takes connections still.
            let leaving = backends.withLock { backends in
                defer { backends.removeAll() }
                return backends
            }
            for backend in leaving where backend.owns(wire) { backend.stop() }
            wire.reset()
        }
        let pair = [try ScriptedBackend(log: log, script), try ScriptedBackend(log: log, script)]
        backends.withLock { $0 = pair }
        let gateway = try RunningGateway(policyText(pair.map(\.url)), threads: 1)
        let clients = [try gateway.connect(), try gateway.connect()]
        for client in clients { try client.send("GET /first HTTP/1.1\r\nHost: h\r\n\r\n") }
        eventually("both backends are asked") { log.requests.count == 2 }
        go.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
        try clients[0].send("GET /second HTTP/1.1\r\nHost: h\r\n\r\n")
        let answer = try clients[0].readResponse()
        #expect(answer.value("X-Penstock-Reason") == "upstream_closed")
        #expect(log.requests.count == 4)
        try gateway.settles(clients: 2, idle: 0)
    }

    /// Two backends fail with all of a body: the third has it too, in pieces or with a length.
    @Test(arguments: [
        "Content-Length: 11\r\n\r\nhello world",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    ])
    func aBodyGoesToAThirdBackend(body: String) throws {
        let log = RequestLog()
        let backends = try (0..<3).map { _ in
            try ScriptedBackend(log: log) { wire, _ in
                let request = try wire.readRequest()
                log.note(request)
                let status = log.requests.count < 3 ? "500 Internal Server Error" : "200 OK"
                try wire.send("HTTP/1.1 \(status)\r\nContent-Length: 2\r\n\r\nok")
                _ = try? wire.receive(within: 60)
            }
        }
        let gateway = try RunningGateway(policyText(backends.map(\.url)), threads: 1)
        let client = try gateway.connect()
        try client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n" + body)
        #expect(try client.readResponse().status == 200)
        #expect(log.requests.map(\.bodyText) == ["hello world", "hello world", "hello world"])
        #expect(try gateway.metric { $0.retries } == 2)
        #expect(try gateway.ask { $0.bodyMemory.keptBytes } == 0)
    }

    @Test(arguments: ["", "body"])
    func postsThatMayHaveBegunAreNeverTriedAgain(body: String) throws {
        let log = RequestLog()
        let backend = try dyingBackend(log)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        #expect(try client.get("/first").bodyText == "0")
        try client.send(
            "POST /second HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        let answer = try client.readResponse()
        #expect(answer.status == 502)
        #expect(answer.value("X-Penstock-Reason") == "upstream_closed")
        #expect(backend.requests.count == 1)
        try gateway.settles(clients: 1, idle: 0)
        // The client's connection is none the worse for it.
        #expect(try client.get("/third").status == 200)
    }

    /// A close that is known in time is not raced with: even a POST goes to a fresh connection.
    @Test func aCloseThatWasNoticedIsNoFailure() throws {
        let backend = try ScriptedBackend { wire, number in
            _ = try wire.readRequest()
            try wire.answer("\(number)")
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        for number in 0..<5 {
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
            #expect(try client.readResponse().bodyText == "\(number)")
            try gateway.settles(clients: 1, idle: 0)
        }
    }

    /// The second answer is cut after its first byte: trying again could repeat what the client has seen.
    @Test func whatHasBegunToBeAnsweredIsNotTriedAgain() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.answer("ok")
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 2")
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        #expect(try client.get("/").status == 200)
        #expect(try client.get("/").status == 502)
        #expect(backend.acceptedCount == 1)
        try gateway.settles(clients: 1, idle: 0)
    }

    @Test func idleConnectionsAreReusedLastInFirstOut() throws {
        let go = Door()
        let backend = try ScriptedBackend { wire, number in
            while true {
                _ = try wire.readRequest(within: 60)
                try go.pass()
                try wire.answer("\(number)")
            }
        }
        // Each reactor has a list of its own.
        let gateway = try RunningGateway(policyText([backend.url]), threads: 1)
        let clients = try (0..<3).map { _ in try gateway.connect() }
        for client in clients { try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n") }
        try eventually("three run") { try gateway.holdings().inFlight == 3 }
        go.open()
        for client in clients { _ = try client.readResponse() }
        try gateway.settles(clients: 3, idle: 3)
        let one = try clients[0].get("/").bodyText
        for _ in 0..<5 { #expect(try clients[1].get("/").bodyText == one) }
    }

    @Test func idleConnectionsAreKeptWithinTheirBounds() throws {
        let backend = try ScriptedBackend.echoing()
        let few = try RunningGateway(
            policyText([backend.url], pool: "keep_alive: {max_connections: 0}"))
        let client = try few.connect()
        for _ in 0..<3 { #expect(try client.get("/").status == 200) }
        try few.settles(clients: 1, idle: 0)
        #expect(backend.acceptedCount == 3)
    }

    /// However busy it is, a connection of that age serves no more: the backend's name may have moved.
    @Test(arguments: [("1s", 2), ("off", 1)])
    func connectionsHaveAGreatestAge(_ age: String, _ dials: Int) throws {
        let world = try World(pool: "keep_alive: {idle: 1m, max_age: \(age)}")
        world.echo()
        let client = world.connect()
        for _ in 0..<15 {
            #expect(try client.get("/").status == 200)
            world.pass(milliseconds: 100)
        }
        #expect(world.backends.count == dials)
        // Nor does one that has aged while it was idle.
        world.pass(milliseconds: 2_000)
        #expect(world.backends.allSatisfy { $0.isClosed } == (age != "off"))
        world.settles(clients: 1, idle: age == "off" ? 1 : 0)
    }

    @Test func idleConnectionsAreClosedAfterTheirTime() throws {
        let world = try World(pool: "keep_alive: {idle: 50ms}")
        world.echo()
        #expect(try world.connect().get("/").status == 200)
        world.settles(clients: 1, idle: 1)
        world.pass(milliseconds: 40)
        #expect(!world.backends[0].isClosed)
        world.pass(milliseconds: 10)
        #expect(world.backends[0].isClosed)
        world.settles(clients: 1, idle: 0)
    }
}
