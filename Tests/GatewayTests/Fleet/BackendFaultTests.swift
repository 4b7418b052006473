// The backend fails, in every phase and in every way: the client gets a correct answer or can tell that it got none, and
// nothing is left behind.

import Admission
import Foundation
import Testing

@testable import Gateway
@testable import Telemetry

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
    private func backend(sending bytes: String, _ ending: Ending) throws -> ScriptedBackend {
        try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send(bytes)
            // Time for the bytes to be relayed before a reset throws them away.
            if ending == .reset && !bytes.isEmpty { usleep(50_000) }
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
        let backend = try backend(sending: "", ending)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        let answer = try client.get("/v1/x")
        #expect(answer.status == 502)
        #expect(answer.value("X-Penstock-Reason") == "upstream_closed")
        // A connection that was fresh gets no second try.
        #expect(backend.acceptedCount == 1)
        try gateway.settles(clients: 1, idle: 0)
    }

    /// What the client is told of a lost backend is what happened: before the response, or within it.
    @Test(arguments: [("", "before it had answered"), ("HTTP/1.1 200 O", "within its answer")])
    func aLostBackendIsToldAsItWasLost(sent: String, words: String) throws {
        let backend = try backend(sending: sent, .fin)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        #expect(try client.get("/v1/x").bodyText.contains(words))
        #expect(try client.get("/v1/x").bodyText.contains(words))
        try gateway.settles(clients: 1, idle: 0)
    }

    @Test func aBackendLostWithinAStreamIsToldSo() throws {
        let events = String(repeating: "data: {}\n\n", count: 5)
        let backend = try backend(
            sending: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n"
                + "\(String(events.utf8.count, radix: 16))\r\n\(events)\r\n", .reset)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("GET /v1/x HTTP/1.1\r\nHost: h\r\n\r\n")
        let answer = try client.read(until: "\r\n0\r\n\r\n")
        #expect(answer.contains("upstream_closed"))
        #expect(answer.contains("closed the connection within its answer."))
        try gateway.settles(clients: 1, idle: 0)
    }

    @Test(arguments: Ending.allCases)
    func closedInsideTheHead(ending: Ending) throws {
        let backend = try backend(sending: "HTTP/1.1 200 OK\r\nContent-Le", ending)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        #expect(try client.get("/").value("X-Penstock-Reason") == "upstream_closed")
        try gateway.settles(clients: 1, idle: 0)
    }

    @Test(arguments: Ending.allCases)
    func closedInsideABodyWithALength(ending: Ending) throws {
        let backend = try backend(
            sending: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", ending)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        #expect(throws: WireError.self) { try client.read(count: 10) }
        try gateway.settles(clients: 0, idle: 0)
        let reason = try gateway.metric { $0.count(of: .success, .upstreamClosed) }
        #expect(reason == 1)
    }

    @Test(arguments: Ending.allCases)
    func closedInsideAChunkedBody(ending: Ending) throws {
        let backend = try backend(
            sending: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", ending)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        #expect(try client.readChunk() == "abc")
        // No last chunk may make the answer look whole.
        #expect(client.ends())
        try gateway.settles(clients: 0, idle: 0)
    }

    /// A reset is no end: an answer that runs until the close was cut.
    @Test func resetInsideABodyThatEndsAtClose() throws {
        let backend = try backend(sending: "HTTP/1.1 200 OK\r\n\r\nabc", .reset)
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        #expect(try client.readChunk() == "abc")
        #expect(client.ends())
        // An old client can only tell by a reset.
        let old = try gateway.connect()
        try old.send("GET / HTTP/1.0\r\n\r\n")
        _ = try old.read(until: "\r\n\r\nabc")
        #expect(throws: WireError.self) { try old.receive() }
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 099 No\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "HTTP/3.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\(String(repeating: "X-Field: value\r\n", count: 300))\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
    func nonsenseIsAnsweredWith502(bytes: String) throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send(bytes)
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        let answer = try client.get("/")
        #expect(answer.status == 502)
        #expect(answer.value("X-Penstock-Reason") == "upstream_invalid")
        try gateway.settles(clients: 1, idle: 0)
    }

    /// However small the buffers are, a head of the size that backends may send fits.
    @Test(arguments: ["high: 4KiB, low: 1KiB", "high: 64KiB"])
    func largeHeadsAndTrailersArrive(buffer: String) throws {
        let long = String(repeating: "x", count: 30_000)
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: \(long)\r\n")
            // So that the buffer is full before the rest comes.
            usleep(20_000)
            try wire.send("B: \(long)\r\n\r\n3\r\nabc\r\n0\r\nC: \(long)\r\n")
            usleep(20_000)
            try wire.send("D: \(long)\r\n\r\n")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(
            policyText([backend.url], server: "max_head_size: 4KiB, buffer: {\(buffer)}"))
        let client = try gateway.connect()
        try client.send(Self.get)
        let answer = try client.read(until: "abc\r\n0\r\n")
        #expect(answer.contains("\r\nA: \(long)\r\n") && answer.contains("\r\nB: \(long)\r\n"))
        let trailers = try client.read(until: "\r\n\r\n")
        #expect(trailers == "C: \(long)\r\nD: \(long)\r\n\r\n")
        try gateway.settles(clients: 1, idle: 1)
    }

    /// Heads without an end, in one line or in many.
    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nA: ", "x"), ("HTTP/1.1 200 OK\r\n", "A: b\r\n"),
        ("HTTP/1.1 200 ", "reason "), ("HTTP/1.1 103 Hints\r\n", "Link: a\r\n"),
    ])
    func aHeadThatDoesNotEndIsAnswered502(start: String, more: String) throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send(start)
            let piece = Array(String(repeating: more, count: 1_000).utf8)
            while wire.sendWhatFits(piece, quietSeconds: 10) == piece.count {}
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        let answer = try client.get("/")
        #expect(answer.status == 502)
        #expect(answer.value("X-Penstock-Reason") == "upstream_invalid")
        try gateway.settles(clients: 1, idle: 0)
    }

    private static let hints = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"

    /// As many interim answers as anybody has a use for are passed on, and then the answer.
    @Test func sixteenInterimResponsesArePassedOn() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send(String(repeating: Self.hints, count: 16))
            try wire.answer("at last")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        for _ in 0..<16 { #expect(try client.readHead().status == 103) }
        #expect(try client.readResponse().bodyText == "at last")
        try gateway.settles(clients: 1, idle: 1)
    }

    /// A storm of them ends with a 502, also for a client that gets to see none of them.
    @Test(arguments: ["HTTP/1.1", "HTTP/1.0"], ["100 Continue", "103 Early Hints", "199 ?"])
    func aStormOfInterimResponsesIsAnswered502(version: String, status: String) throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            let storm = String(repeating: "HTTP/1.1 \(status)\r\nLink: a\r\n\r\n", count: 1_000)
            while wire.sendWhatFits(Array(storm.utf8), quietSeconds: 10) == storm.utf8.count {}
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("GET / \(version)\r\nHost: h\r\n\r\n")
        var answer = try client.readHead()
        var interim = 0
        while answer.status < 200 {
            interim += 1
            answer = try client.readHead()
        }
        #expect(interim == (version == "HTTP/1.1" ? 16 : 0))
        #expect(answer.status == 502)
        #expect(answer.value("X-Penstock-Reason") == "upstream_invalid")
        client.close()
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test func brokenChunksCutTheResponse() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "\r\n\r\n")
        #expect(!(try client.readToEnd()).contains("0\r\n\r\n"))
        try gateway.settles(clients: 0, idle: 0)
    }

    /// The backend judges by the head, answers and closes while the body is still on its way.
    @Test(arguments: Ending.allCases)
    func anEarlyResponseToAnUploadArrives(ending: Ending) throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            try wire.send("HTTP/1.1 401 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nstop")
            usleep(50_000)
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

    @Test func bytesBehindAResponseEndTheBackendsConnection() throws {
        let backend = try ScriptedBackend { wire, number in
            _ = try wire.readRequest()
            try wire.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\(number)HTTP/1.1 200 Spoof\r\n")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        #expect(try client.get("/").bodyText == "0")
        #expect(try client.get("/").bodyText == "1")
        try gateway.settles(clients: 1, idle: 0)
    }

    /// Bytes where an answer can have no body reach neither this client nor the next one.
    @Test(arguments: [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nspoof"),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nspoof\r\n0\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No\r\n\r\nspoof"),
        ("GET", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nspoof"),
        ("GET", "HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nspoof"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 spoof\r\n\r\n"),
    ])
    func bodiesWhereThereAreNoneReachNobody(method: String, bytes: String) throws {
        let backend = try ScriptedBackend { wire, number in
            _ = try wire.readRequest()
            if number == 0 { try wire.send(bytes) } else { try wire.answer("right") }
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("\(method) / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try !client.readResponse(isHead: method == "HEAD").bodyText.contains("spoof"))
        #expect(client.isSilent(for: 0.05))
        #expect(try client.get("/").bodyText == "right")
        #expect(backend.acceptedCount == 2)
        try gateway.settles(clients: 1, idle: 1)
    }

    @Test func bytesOnAnIdleConnectionEndIt() throws {
        let sent = Door()
        let backend = try ScriptedBackend { wire, number in
            _ = try wire.readRequest()
            try wire.answer("\(number)")
            usleep(20_000)
            try wire.send("HTTP/1.1 200 Spoof\r\nContent-Length: 0\r\n\r\n")
            sent.open()
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        #expect(try client.get("/").bodyText == "0")
        try sent.pass()
        try gateway.settles(clients: 1, idle: 0)
        #expect(try client.get("/").bodyText == "1")
    }
}
