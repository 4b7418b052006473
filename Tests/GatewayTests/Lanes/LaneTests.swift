// Requests without clients' sockets, against a gateway in memory.

import Admission
import Foundation
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct LaneTests {
    private static let slack =
        "priority: {classes: [people, {name: bulk, slack: true, ceiling: 1}], default: people}"

    private func world(_ pool: String = "limit: 4", server: String = "") throws -> World {
        try World(pool: "\(pool), \(LaneTests.slack)", server: server)
    }

    /// Backends that have been asked and have not answered.
    private final class Held {
        var all: [(Peer, Message)] = []
        func serve(_ world: World) { world.serve { self.all.append(($0, $1)) } }
        func answer(_ count: Int = .max, status: Int = 200, fields: String = "") throws {
            for _ in 0..<min(count, all.count) {
                let (backend, request) = all.removeFirst()
                try backend.answer(request.bodyText, status: status, fields: fields)
            }
        }
    }

    @Test func requestsPassAsClientsDo() throws {
        let world = try world()
        world.echo()
        let bodies = (0..<50).map { String(repeating: "\($0) ", count: 1 + $0 * $0) }
        let source = LaneSource(world, bodies)
        try world.wait(for: "answers") { source.results.count == 50 }
        for (index, body) in bodies.enumerated() { #expect(source.answers[index] == body) }
        #expect(source.statuses.allSatisfy { $0 == 200 })
        #expect(source.results.allSatisfy { $0.requestID.count == 32 && $0.tries == 1 })
        #expect(world.metric { $0.classes[1].count(of: .forwarded, .none) } == 50)
        #expect(world.metric { $0.classes[0].count(of: .forwarded, .none) } == 0)
        #expect(
            world.metric { $0.queueWait.count } == 0,
            "who gets what is left waits as long as it takes")
        #expect(source.lane.openCount == 0)
        #expect(world.inFlight == 0)
        source.lane.cancel()
        #expect(world.holdings.isSettled(clients: 0, idle: nil))
        #expect(world.gateway.lanes.count == 0)
        #expect(world.gateway.group.isDeserted)
    }

    /// Twice what is worked on, so that one waits for each place that comes free, and four at first.
    @Test(arguments: [1, 2, 8, 40])
    func theWindowFollowsTheLimit(_ limit: Int) throws {
        let world = try world("limit: \(limit)")
        let held = Held()
        held.serve(world)
        let source = LaneSource(world, Array(repeating: "x", count: 1000))
        world.pass(milliseconds: 2000)
        #expect(held.all.count == limit)
        #expect(source.lane.openCount == max(4, 2 * limit))
        #expect(source.mostOpen == max(4, 2 * limit))
        while source.results.count < 500 {
            try held.answer()
            world.pass(milliseconds: 10)
        }
        #expect(source.mostOpen <= max(4, 2 * limit))
        source.lane.cancel()
    }

    @Test func peopleGoFirst() throws {
        let world = try world("limit: 2")
        let held = Held()
        held.serve(world)
        let source = LaneSource(world, Array(repeating: "x", count: 100))
        world.pass(milliseconds: 100)
        let clients = (0..<6).map { _ in world.connect() }
        for client in clients { try client.send("GET /p HTTP/1.1\r\nHost: h\r\n\r\n") }
        var seen = 0
        for _ in 0..<4 {
            try held.answer()
            world.pass(milliseconds: 10)
            seen += held.all.count { $0.1.startLine.hasPrefix("GET") }
        }
        #expect(seen == 6)
        #expect(source.results.count == 2)
        for client in clients { #expect(try client.readResponse().status == 200) }
        source.lane.cancel()
    }

    /// A client that waited as long would be refused after two seconds.
    @Test func itWaitsForHours() throws {
        let world = try world("limit: 1, timeouts: {first_byte: 1h}")
        let held = Held()
        held.serve(world)
        let source = LaneSource(world, ["a", "b"])
        for _ in 0..<60 { world.jump(milliseconds: 25_000) }
        #expect(source.results.isEmpty && held.all.count == 1)
        try held.answer()
        world.pass(milliseconds: 50)
        try held.answer()
        world.pass(milliseconds: 50)
        #expect(source.statuses == [200, 200])
    }

    @Test(arguments: [429, 503, 529])
    func whatPassesIsTriedAgain(_ status: Int) throws {
        let world = try world()
        var count = 0
        world.serve { backend, request in
            count += 1
            try backend.answer("", status: count < 3 ? status : 200, fields: "Retry-After: 2\r\n")
        }
        let source = LaneSource(world, ["a"])
        world.pass(milliseconds: 1900)
        #expect(count == 1)
        try world.wait(for: "the end", within: 10) { source.results.count == 1 }
        #expect(count == 3)
        #expect(source.results[0].tries == 3 && source.statuses == [200])
    }

    @Test func threeTriesAreMade() throws {
        let world = try world()
        world.serve { backend, _ in try backend.answer("later", status: 503) }
        let source = LaneSource(world, ["a"])
        try world.wait(for: "the end", within: 30) { source.results.count == 1 }
        #expect(source.results[0].tries == 3 && source.statuses == [503])
        #expect(source.answers[0] == "later")
    }

    @Test(arguments: [400, 404, 500])
    func othersAreNotTriedAgain(_ status: Int) throws {
        let world = try world()
        world.serve { backend, _ in try backend.answer("no", status: status) }
        let source = LaneSource(world, ["a"])
        try world.wait(for: "the end") { source.results.count == 1 }
        #expect(source.results[0].tries == 1 && source.statuses == [status])
    }

    /// Who had to make room was not tried.
    @Test func makingRoomIsNoTry() throws {
        let world = try world("limit: 1, queue: {max_requests: 3}")
        let held = Held()
        held.serve(world)
        let source = LaneSource(world, ["a", "b", "c", "d"])
        world.pass(milliseconds: 100)
        #expect(world.queued == 3)
        let clients = (0..<3).map { _ in world.connect() }
        for client in clients { try client.send("GET /p HTTP/1.1\r\nHost: h\r\n\r\n") }
        world.pass(milliseconds: 100)
        #expect(world.queued == 3)
        #expect(source.results.isEmpty)
        #expect(world.metric { $0.classes[1].count(of: .yielded, .displaced) } == 3)
        #expect(world.metric { $0.count(of: .rejected, .displaced) } == 0)
        while source.results.count < 4 {
            try held.answer()
            world.pass(milliseconds: 50)
        }
        #expect(source.statuses == [200, 200, 200, 200])
        #expect(source.results.allSatisfy { $0.tries == 1 })
        for client in clients { #expect(try client.readResponse().status == 200) }
    }

    @Test func longAnswersAreGivenUp() throws {
        let world = try world()
        world.serve { backend, _ in
            try backend.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n".utf8))
            try backend.send([UInt8](repeating: 120, count: 200_000))
        }
        var settings = LaneSettings()
        settings.mostAnswerBytes = 100_000
        let source = LaneSource(world, ["a"], settings)
        try world.wait(for: "the end") { source.results.count == 1 }
        #expect(source.results[0].failure == .tooLarge)
        #expect(source.results[0].body.isEmpty)
        world.pass(milliseconds: 100)
        #expect(world.inFlight == 0)
        #expect(world.backends.allSatisfy { $0.isClosed })
    }

    /// Answers that nobody takes keep others from being asked for.
    @Test func answersHaveABound() throws {
        let world = try world("limit: 100")
        world.serve { backend, _ in try backend.answer(String(repeating: "x", count: 10_000)) }
        var settings = LaneSettings()
        settings.mostHeldBytes = 200_000
        let source = LaneSource(
            world, Array(repeating: "a", count: 1000), settings, releases: false)
        world.pass(milliseconds: 5000)
        let held = source.results.reduce(0) { $0 + $1.body.count }
        #expect((100_000...330_000).contains(held))
        #expect(source.lane.demand == 0)
        world.turn { source.lane.release(bytes: held) }
        world.pass(milliseconds: 1000)
        #expect(source.results.reduce(0) { $0 + $1.body.count } > held)
    }

    @Test func cancellingLeavesNothing() throws {
        let world = try world("limit: 3")
        let held = Held()
        held.serve(world)
        let source = LaneSource(world, Array(repeating: "x", count: 100))
        world.pass(milliseconds: 500)
        #expect(held.all.count == 3 && world.queued == 3)
        world.turn { source.lane.cancel() }
        world.turn { source.lane.cancel() }
        world.pass(milliseconds: 100)
        #expect(source.results.isEmpty)
        #expect(world.queued == 0)
        #expect(world.gateway.openExchangeCount == 0)
        #expect(world.gateway.group.isDeserted)
        #expect(world.gateway.lanes.count == 0)
    }

    /// A pool without backends, and one that answers.
    private func twoPools() throws -> World {
        try World(
            text: """
                version: 1
                listen: [127.0.0.1:0]
                admin: off
                log: {access: off}
                workers: {listen: 127.0.0.1:0, keys: workers.keys}
                pools:
                  main: {backends: ["http://127.0.0.1:9"], limit: 4, \(LaneTests.slack)}
                  none: {workers: {}, queue: {cold_wait: 0s}, \(LaneTests.slack)}
                routes:
                  - {path: /none, pool: none}
                  - {path: /*, pool: main}
                """)
    }

    @Test func aPoolWithoutBackendsHoldsUpNoOther() throws {
        let world = try twoPools()
        world.echo()
        let away = (0..<20).map { "a\($0)" }
        let here = (0..<20).map { "h\($0)" }
        let source = LaneSource(
            world, zip(away, here).flatMap { [$0, $1] },
            paths: Array(repeating: ["/none", "/x"], count: 20).flatMap(\.self))
        try world.wait(for: "the answers of the other pool", within: 2) {
            source.results.count == 20
        }
        #expect(source.answers.values.sorted() == here.sorted())
        #expect(source.lane.openCount == 20)
        world.pass(milliseconds: 5000)
        #expect(source.results.count == 20)
        world.turn { source.lane.cancel() }
        #expect(world.gateway.group.isDeserted)
    }

    /// Beyond a bound they hold up the others after all.
    @Test func thoseThatWaitForBackendsHaveABound() throws {
        let world = try twoPools()
        world.echo()
        var settings = LaneSettings()
        settings.mostSetAside = 8
        let source = LaneSource(
            world, Array(repeating: "x", count: 100), path: "/none", settings)
        world.pass(milliseconds: 5000)
        #expect((9...12).contains(source.lane.openCount))
        settings.mostSetAside = 64
        settings.mostSetAsideBytes = 20
        let long = LaneSource(
            world, Array(repeating: "xxxxxxxxxx", count: 100), path: "/none", settings)
        world.pass(milliseconds: 5000)
        #expect((3...6).contains(long.lane.openCount))
        for source in [source, long] { world.turn { source.lane.cancel() } }
    }

    @Test func whatNobodyWaitsForIsEnded() throws {
        let world = try world("limit: 2")
        let held = Held()
        held.serve(world)
        let source = LaneSource(world, Array(repeating: "x", count: 4))
        world.pass(milliseconds: 100)
        #expect(held.all.count == 2 && world.queued == 2)
        // One that runs, and one that waits.
        world.turn { source.lane.cancel([0, 2]) }
        world.pass(milliseconds: 100)
        #expect(held.all.count == 3 && world.queued == 0 && world.inFlight == 2)
        #expect(source.lane.openCount == 2)
        try held.all[1].0.answer("")
        try held.all[2].0.answer("")
        try world.wait(for: "the others") { source.results.count == 2 }
        #expect(source.results.map(\.key).sorted() == [1, 3])
        #expect(world.gateway.group.isDeserted)
    }

    /// Nobody has taken the answers yet when it turns out that nobody waits for them.
    @Test(arguments: [200, 503]) func whatIsAnsweredAndNotTakenIsEndedToo(_ status: Int) throws {
        let world = try world("limit: 2")
        let held = Held()
        held.serve(world)
        let source = LaneSource(world, ["a", "b"])
        world.pass(milliseconds: 100)
        #expect(held.all.count == 2)
        let (first, second) = (held.all[0], held.all[1])
        let key = first.1.bodyText == "a" ? 0 : 1
        held.all.removeAll()
        var problem: (any Error)?
        world.turn {
            do { try first.0.answer("", status: status) } catch { problem = error }
            source.lane.cancel([key])
        }
        #expect(problem == nil)
        #expect(source.lane.openCount == 1)
        world.pass(milliseconds: 5000)
        #expect(held.all.isEmpty && source.results.isEmpty)
        try second.0.answer("")
        try world.wait(for: "the other") { source.results.count == 1 }
        #expect(source.results.map(\.key) == [1 - key])
        #expect(source.lane.openCount == 0)
        #expect(world.gateway.group.isDeserted)
    }

    /// What is answered at once calls nobody from within itself.
    @Test func instantAnswersDoNotRecur() throws {
        let world = try World(
            text: """
                version: 1
                listen: [127.0.0.1:0]
                admin: off
                log: {access: off}
                pools:
                  main: {backends: ["http://127.0.0.1:9"], limit: 4, \(LaneTests.slack)}
                routes:
                  - {path: /only, pool: main}
                """)
        let source = LaneSource(world, Array(repeating: "", count: 20_000))
        try world.wait(for: "all answers", within: 600) { source.results.count == 20_000 }
        #expect(source.statuses.allSatisfy { $0 == 404 })
        #expect(source.mostDepth == 1)
    }

    @Test func tenantsAndClassesAreThePolicys() throws {
        let world = try World(
            pool: "limit: 4, priority: {classes: [people, {name: bulk, slack: true}]}, "
                + "tenant: {header: x-tenant, named: [{name: night, max_queued: 0}]}")
        world.echo()
        let source = LaneSource(world, ["a", "b"], tenant: "night")
        try world.wait(for: "answers") { source.results.count == 2 }
        let night = world.pool.admission.tenants(first: 10).first { $0.name == "night" }
        #expect(night?.counts.requests == 2)
    }

    @Test func itEndsWithADrain() throws {
        let world = try world("limit: 1")
        let held = Held()
        held.serve(world)
        let source = LaneSource(world, ["a", "b", "c", "d", "e", "f"])
        world.pass(milliseconds: 100)
        world.turn { world.gateway.drain(handedOver: []) }
        #expect(source.lane.demand == 0)
        #expect(!world.gateway.group.isDeserted)
        while source.lane.openCount > 0 {
            try held.answer()
            world.pass(milliseconds: 20)
        }
        #expect(source.statuses == [200, 200, 200, 200])
        #expect(world.gateway.group.isDeserted)
    }
}
