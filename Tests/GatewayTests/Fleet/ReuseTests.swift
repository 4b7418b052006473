// Backends that end their connections after a response without having said so: what was written to
// such a connection is sent again, and in time nothing is written to one.

import Admission
import Foundation
import Synchronization
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct ReuseTests {
    /// A backend that ends each connection so long after its `uses`th response.
    private func endingBackend(
        afterMicroseconds delay: UInt32, uses: Int = 1, log: RequestLog = RequestLog()
    ) throws -> ScriptedBackend {
        try ScriptedBackend(log: log) { wire, _ in
            for _ in 0..<uses {
                let request = try wire.readRequest(within: 60)
                log.note(request)
                try wire.answer(request.bodyText)
            }
            // The end is to meet the next request on its way, where only time can bring it.
            if delay > 0 { usleep(delay) }
        }
    }

    private static func post(_ path: String, _ body: String) -> String {
        "POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test(arguments: [0, 100, 500], [1, 2])
    func noRequestIsLostUnderLoad(delay: UInt32, uses: Int) throws {
        let backend = try endingBackend(afterMicroseconds: delay, uses: uses)
        let gateway = try RunningGateway(policyText([backend.url]))
        let statuses = Mutex<[Int: Int]>([:])
        let ends = (0..<8).map { _ in Handover<Bool>() }
        for (number, end) in ends.enumerated() {
            let client = try gateway.connect()
            onThread {
                defer { end.give(true) }
                for turn in 0..<60 {
                    let body = String(repeating: "\(number)", count: 100 + 97 * turn)
                    do {
                        try client.send(ReuseTests.post("/v1/completions", body))
                        let answer = try client.readResponse()
                        let status = answer.bodyText == body ? answer.status : -answer.status
                        statuses.withLock { $0[status, default: 0] += 1 }
                    } catch {
                        statuses.withLock { $0[0, default: 0] += 1 }
                    }
                }
            }
        }
        for end in ends { _ = try end.take("a client's end", within: 60) }
        #expect(statuses.withLock { $0 } == [200: 480])
    }

    /// The end that comes in the same turn as the next request is known before that is forwarded.
    @Test func anEndInTheSameTurnIsSeenFirst() throws {
        let go = Door()
        let hasEnded = Door()
        let log = RequestLog()
        let backend = try ScriptedBackend(log: log) { wire, number in
            let request = try wire.readRequest()
            log.note(request)
            try wire.answer("\(number)")
            if number == 0 {
                try go.pass()
                wire.close()
                hasEnded.open()
            }
        }
        let gateway = try RunningGateway(policyText([backend.url]), threads: 1)
        let client = try gateway.connect()
        #expect(try client.get("/").bodyText == "0")
        try gateway.settles(clients: 1, idle: 1)
        let awake = Door()
        let stands = Door()
        onThread {
            _ = try? gateway.ask { _ in
                stands.open()
                try? awake.pass("the end of a standstill")
            }
        }
        try stands.pass("a standstill")
        // The client's event is reported first, the backend's end behind it.
        try client.send(ReuseTests.post("/", "x"))
        go.open()
        try hasEnded.pass("the backend's end")
        awake.open()
        #expect(try client.readResponse().bodyText == "1")
        #expect(try gateway.metric { $0.retries } == 0)
    }

    /// A reset says nothing of what was read before it; a computation may be repeated all the same, within
    /// the budget.
    @Test func computationsAreRepeatedWithinTheBudget() throws {
        let log = RequestLog()
        let backend = try ScriptedBackend(log: log) { wire, number in
            let request = try wire.readRequest()
            log.note(request)
            try wire.answer("\(number)")
            _ = try wire.receive(within: 60)
            wire.reset()
        }
        let gateway = try RunningGateway(policyText([backend.url]), threads: 1)
        let client = try gateway.connect()
        let body = String(repeating: "x", count: 40_000)
        var statuses: [Int: Int] = [:]
        for _ in 0..<60 {
            try client.send(ReuseTests.post("/v1/chat/completions", body))
            let answer = try client.readResponse()
            statuses[answer.status, default: 0] += 1
            if answer.status == 200 { #expect(log.requests.last?.bodyText == body) }
        }
        // Some are repeated, then the budget is used up; in the end no connection is used twice.
        #expect(try gateway.metric { $0.retries } >= 4)
        try client.send(ReuseTests.post("/v1/files", body))
        _ = try client.readResponse()
        #expect(statuses[200, default: 0] > 45)
    }

    /// What makes something is not repeated when it may have been begun.
    @Test(arguments: ["/v1/files", "/v1/batches", "/v2/repository/models/m/load", "/other"])
    func whatMakesSomethingIsNotRepeated(path: String) throws {
        let log = RequestLog()
        let backend = try ScriptedBackend(log: log) { wire, _ in
            log.note(try wire.readRequest())
            try wire.answer("ok")
            _ = try wire.receive(within: 60)
            wire.reset()
        }
        let gateway = try RunningGateway(policyText([backend.url]), threads: 1)
        let client = try gateway.connect()
        #expect(try client.get("/").status == 200)
        try client.send(ReuseTests.post(path, "body"))
        #expect(try client.readResponse().value("X-Penstock-Reason") == "upstream_closed")
        #expect(log.requests.count == 1)
        try gateway.settles(clients: 1, idle: 0)
    }

    /// Chunks are sent again as they were.
    @Test func aBodyInChunksIsSentAgain() throws {
        let log = RequestLog()
        let backend = try ScriptedBackend(log: log) { wire, number in
            log.note(try wire.readRequest())
            try wire.answer("\(number)")
            _ = try wire.receive(within: 60)
            wire.reset()
        }
        let gateway = try RunningGateway(policyText([backend.url]), threads: 1)
        let client = try gateway.connect()
        #expect(try client.get("/").status == 200)
        try client.send(
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        #expect(try client.readResponse().bodyText == "1")
        #expect(log.requests.last?.bodyText == "hello world")
        #expect(try gateway.ask { $0.bodyMemory.keptBytes } == 0)
    }

    /// Where connections are ended after every response they are not kept.
    @Test func connectionsThatDoNotLastAreNotKept() throws {
        let backend = try endingBackend(afterMicroseconds: 300)
        let gateway = try RunningGateway(policyText([backend.url]), threads: 1)
        let client = try gateway.connect()
        // What may always be repeated: on a busy machine an end may come between a request and its response.
        for _ in 0..<20 {
            #expect(try client.get("/").status == 200)
            try eventually("the connection has ended") { try gateway.holdings().upstreamOpen == 0 }
        }
        let reuses = try gateway.ask { gateway in
            gateway.pools[0].upstreams[0]?.reusesConnections
        }
        #expect(reuses == false)
    }
}

@Suite struct ReuseHabitTests {
    private static let second: Int64 = 1_000_000_000
    private static func at(_ seconds: Double) -> Instant {
        Instant(nanoseconds: Int64(seconds * 1e9))
    }

    /// A habit that has just turned off, at second 0.
    private func turnedOff() -> ReuseHabit {
        var habit = ReuseHabit()
        for number in 0..<8 {
            #expect(!habit.isOff)
            let turnsOff = habit.ended(afterResting: 1_000, now: Self.at(0))
            #expect(turnsOff == (number == 7))
        }
        return habit
    }

    @Test func halfOfTheLatestDecide() {
        var habit = ReuseHabit()
        for _ in 0..<100 {
            habit.lasted()
            habit.lasted()
            let turnsOff = habit.ended(afterResting: 1_000, now: Self.at(0))
            #expect(!turnsOff)
        }
        #expect(habit.isDoubtful && !habit.isOff)
        for _ in 0..<8 { _ = habit.ended(afterResting: 1_000, now: Self.at(0)) }
        #expect(habit.isOff)
    }

    @Test func anEndAfterALongRestSaysNothing() {
        var habit = ReuseHabit()
        for _ in 0..<100 {
            let turnsOff = habit.ended(afterResting: Self.second, now: Self.at(0))
            #expect(!turnsOff)
        }
        #expect(!habit.isDoubtful)
    }

    @Test func aTrialThatLastsTurnsItOnAgain() {
        var habit = turnedOff()
        let trials = [4.0, 5, 5].map { habit.beginsTrial(now: Self.at($0)) }
        #expect(trials == [false, true, false])
        #expect(!habit.hasLasted(Self.second / 2) && habit.hasLasted(Self.second))
        habit.resume()
        #expect(!habit.isOff && !habit.isDoubtful)
    }

    @Test func trialsThatFailGrowRarer() {
        var habit = turnedOff()
        var last = 0.0
        for pause in [5.0, 10, 20, 40, 60, 60] {
            let trials = [0.1, 0].map { habit.beginsTrial(now: Self.at(last + pause - $0)) }
            #expect(trials == [false, true])
            last += pause
            let turnsOff = habit.ended(afterResting: 1_000, now: Self.at(last))
            #expect(!turnsOff && habit.isOff)
        }
    }
}
