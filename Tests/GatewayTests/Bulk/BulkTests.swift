// A bulk request's way through the gateway, on the world's clock: when it is answered, when it is read, and what
// becomes of it when somebody is slow, leaves, or has to end.

import Admission
import Foundation
import Policy
import Testing

@testable import Gateway
@testable import Reactor
@testable import Telemetry
@testable import TestSupport

@Suite struct BulkTests {
    private static let classes =
        "priority: {classes: [people, {name: bulk, ceiling: 1}], default: people}"

    /// A gateway with the lane; one backend takes `limit` requests at once.
    private static func world(
        limit: Int = 4, server: String = "", bulk: String = ""
    ) throws -> World {
        try World(
            pool: "limit: \(limit), \(classes)", server: server,
            more: "bulk: {class: bulk\(bulk)}")
    }

    /// A client that has sent the head of a bulk request, and has the answer's.
    private static func begin(
        _ world: World, _ path: String = "/bulk", fields: String = ""
    ) throws -> ClientPeer {
        let client = world.connect()
        try client.send(
            "POST \(path) HTTP/1.1\r\nHost: h\r\n\(fields)Transfer-Encoding: chunked\r\n\r\n")
        let head = try client.read(until: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 "))
        #expect(head.contains("Content-Type: application/x-ndjson\r\n"))
        return client
    }

    private static func line(_ index: Int, filling: Int = 0) -> String {
        let text = String(repeating: "f", count: filling)
        return
            #"{"custom_id":"r\#(index)","method":"POST","url":"/v1/e","body":{"n":\#(index),"f":"\#(text)"}}"#
            + "\n"
    }

    private static func send(_ text: String, _ client: ClientPeer) throws {
        try client.send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n")
    }

    /// The next line that is not blank.
    private static func next(_ client: ClientPeer) throws -> [String: Any] {
        while true {
            let text = try client.read(until: "\n", within: 30)
            guard text.hasPrefix("{") else { continue }
            let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
            return value as? [String: Any] ?? [:]
        }
    }

    /// All lines up to the last one.
    private static func rest(_ client: ClientPeer) throws -> [[String: Any]] {
        var lines: [[String: Any]] = []
        repeat { lines.append(try next(client)) } while lines.last?["object"] == nil
        return lines
    }

    @Test func theHeadComesBeforeAnyLine() throws {
        let world = try Self.world()
        world.echo()
        let client = try Self.begin(world)
        #expect(world.requests.isEmpty)
        try Self.send(Self.line(0), client)
        let answer = try Self.next(client)
        #expect(answer["index"] as? Int == 0 && answer["custom_id"] as? String == "r0")
        #expect(answer["done_below"] as? Int == 1)
        let shown = world.gateway.report().bulk
        #expect(shown.count == 1 && shown[0].linesRead == 1 && shown[0].linesCompleted == 1)
        try client.send("0\r\n\r\n")
        let end = try Self.next(client)
        #expect(end["total"] as? Int == 1 && end["completed"] as? Int == 1)
        world.settles(clients: 1, idle: 1)
        #expect(world.gateway.report().bulk.isEmpty)
        // The connection serves whatever comes next.
        _ = try client.read(until: "0\r\n\r\n")
        #expect(try client.get("/x").status == 200)
    }

    /// A line's request is one of its class and has the bulk request's fields, but for those about its body.
    @Test func linesAreRequestsOfTheClient() throws {
        let world = try Self.world()
        world.echo()
        let client = try Self.begin(
            world,
            fields: "X-Team: a\r\nContent-Type: application/x-ndjson\r\nX-Request-ID: one\r\n")
        try Self.send(Self.line(0), client)
        _ = try Self.next(client)
        let request = try #require(world.requests.first)
        #expect(request.startLine == "POST /v1/e HTTP/1.1")
        #expect(request.value("X-Team") == "a")
        #expect(request.value("Content-Type") == "application/json")
        #expect(request.value("X-Request-ID") != "one")
        #expect(request.bodyText == #"{"n":0,"f":""}"#)
        #expect(world.metric { $0.classes[1].count(of: .forwarded, .none) } == 1)
    }

    /// What can be said of all lines is said before any; what a line itself says wrong, in its answer.
    @Test func pathsWithoutARoute() throws {
        let world = try World(
            text: policyText([World.backendURL], pool: "limit: 4, \(Self.classes)", more: "")
                .replacing("path: /*", with: "path: /v1/*") + "bulk: {class: bulk}\n")
        world.echo()
        let client = world.connect()
        try client.send("POST /bulk/elsewhere HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        #expect(try client.readResponse().status == 404)
        let other = try Self.begin(world, "/bulk/v1/e")
        try Self.send("{\"n\":1}\n", other)
        #expect(try Self.next(other)["error"] is NSNull)
        let third = try Self.begin(world)
        try Self.send(Self.line(0).replacing("/v1/e", with: "/elsewhere"), third)
        let response = try #require(try Self.next(third)["response"] as? [String: Any])
        #expect(response["status_code"] as? Int == 404)
    }

    /// Twice what runs, and not a line more, however much is there.
    @Test func noMoreIsReadThanIsAskedFor() throws {
        let world = try Self.world(limit: 8)
        var held: [Peer] = []
        world.serve { backend, _ in held.append(backend) }
        let client = try Self.begin(world)
        for index in 0..<2_000 { try Self.send(Self.line(index, filling: 200), client) }
        world.pass(milliseconds: 1_000)
        #expect(held.count == 8)
        #expect(world.gateway.report().bulk[0].linesRead == 16)
        #expect(client.connection.receivedBytes < 200_000, "the rest waits where it is")
        for backend in held { try backend.answer("{}") }
        world.pass(milliseconds: 100)
        #expect(held.count == 16)
        #expect(world.gateway.report().bulk[0].linesRead == 24)
        client.reset()
        world.settles(clients: 0)
        #expect(held.allSatisfy { $0.isClosed || world.inFlight == 0 })
    }

    /// Nothing is wrong with a client that is not asked for more.
    @Test func waitingForLinesIsNoTimeOutWhileLinesRun() throws {
        let world = try Self.world(server: "timeouts: {body_idle: 1s, body: 2s}")
        var held: [Peer] = []
        world.serve { backend, _ in held.append(backend) }
        let client = try Self.begin(world)
        try Self.send(Self.line(0), client)
        world.pass(milliseconds: 10_000)
        #expect(client.isOpen && held.count == 1)
        try held[0].answer("{}")
        #expect(try Self.next(client)["index"] as? Int == 0)
        // Now it is the client's turn.
        world.pass(milliseconds: 1_200)
        let end = try Self.next(client)
        #expect(end["code"] as? String == "client_timeout" && end["done_below"] as? Int == 1)
        world.settles(clients: 0)
    }

    @Test func silenceIsBrokenByABlankLine() throws {
        let world = try Self.world()
        world.serve { _, _ in }
        let client = try Self.begin(world)
        try Self.send(Self.line(0), client)
        #expect(client.isSilent(for: 14.5))
        #expect(try client.read(until: "\n\r\n", within: 1) == "1\r\n\n\r\n")
        #expect(client.isSilent(for: 14.5))
        #expect(try client.read(until: "\n\r\n", within: 1) == "1\r\n\n\r\n")
    }

    @Test func aGatewayThatDrainsAnswersWhatItHas() throws {
        let world = try Self.world(limit: 1)
        var held: [Peer] = []
        world.serve { backend, _ in held.append(backend) }
        let client = try Self.begin(world)
        for index in 0..<100 { try Self.send(Self.line(index), client) }
        world.turn { world.gateway.drain(handedOver: []) }
        var answered = 0
        while answered < held.count {
            try held[answered].answer("{}")
            answered += 1
            world.pass(milliseconds: 100)
        }
        let lines = try Self.rest(client)
        let end = try #require(lines.last)
        #expect(end["code"] as? String == "draining")
        #expect(end["total"] as? Int == lines.count - 1)
        #expect(lines.count - 1 >= answered && lines.count < 100)
    }

    /// Who leaves takes its lines along.
    @Test func aClientThatLeavesCancelsItsLines() throws {
        let world = try Self.world(limit: 4)
        var held: [Peer] = []
        world.serve { backend, _ in held.append(backend) }
        let client = try Self.begin(world)
        for index in 0..<20 { try Self.send(Self.line(index), client) }
        #expect(held.count == 4 && world.inFlight == 4)
        client.reset()
        world.settles(clients: 0, idle: 0)
        #expect(held.allSatisfy(\.isClosed) && held.count == 4)
        #expect(world.gateway.lanes.count == 0 && world.gateway.bulkRuns.count == 0)
    }

    /// A client that reads nothing before everything is sent is told, and may send its rest.
    @Test func halfDuplexClientsAreTold() throws {
        let world = try Self.world(limit: 64, bulk: ", stall: 5s")
        world.serve { backend, _ in try backend.answer(String(repeating: "a", count: 4_000)) }
        let client = try Self.begin(world)
        client.take(20_000)
        for index in 0..<2_000 { try Self.send(Self.line(index, filling: 100), client) }
        world.pass(milliseconds: 4_500)
        #expect(client.isOpen)
        let before = world.requests.count
        world.pass(milliseconds: 3_000)
        #expect(world.requests.count == before && before < 1_000)
        try client.send("0\r\n\r\n")
        client.take(100_000_000)
        let lines = try Self.rest(client)
        let end = try #require(lines.last)
        #expect(end["code"] as? String == "bulk_half_duplex")
        let doneBelow = try #require(end["done_below"] as? Int)
        #expect(doneBelow > 0 && doneBelow < 1_000)
        let indexes = Set(lines.compactMap { $0["index"] as? Int })
        #expect((0..<doneBelow).allSatisfy { indexes.contains($0) })
        world.settles(clients: 0)
    }

    /// In the order of lines, none is begun that could not be held back.
    @Test func orderIsKeptWithinAWindow() throws {
        let world = try Self.world(limit: 100)
        var first: Peer?
        world.serve { backend, request in
            if request.bodyText.contains(#""n":0,"#) {
                first = backend
            } else {
                try backend.answer("{}")
            }
        }
        let client = try Self.begin(world, "/bulk?order=input")
        for index in 0..<1_000 { try Self.send(Self.line(index), client) }
        world.pass(milliseconds: 1_000)
        #expect(world.gateway.report().bulk[0].linesRead == 256)
        #expect(client.isSilent(for: 0.1))
        try first?.answer("{}")
        for index in 0..<1_000 { #expect(try Self.next(client)["index"] as? Int == index) }
        client.reset()
        world.settles(clients: 0)
    }

    @Test func indexesGoOnBeyondThirtyTwoBits() throws {
        let world = try Self.world()
        world.echo()
        let first = 1 << 32 - 1
        let client = try Self.begin(world, "/bulk?from=\(first)&order=input")
        for index in 0..<3 { try Self.send(Self.line(index), client) }
        try client.send("0\r\n\r\n")
        let lines = try Self.rest(client)
        #expect(lines.dropLast().map { $0["index"] as? Int } == [first, first + 1, first + 2])
        #expect(lines.last?["done_below"] as? Int == first + 3)
        world.settles(clients: 1)
    }

    /// Any split of the bytes is the same request.
    @Test func linesMayComeByteByByte() throws {
        let world = try Self.world()
        world.echo()
        let client = try Self.begin(world)
        let text = Self.line(0) + "\r\n \n" + "{\n" + Self.line(1).dropLast() + "\r\n" + "[1]\n"
        for byte in text.utf8 { try Self.send(String(decoding: [byte], as: UTF8.self), client) }
        try client.send("0\r\n\r\n")
        let lines = try Self.rest(client)
        let codes = lines.dropLast().sorted { $0["index"] as? Int ?? 0 < $1["index"] as? Int ?? 0 }
            .map { ($0["error"] as? [String: Any])?["code"] as? String ?? "" }
        #expect(codes == ["", "invalid_json", "", "invalid_line"])
        #expect(lines.last?["total"] as? Int == 4)
        world.settles(clients: 1)
    }
}
