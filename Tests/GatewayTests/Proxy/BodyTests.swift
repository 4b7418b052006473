// Bodies of requests and answers: framing written anew, trailers, interim answers, and what becomes
// of bodies that nobody reads.

import Foundation
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct BodyTests {
    @Test func bodiesWithALengthArriveAsTheyAre() throws {
        let passage = try Passage(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
        )
        #expect(passage.request.bodyText == "hello")
        #expect(passage.request.values("Content-Length") == ["5"])
        #expect(passage.request.values("Transfer-Encoding").isEmpty)
    }

    @Test func emptyBodiesKeepTheirLength() throws {
        let passage = try Passage("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        #expect(passage.request.values("Content-Length") == ["0"])
        #expect(passage.keepsClient)
    }

    @Test func chunkedBodiesAreFramedAnewWithTheirTrailers() throws {
        let passage = try Passage(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nTrailer: X-Sum\r\n\r\n"
                + "5;name=\"va\\\"lue\"\r\nhello\r\n0006\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n",
            answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "4;x\r\nback\r\n0\r\nX-Check: ok\r\n\r\n")
        #expect(passage.request.bodyText == "hello world")
        #expect(passage.request.trailers == ["X-Sum: 11"])
        #expect(passage.request.values("Transfer-Encoding") == ["chunked"])
        #expect(passage.answer.bodyText == "back")
        #expect(passage.answer.trailers == ["X-Check: ok"])
        #expect(passage.keepsClient)
    }

    @Test func bodiesArriveInPiecesOfAnySize() throws {
        let world = try World()
        world.echo()
        let client = world.connect()
        let request =
            "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
        // Byte by byte: the head, chunk sizes and line ends are all cut everywhere.
        for byte in Array(request.utf8) { try client.send([byte]) }
        #expect(try client.readResponse().bodyText == "abc0123456789")
        #expect(try client.get("/b").status == 200)
        world.settles(clients: 1, idle: 1)
        #expect(world.backends.count == 1)
    }

    @Test func continueIsRelayedFromTheBackend() throws {
        let log = RequestLog()
        let backend = try ScriptedBackend(log: log) { wire, _ in
            var request = try wire.readHead()
            #expect(request.value("Expect") == "100-continue")
            try wire.send("HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n")
            try wire.readBody(of: &request)
            log.note(request)
            try wire.answer("done")
            _ = try wire.readRequest()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        let interim = try client.readResponse()
        #expect(interim.head == "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n")
        try client.send("body")
        #expect(try client.readResponse().bodyText == "done")
        #expect(backend.requests.first?.bodyText == "body")
        try gateway.settles(clients: 1, idle: 1)
    }

    @Test func aRefusedExpectationNeverTravels() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            try wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        let answer = try client.readResponse()
        #expect(answer.status == 413)
        // Whether the body will follow is unknown now, so the connection cannot go on.
        #expect(answer.values("Connection") == ["close"])
        #expect(client.ends())
        client.close()
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test func oldClientsGetNoInterimResponses() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            try wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            try wire.answer("ok")
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("GET / HTTP/1.0\r\n\r\n")
        #expect(try client.readResponse().status == 200)
        let modern = try gateway.connect()
        try modern.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try modern.readResponse().head == "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        #expect(try modern.readResponse().status == 200)
    }

    @Test func endlessInterimResponsesAreNonsense() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readRequest()
            for _ in 0..<100 { try wire.send("HTTP/1.1 102 Processing\r\n\r\n") }
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        var answer = try client.readResponse()
        while answer.status == 102 { answer = try client.readResponse() }
        #expect(answer.status == 502)
        #expect(answer.value("X-Penstock-Reason") == "upstream_invalid")
        try gateway.settles(clients: 1, idle: 0)
    }

    /// The connection lives on when the rest of a small body that nobody wants arrives a moment
    /// later.
    @Test func smallBodiesOfRefusedRequestsAreReadAway() throws {
        let world = try World(
            text: policyText([World.backendURL]).replacingOccurrences(
                of: "/*, pool", with: "/v1/*, pool"))
        world.echo()
        let client = world.connect()
        try client.send("POST /none HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
        let answer = try client.readResponse()
        #expect(answer.status == 404)
        #expect(answer.values("Connection").isEmpty)
        world.pass(milliseconds: 20)
        try client.send("0123456789")
        #expect(try client.get("/v1/a").status == 200)
        world.settles(clients: 1, idle: 1)
    }

    @Test func largeBodiesOfRefusedRequestsCloseTheConnection() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url], server: "max_body_size: 1KiB"))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\nabc")
        let answer = try client.readResponse()
        #expect(answer.status == 413)
        #expect(answer.values("Connection") == ["close"])
        #expect(answer.value("X-Penstock-Reason") == "body_too_large")
        #expect(client.ends())
        #expect(backend.acceptedCount == 0)
    }

    /// What stands in a body that is too large must never be read as the framing or the next
    /// request.
    @Test func aBodyThatIsTooLargeHidesNoRequest() throws {
        let world = try World(server: "max_body_size: 10B")
        world.echo()
        let client = world.connect()
        let hidden = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
        let size = String(hidden.utf8.count, radix: 16)
        try client.send(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "\(size)\r\n")
        world.pass(milliseconds: 30)
        try? client.send("\(hidden)\r\n0\r\n\r\n")
        #expect(try client.readResponse().status == 413)
        // Whatever comes now answers this request and no other.
        try? client.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n")
        let rest = (try? client.readResponse())?.status
        #expect(rest == 200 || rest == nil)
        #expect(!world.requests.contains { $0.startLine.contains("hidden") })
        #expect(world.requests.count <= 1)
    }

    @Test func aBodyWithBrokenChunksIsRefused() throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            _ = try wire.readToEnd()
        }
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX\r\n0\r\n\r\n"
        )
        let answer = try client.readResponse()
        #expect(answer.status == 400)
        #expect(answer.values("Connection") == ["close"])
        #expect(client.ends())
        client.close()
        try gateway.settles(clients: 0, idle: 0)
    }
}
