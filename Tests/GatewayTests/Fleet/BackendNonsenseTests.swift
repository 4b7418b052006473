// The backend sends what is no response, or more than one: the client gets a correct answer or can tell that it
// got none, and no bytes reach another request.

import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct BackendNonsenseTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    private static let hints = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"

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
        let world = try World(server: "max_head_size: 4KiB, buffer: {\(buffer)}")
        let client = world.connect()
        try client.send(Self.get)
        let backend = try world.accept()
        // In pieces, so that the buffer is full before the rest comes.
        for piece in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: \(long)\r\n",
            "B: \(long)\r\n\r\n3\r\nabc\r\n0\r\nC: \(long)\r\n", "D: \(long)\r\n\r\n",
        ] {
            try backend.send(piece)
            world.pass(milliseconds: 20)
        }
        let answer = try client.read(until: "abc\r\n0\r\n")
        #expect(answer.contains("\r\nA: \(long)\r\n") && answer.contains("\r\nB: \(long)\r\n"))
        let trailers = try client.read(until: "\r\n\r\n")
        #expect(trailers == "C: \(long)\r\nD: \(long)\r\n\r\n")
        world.settles(clients: 1, idle: 1)
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
        let world = try World()
        let client = world.connect()
        try client.send("\(method) / HTTP/1.1\r\nHost: h\r\n\r\n")
        try world.accept().send(bytes)
        #expect(try !client.readResponse(isHead: method == "HEAD").bodyText.contains("spoof"))
        #expect(client.isSilent(for: 0.05))
        try client.send(Self.get)
        try world.accept().answer("right")
        #expect(try client.readResponse().bodyText == "right")
        world.settles(clients: 1, idle: 1)
    }

    @Test func bytesOnAnIdleConnectionEndIt() throws {
        let world = try World()
        let client = world.connect()
        try client.send(Self.get)
        let first = try world.accept()
        try first.answer("0")
        #expect(try client.readResponse().bodyText == "0")
        world.settles(clients: 1, idle: 1)
        try first.send("HTTP/1.1 200 Spoof\r\nContent-Length: 0\r\n\r\n")
        world.settles(clients: 1, idle: 0)
        try client.send(Self.get)
        try world.accept().answer("1")
        #expect(try client.readResponse().bodyText == "1")
    }
}
