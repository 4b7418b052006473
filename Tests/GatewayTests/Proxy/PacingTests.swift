// Bodies that pass by a rate of bytes, on the world's clock.

import Admission
import Policy
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct PacingTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    private static func answer(_ count: Int, fields: String = "") -> String {
        "HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(count)\r\n\r\n"
            + String(repeating: "~", count: count)
    }

    private static func bytes(_ client: Peer) -> Int { client.got.utf8.count { $0 == 0x7e } }

    /// The burst, and then the rate: never more, and no less; the place of the limit is kept, and nobody's time is up.
    @Test func aResponsePassesByItsRate() throws {
        let world = try World(
            pool: "limit: 1, bytes_per_second: 100KiB, timeouts: {idle: 100ms}",
            server: "timeouts: {write_stall: 100ms}")
        let client = world.connect()
        try client.send(Self.get)
        try world.accept().send(Self.answer(1_000_000))
        for step in 0..<90 {
            let came = 65_536 + Double(102_400 * step) / 10
            #expect(Double(Self.bytes(client)) <= came)
            #expect(Double(Self.bytes(client)) >= came * 0.97 - 9_000)
            #expect(world.inFlight == 1)
            world.pass(milliseconds: 100)
        }
        world.pass(milliseconds: 400)
        #expect(Self.bytes(client) == 1_000_000)
        #expect(world.metric { $0.count(of: .success, .none) } == 1)
        #expect(world.metric { $0.pacedBytes } == [1_000_000, 0])
        let waited = world.metric { $0.pacedNanoseconds[0] }
        #expect((8_000_000_000...9_200_000_000).contains(waited), "\(waited)")
        world.settles(clients: 1, idle: 1)
    }

    @Test func aBodyPassesByItsRate() throws {
        let world = try World(
            pool: "bytes_per_second_up: 100KiB, timeouts: {first_byte: 100ms}",
            server: "body_before_queue: 0B, timeouts: {body_idle: 100ms}")
        let client = world.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n")
        try client.send(String(repeating: "~", count: 300_000))
        let backend = try world.accept()
        for step in 0..<22 {
            let came = 65_536 + Double(102_400 * step) / 10
            #expect(Double(Self.bytes(backend)) <= came)
            #expect(Double(Self.bytes(backend)) >= came * 0.97 - 9_000)
            world.pass(milliseconds: 100)
        }
        // The backend has its time from the last byte on.
        world.pass(milliseconds: 150)
        #expect(Self.bytes(backend) == 300_000)
        try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        #expect(try client.readResponse().status == 200)
        world.settles(clients: 1, idle: 1)
    }

    /// Bodies that were read whole before they queued wait for their turn with their head, and nobody is late for it.
    @Test func bodiesThatAreHeldPassByTheirRate() throws {
        let world = try World(
            pool: "limit: 10, bytes_per_second_up: 100KiB, timeouts: {first_byte: 100ms}")
        world.serve { backend, _ in try backend.answer("") }
        for _ in 0..<10 {
            let client = world.connect()
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n")
            try client.send(String(repeating: "~", count: 50_000))
        }
        for step in 0..<48 {
            let sent = world.requests.reduce(0) { $0 + $1.body.count }
            #expect(Double(sent) <= 65_536 + Double(102_400 * step) / 10)
            world.pass(milliseconds: 100)
        }
        #expect(world.requests.count == 10, "each was sent when there was enough for all of it")
        #expect(world.metric { $0.pacedBytes[1] } == 500_000)
        #expect(world.metric { $0.count(of: .success, .none) } == 10)
    }

    /// What goes to a second backend after the first one failed is paced as what went to the first.
    @Test func bodiesThatAreSentAgainPassByTheirRate() throws {
        let world = try World(
            text: """
                version: 1
                listen: [127.0.0.1:0]
                admin: off
                log: {access: off}
                pools:
                  main:
                    backends: ["http://127.0.0.1:9", "http://127.0.0.2:9"]
                    bytes_per_second_up: 100KiB
                routes:
                  - {path: /*, pool: main}
                """)
        let client = world.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n")
        try client.send(String(repeating: "~", count: 60_000))
        let first = try world.accept()
        #expect(Self.bytes(first) == 60_000)
        try first.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        let second = try world.accept()
        #expect(Self.bytes(second) == 0)
        world.pass(milliseconds: 400)
        #expect(Self.bytes(second) < 60_000)
        world.pass(milliseconds: 300)
        #expect(Self.bytes(second) == 60_000)
        #expect(world.metric { $0.pacedBytes[1] } == 120_000)
        try second.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        #expect(try client.readResponse().status == 200)
    }

    /// A deadline counts while the body waits for its rate.
    @Test(arguments: ["", "body_before_queue: 0B, timeouts: {body_idle: 100ms}"])
    func aDeadlineHoldsWhileABodyWaits(_ server: String) throws {
        let world = try World(pool: "bytes_per_second_up: 10KiB", server: server)
        let client = world.connect()
        try client.send(
            "POST / HTTP/1.1\r\nHost: h\r\nX-Request-Timeout: 2\r\nContent-Length: 200000\r\n\r\n")
        try client.send(String(repeating: "~", count: 200_000))
        _ = try world.accept()
        world.pass(milliseconds: 1_900)
        #expect(world.inFlight == 1)
        world.pass(milliseconds: 300)
        let response = try client.readResponse()
        #expect(response.status == 504)
        #expect(response.value("X-Penstock-Reason") == "deadline_passed")
        #expect(world.inFlight == 0)
    }

    /// Chunks, whose framing is not counted.
    @Test func chunksPassByTheirRate() throws {
        let world = try World(pool: "bytes_per_second: 100KiB")
        let client = world.connect()
        try client.send(Self.get)
        let backend = try world.accept()
        try backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<20_000 { try backend.send("a\r\n~~~~~~~~~~\r\n") }
        try backend.send("0\r\n\r\n")
        world.pass(milliseconds: 500)
        #expect((100_000...116_736).contains(Self.bytes(client)))
        world.pass(milliseconds: 1_000)
        #expect(Self.bytes(client) == 200_000)
        #expect(world.metric { $0.pacedBytes[0] } == 200_000)
        world.settles(clients: 1, idle: 1)
    }

    /// Events, heads without bodies and other pools' responses do not wait while another one does.
    @Test func eventsAndHeadsDoNotWait() throws {
        let world = try World(pool: "bytes_per_second: 1KiB")
        let long = world.connect()
        try long.send(Self.get)
        try world.accept().send(Self.answer(1_000_000))
        let events = world.connect()
        try events.send(Self.get)
        let second = try world.accept()
        try second.send(Self.answer(50_000, fields: "Content-Type: text/event-stream\r\n"))
        #expect(Self.bytes(events) == 50_000)
        let empty = world.connect()
        try empty.send(Self.get)
        try second.send("HTTP/1.1 204 No Content\r\n\r\n")
        #expect(try empty.readResponse().status == 204)
        #expect(Self.bytes(long) <= 65_536)
    }

    /// What was not used goes back when a client leaves, and the next one has it.
    @Test func whoLeavesGivesBack() throws {
        let world = try World(pool: "bytes_per_second: 100KiB")
        for _ in 0..<20 {
            let client = world.connect()
            try client.send(Self.get)
            let backend = try world.accept()
            try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n~")
            client.close()
            backend.close()
            world.settles(clients: 0, idle: 0)
        }
        let client = world.connect()
        try client.send(Self.get)
        try world.accept().send(Self.answer(60_000))
        #expect(Self.bytes(client) == 60_000, "nothing was lost of the burst")
    }

    /// A client that is slow beside has its own time-outs, and no more than it takes is fetched for it.
    @Test func aSlowClientTakesNothingFromAnother() throws {
        let world = try World(pool: "bytes_per_second: 1MiB")
        let slow = world.connect()
        slow.take(0)
        try slow.send(Self.get)
        try world.accept().send(Self.answer(3_000_000))
        let fast = world.connect()
        try fast.send(Self.get)
        try world.accept().send(Self.answer(3_000_000))
        world.pass(milliseconds: 2_000)
        let share = Self.bytes(fast)
        // The slow one's response is taken ahead of it up to a bound.
        #expect(share >= 1_048_576 - 80_000, "\(share)")
        world.pass(milliseconds: 2_000)
        #expect(Self.bytes(fast) == 3_000_000)
        #expect(slow.isOpen)
    }

    /// A reload holds for what begins after it, and for rates that bodies under way have.
    @Test func aReloadChangesTheRate() throws {
        let text = { (rate: String) in
            policyText([World.backendURL], pool: "limit: 100, \(rate)")
        }
        let world = try World(text: text("bytes_per_second: 100KiB"))
        let client = world.connect()
        try client.send(Self.get)
        try world.accept().send(Self.answer(1_000_000))
        world.pass(milliseconds: 1_000)
        let before = Self.bytes(client)
        world.pool.admission.byteRates.reconfigure(
            try PolicyLoader.load(text: text("bytes_per_second: 300KiB"), file: "p").pools[0])
        world.pass(milliseconds: 1_000)
        #expect(abs(Self.bytes(client) - before - 307_200) < 20_000)
        world.pool.admission.byteRates.reconfigure(
            try PolicyLoader.load(text: text("queue: {}"), file: "p").pools[0])
        world.pass(milliseconds: 100)
        #expect(Self.bytes(client) == 1_000_000)
        world.settles(clients: 1, idle: 1)
    }
}
