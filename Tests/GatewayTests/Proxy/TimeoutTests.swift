// Every time-out of the policy, with a small value: who waits too long gets the right answer, and who is not to blame is
// left alone.

import Admission
import Foundation
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct TimeoutTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func aHeadMustArriveInTime() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], server: "timeouts: {head: 100ms}"))
        let client = try gateway.connect()
        try client.send("GET / HTTP/1.1\r\nX-Slow: ")
        // Progress does not count: the whole head has one time.
        let sending = Handover<Bool>()
        onThread {
            for _ in 0..<30 {
                usleep(20_000)
                if (try? client.send("x")) == nil { break }
            }
            sending.give(true)
        }
        let answer = try client.readAnswer()
        #expect(answer.status == 408)
        #expect(answer.value("X-Penstock-Reason") == "client_timeout")
        #expect(answer.values("Connection") == ["close"])
        client.close()
        _ = try sending.take("the sender")
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test func theHeadsTimeBeginsWithItsFirstByte() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], server: "timeouts: {head: 150ms}"))
        let client = try gateway.connect()
        usleep(200_000)
        #expect(try client.get("/").status == 200)
        usleep(200_000)
        #expect(try client.get("/").status == 200)
    }

    @Test func anIdleClientIsClosedWithoutAWord() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], server: "timeouts: {keep_alive: 100ms}"))
        let silent = try gateway.connect()
        let used = try gateway.connect()
        #expect(try used.get("/").status == 200)
        #expect(silent.ends())
        #expect(used.ends())
        try gateway.settles(clients: 0, idle: 1)
    }

    @Test(arguments: ["Content-Length: 100", "Transfer-Encoding: chunked"])
    func aBodyMustKeepComing(framing: String) throws {
        let noticed = Handover<Bool>()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            _ = try? wire.readToEnd()
            noticed.give(true)
        }
        let gateway = try RunningGateway(
            policyText(
                [backend.url], server: "body_before_queue: 0B, timeouts: {body_idle: 100ms}"))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n5\r\nabcde\r\n")
        let answer = try client.readAnswer()
        #expect(answer.status == 408)
        #expect(answer.value("X-Penstock-Reason") == "client_timeout")
        _ = try noticed.take("the backend's notice")
        client.close()
        try gateway.settles(clients: 0, idle: 0)
    }

    /// The time counts from the last piece, not from the beginning.
    @Test func aSlowBodyThatKeepsComingIsFine() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText(
                [backend.url], pool: "timeouts: {first_byte: 150ms, idle: 150ms}",
                server: "body_before_queue: 0B, timeouts: {body_idle: 150ms}"))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n")
        for byte in Array("bit by b".utf8) {
            usleep(60_000)
            try client.send([byte])
        }
        #expect(try client.readAnswer().bodyText == "bit by b")
        try gateway.settles(clients: 1, idle: 1)
    }

    /// The backend cannot answer before it has the request: the client's pauses are not its fault.
    @Test func theBackendIsNotBlamedForASlowClient() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText(
                [backend.url], pool: "timeouts: {first_byte: 100ms}",
                server: "body_before_queue: 0B"))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
        usleep(250_000)
        try client.send("b")
        #expect(try client.readAnswer().bodyText == "ab")
        try gateway.settles(clients: 1, idle: 1)
    }

    @Test func aClientThatDoesNotReadIsCut() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            let block = [UInt8](repeating: 0x78, count: 1 << 20)
            while wire.sendWhatFits(block, quietSeconds: 3) == block.count {}
        }
        let gateway = try RunningGateway(
            policyText(
                [backend.url], pool: "timeouts: {idle: 100ms}",
                server: "timeouts: {write_stall: 300ms}"))
        let client = try gateway.connect(receiveBuffer: 4096)
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        let waited = try seconds { try gateway.settles(clients: 0, idle: 0) }
        #expect(waited > 0.2)
        // What is left of the answer ends in a reset, so that nobody takes it for whole.
        #expect(throws: WireError.self) { try client.readToEnd() }
        #expect(try gateway.metric { $0.count(of: .success, .writeTimeout) } == 1)
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
        for client in clients { #expect(try client.readAnswer().status == 200) }
        try gateway.settles(clients: 2, idle: 1)
    }

    @Test func theFirstByteMustComeInTime() throws {
        let noticed = Handover<Bool>()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            noticed.give(wire.ends())
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "timeouts: {first_byte: 100ms}"))
        let client = try gateway.connect()
        let answer = try client.get("/")
        #expect(answer.status == 504)
        #expect(answer.value("X-Penstock-Reason") == "first_byte_timeout")
        #expect(try noticed.take("the backend's notice"))
        try gateway.settles(clients: 1, idle: 0)
    }

    /// An interim answer is not the answer: the first byte's time goes on.
    @Test func interimAnswersDoNotCountAsTheFirstByte() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 102 Processing\r\n\r\n")
            usleep(300_000)
            try wire.answer("late")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "timeouts: {first_byte: 2s, idle: 100ms}"))
        let client = try gateway.connect()
        try client.send(Self.get)
        #expect(try client.readAnswer().status == 102)
        #expect(try client.readAnswer().bodyText == "late")
        try gateway.settles(clients: 1, idle: 1)
    }

    @Test func anAnswerMustKeepComing() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "timeouts: {first_byte: 3s, idle: 100ms}"))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n1\r\na\r\n")
        #expect(client.ends())
        #expect(try gateway.metric { $0.count(of: .success, .upstreamIdleTimeout) } == 1)
        try gateway.settles(clients: 0, idle: 0)
    }

    /// While the client is the slow one, the backend's silence is our own doing.
    @Test func aSlowReaderDoesNotTimeTheBackendOut() throws {
        let size = 3_000_000
        let backend = try ScriptedBackend.serving { wire, _ in
            try wire.answer(String(repeating: "x", count: size))
        }
        let gateway = try RunningGateway(
            policyText(
                [backend.url], pool: "timeouts: {idle: 500ms}, keep_alive: {idle: 1m}"))
        let client = try gateway.connect(receiveBuffer: 4096)
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        usleep(1_200_000)
        #expect(try client.read(count: size, within: 20).count == size)
        try gateway.settles(clients: 1, idle: 1)
    }

    @Test func waitingInTheQueueEndsInTime() throws {
        let go = Door()
        let backend = try ScriptedBackend.serving { wire, _ in
            try go.pass()
            try wire.answer()
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_wait: 100ms}"))
        let first = try gateway.connect()
        try first.send(Self.get)
        try eventually("one runs") { try gateway.holdings().inFlight == 1 }
        let second = try gateway.connect()
        let answer = try second.get("/v1/chat/completions")
        #expect(answer.status == 503)
        #expect(answer.value("X-Penstock-Reason") == "queue_timeout")
        go.open()
        #expect(try first.readAnswer().status == 200)
        try gateway.settles(clients: 2, idle: 1)
    }
}
