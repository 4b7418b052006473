// The backend fails, in every phase and in every way: the client gets a correct answer or can tell that it got none, and
// nothing is left behind.

import Admission
import Foundation
import Testing

@testable import Gateway
@testable import Reactor
@testable import Telemetry
@testable import TestSupport

@Suite struct BackendFaultTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    /// How a backend's connection ends.
    enum Ending: String, CaseIterable, Sendable {
        case fin, reset

        func apply(to wire: Wire) {
            switch self {
            case .fin: wire.close()
            case .reset: wire.reset()
            }
        }
    }

    /// A backend that reads a request, sends `bytes` and ends.
    ///
    /// It waits with a reset until they were `relayed`, which would throw them away.
    private func backend(
        sending bytes: String, _ ending: Ending, after relayed: Door
    ) throws -> ScriptedBackend {
        try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send(bytes)
            if ending == .reset { try relayed.pass() }
            ending.apply(to: wire)
        }
    }

    @Test func refusedEverywhereIsAnsweredWith502() throws {
        let gateway = try RunningGateway(
            policyText([try ScriptedBackend.refusingURL(), try ScriptedBackend.refusingURL()]))
        let client = try gateway.connect()
        let answer = try client.get("/")
        #expect(answer.status == 502)
        #expect(answer.value("X-Penstock-Reason") == "connect_failed")
        try gateway.settles(clients: 1, idle: 0)
    }

    @Test func aBackendThatRefusesIsPassedOver() throws {
        let good = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([try ScriptedBackend.refusingURL(), good.url], pool: "limit: 5"))
        for _ in 0..<10 {
            let client = try gateway.connect()
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
            #expect(try client.readResponse().bodyText == "body")
        }
        #expect(good.requests.count == 10)
        try gateway.settles()
    }

    /// All the good backend's slots are taken, so the request waits for one at the head of the queue.
    @Test func aRequestWhoseBackendRefusesMayWaitForAnother() throws {
        let go = Door()
        let good = try ScriptedBackend.serving { wire, _ in
            try go.pass()
            try wire.answer("ok")
        }
        let gateway = try RunningGateway(
            policyText(
                [good.url, try ScriptedBackend.refusingURL()],
                pool: "limit: 1, queue: {max_wait: 3s}"))
        let clients = try (0..<3).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        try eventually("one runs and two wait") {
            let now = try gateway.holdings()
            return now.inFlight == 1 && now.queued == 2
        }
        go.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
        try gateway.settles(clients: 3, idle: 1)
    }

    @Test(arguments: Ending.allCases)
    func closedBeforeTheHead(ending: Ending) throws {
        let relayed = Door()
        relayed.open()
        let backend = try backend(sending: "", ending, after: relayed)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        let answer = try client.get("/v1/x")
        #expect(answer.status == 502)
        #expect(answer.value("X-Penstock-Reason") == "upstream_closed")
        // A connection that was fresh gets no second try.
        #expect(backend.acceptedCount == 1)
        try gateway.settles(clients: 1, idle: 0)
    }

    @Test(arguments: Ending.allCases)
    func closedInsideTheHead(ending: Ending) throws {
        let relayed = Door()
        let bytes = "HTTP/1.1 200 OK\r\nContent-Le"
        let backend = try backend(sending: bytes, ending, after: relayed)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        try eventually("the bytes are read") {
            if ending == .fin { return true }
            return try gateway.askAll { shard in
                shard.connections.all.contains {
                    $0.exchange?.attempt.connection?.receivedBytes == bytes.utf8.count
                }
            }.contains(true)
        }
        relayed.open()
        #expect(try client.readResponse().value("X-Penstock-Reason") == "upstream_closed")
        try gateway.settles(clients: 1, idle: 0)
    }

    @Test(arguments: Ending.allCases)
    func closedInsideABodyWithALength(ending: Ending) throws {
        let relayed = Door()
        let backend = try backend(
            sending: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", ending,
            after: relayed)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n12345")
        relayed.open()
        #expect(throws: WireError.self) { try client.read(count: 5) }
        try gateway.settles(clients: 0, idle: 0)
        let reason = try gateway.metric { $0.count(of: .success, .upstreamClosed) }
        #expect(reason == 1)
    }

    @Test(arguments: Ending.allCases)
    func closedInsideAChunkedBody(ending: Ending) throws {
        let relayed = Door()
        let backend = try backend(
            sending: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", ending,
            after: relayed)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        #expect(try client.readChunk() == "abc")
        relayed.open()
        // No last chunk may make the answer look whole.
        #expect(client.ends())
        try gateway.settles(clients: 0, idle: 0)
    }

    /// A reset is no end: an answer that runs until the close was cut.
    @Test func resetInsideABodyThatEndsAtClose() throws {
        let doors = [Door(), Door()]
        let backend = try ScriptedBackend { wire, number in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\n\r\nabc")
            try doors[number].pass()
            wire.reset()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        #expect(try client.readChunk() == "abc")
        doors[0].open()
        #expect(client.ends())
        // An old client can only tell by a reset.
        let old = try gateway.connect()
        try old.send("GET / HTTP/1.0\r\n\r\n")
        _ = try old.read(until: "\r\n\r\nabc")
        doors[1].open()
        #expect(throws: WireError.self) { try old.receive() }
        try gateway.settles(clients: 0, idle: 0)
    }

    /// The backend judges by the head, answers and closes while the body is still on its way.
    @Test(arguments: Ending.allCases)
    func anEarlyResponseToAnUploadArrives(ending: Ending) throws {
        let relayed = Door()
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            try wire.send("HTTP/1.1 401 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nstop")
            try relayed.pass()
            ending.apply(to: wire)
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n")
        let uploaded = Handover<Bool>()
        onThread {
            _ = client.sendWhatFits([UInt8](repeating: 0x61, count: 1 << 20), quietSeconds: 1)
            uploaded.give(true)
        }
        let answer = try client.readResponse()
        #expect(answer.status == 401)
        #expect(answer.bodyText == "stop")
        relayed.open()
        _ = try uploaded.take("the upload's end")
        client.close()
        try gateway.settles(clients: 0, idle: 0)
    }

    /// An answer that overtakes a small upload leaves the client's connection in order.
    @Test func anEarlyResponseKeepsTheClientWhenTheBodyIsSmall() throws {
        let backend = try ScriptedBackend { wire, number in
            _ = try wire.readHead()
            try wire.answer(number == 0 ? "early" : "next")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(
            policyText([backend.url], server: "body_before_queue: 0B"))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nabcd")
        #expect(try client.readResponse().bodyText == "early")
        try client.send("efgh")
        #expect(try client.get("/").bodyText == "next")
        // The first connection still waits for a body, so it must not have been used again.
        #expect(backend.acceptedCount == 2)
        try gateway.settles(clients: 1, idle: 1)
    }
}
