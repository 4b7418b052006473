// Every time-out of the policy: who waits too long gets the right answer, and who is not to blame is left alone.

import Admission
import Foundation
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct TimeoutTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func aHeadMustArriveInTime() throws {
        let world = try World(server: "timeouts: {head: 100ms}")
        let client = world.connect()
        try client.send("GET / HTTP/1.1\r\nX-Slow: ")
        // Progress does not count: the whole head has one time.
        let waited = try world.milliseconds {
            while client.got.isEmpty {
                world.pass(milliseconds: 20)
                try client.send("x")
            }
        }
        #expect(waited == 100)
        let answer = try client.readResponse()
        #expect(answer.status == 408)
        #expect(answer.value("X-Penstock-Reason") == "client_timeout")
        #expect(answer.values("Connection") == ["close"])
        client.close()
        world.settles(clients: 0, idle: 0)
    }

    @Test func theHeadsTimeBeginsWithItsFirstByte() throws {
        let world = try World(server: "timeouts: {head: 150ms}")
        world.echo()
        let client = world.connect()
        world.pass(milliseconds: 200)
        #expect(try client.get("/").status == 200)
        world.pass(milliseconds: 200)
        #expect(try client.get("/").status == 200)
    }

    @Test func anIdleClientIsClosedWithoutAWord() throws {
        let world = try World(server: "timeouts: {keep_alive: 100ms}")
        world.echo()
        let silent = world.connect()
        let used = world.connect()
        world.pass(milliseconds: 50)
        #expect(try used.get("/").status == 200)
        let untilSilent = world.milliseconds { #expect(silent.ends()) }
        #expect(untilSilent == 50)
        let untilUsed = world.milliseconds { #expect(used.ends()) }
        #expect(untilUsed == 50)
        world.settles(clients: 0, idle: 1)
    }

    @Test(arguments: ["Content-Length: 100", "Transfer-Encoding: chunked"])
    func aBodyMustKeepComing(framing: String) throws {
        let world = try World(server: "body_before_queue: 0B, timeouts: {body_idle: 100ms}")
        let client = world.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n5\r\nabcde\r\n")
        let backend = try world.accept()
        let waited = try world.milliseconds {
            let answer = try client.readResponse()
            #expect(answer.status == 408)
            #expect(answer.value("X-Penstock-Reason") == "client_timeout")
        }
        #expect(waited == 100)
        #expect(backend.isClosed)
        client.close()
        world.settles(clients: 0, idle: 0)
    }

    /// The time counts from the last piece, not from the beginning.
    @Test func aSlowBodyThatKeepsComingIsFine() throws {
        let world = try World(
            pool: "timeouts: {first_byte: 150ms, idle: 150ms}",
            server: "body_before_queue: 0B, timeouts: {body_idle: 150ms}")
        world.echo()
        let client = world.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n")
        for byte in Array("bit by b".utf8) {
            world.pass(milliseconds: 140)
            try client.send([byte])
        }
        #expect(try client.readResponse().bodyText == "bit by b")
        world.settles(clients: 1, idle: 1)
    }

    /// The backend cannot answer before it has the request: the client's pauses are not its fault.
    @Test func theBackendIsNotBlamedForASlowClient() throws {
        let world = try World(
            pool: "timeouts: {first_byte: 100ms}", server: "body_before_queue: 0B")
        world.echo()
        let client = world.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
        world.pass(milliseconds: 250)
        try client.send("b")
        #expect(try client.readResponse().bodyText == "ab")
        world.settles(clients: 1, idle: 1)
    }

    @Test func aClientThatDoesNotReadIsCut() throws {
        let world = try World(
            pool: "timeouts: {idle: 100ms}", server: "timeouts: {write_stall: 300ms}")
        let client = world.connect()
        client.take(4_096)
        try client.send(Self.get)
        let backend = try world.accept()
        try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        try backend.send([UInt8](repeating: 0x78, count: 2 << 20))
        _ = try client.read(until: "\r\n\r\n")
        let waited = world.milliseconds { world.settles(clients: 0, idle: 0) }
        #expect(waited == 300)
        // What is left of the answer ends in a reset, so that nobody takes it for whole.
        #expect(throws: WireError.self) { try client.readToEnd() }
        #expect(world.metric { $0.count(of: .success, .writeTimeout) } == 1)
    }

    @Test func connectingMustSucceedInTime() throws {
        let backlog = try FullBacklog()
        let gateway = try RunningGateway(
            policyText([backlog.url], pool: "timeouts: {connect: 150ms}"))
        let client = try gateway.connect()
        let answer = try client.get("/")
        #expect(answer.status == 504)
        #expect(answer.value("X-Penstock-Reason") == "connect_timeout")
        try gateway.settles(clients: 1, idle: 0)
    }

    /// Half of the budget is kept for the other backend.
    @Test func aBackendThatDoesNotAcceptIsPassedOver() throws {
        let backlog = try FullBacklog()
        let good = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backlog.url, good.url], pool: "limit: 1, timeouts: {connect: 300ms}"))
        let clients = try (0..<2).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        for client in clients { #expect(try client.readResponse().status == 200) }
        try gateway.settles(clients: 2, idle: 1)
    }

    @Test func theFirstByteMustComeInTime() throws {
        let world = try World(pool: "timeouts: {first_byte: 100ms}")
        let client = world.connect()
        try client.send(Self.get)
        let backend = try world.accept()
        _ = try backend.readRequest()
        let waited = try world.milliseconds {
            let answer = try client.readResponse()
            #expect(answer.status == 504)
            #expect(answer.value("X-Penstock-Reason") == "first_byte_timeout")
        }
        #expect(waited == 100)
        #expect(backend.ends())
        world.settles(clients: 1, idle: 0)
    }

    /// An interim answer is not the answer: the first byte's time goes on.
    @Test func interimResponsesDoNotCountAsTheFirstByte() throws {
        let world = try World(pool: "timeouts: {first_byte: 2s, idle: 100ms}")
        let client = world.connect()
        try client.send(Self.get)
        let backend = try world.accept()
        try backend.send("HTTP/1.1 102 Processing\r\n\r\n")
        #expect(try client.readResponse().status == 102)
        world.pass(milliseconds: 300)
        try backend.answer("late")
        #expect(try client.readResponse().bodyText == "late")
        world.settles(clients: 1, idle: 1)
    }

    @Test func aResponseMustKeepComing() throws {
        let world = try World(pool: "timeouts: {first_byte: 3s, idle: 100ms}")
        let client = world.connect()
        try client.send(Self.get)
        let backend = try world.accept()
        try backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        _ = try client.read(until: "\r\n\r\n1\r\na\r\n")
        let waited = world.milliseconds { #expect(client.ends()) }
        #expect(waited == 100)
        #expect(world.metric { $0.count(of: .success, .upstreamIdleTimeout) } == 1)
        world.settles(clients: 0, idle: 0)
    }

    /// While the client is the slow one, the backend's silence is our own doing.
    @Test func aSlowReaderDoesNotTimeTheBackendOut() throws {
        let size = 3_000_000
        let world = try World(pool: "timeouts: {idle: 500ms}, keep_alive: {idle: 1m}")
        world.serve { backend, _ in try backend.answer(String(repeating: "x", count: size)) }
        let client = world.connect()
        client.take(4_096)
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        world.pass(milliseconds: 1_200)
        client.take(.max)
        #expect(try client.read(count: size).count == size)
        world.settles(clients: 1, idle: 1)
    }

    @Test func waitingInTheQueueEndsInTime() throws {
        let world = try World(pool: "limit: 1, queue: {max_wait: 100ms}")
        let first = world.connect()
        try first.send(Self.get)
        let backend = try world.accept()
        #expect(world.inFlight == 1)
        let second = world.connect()
        let waited = try world.milliseconds {
            let answer = try second.get("/v1/chat/completions")
            #expect(answer.status == 503)
            #expect(answer.value("X-Penstock-Reason") == "queue_timeout")
        }
        #expect(waited == 100)
        try backend.answer()
        #expect(try first.readResponse().status == 200)
        world.settles(clients: 2, idle: 1)
    }
}
