// Requests that workers serve, and what becomes of them when a worker goes away, step by step.

import Testing

@testable import Gateway
@testable import Reactor
@testable import Telemetry
@testable import TestSupport

@Suite struct WorkerLaneTests {
    private static let post =
        "POST /once HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
    private static let chat =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        + "Content-Length: 13\r\n\r\n{\"model\":\"m\"}"

    @Test func aBodyFollowsWhenTheWorkerHasAPlace() throws {
        let world = try World.withWorkers()
        let worker = try world.worker()
        #expect(world.credits == 1)
        let client = world.connect()
        try client.send(Self.post)
        var request = try worker.readHead()
        #expect(request.startLine == "POST /once HTTP/1.1")
        #expect(request.values("Expect") == ["100-continue"])
        #expect(request.values("Penstock-Queue") == ["0"])
        #expect(worker.isSilent(for: 1))
        try worker.grant(&request)
        #expect(request.bodyText == "body")
        try worker.answer("done")
        let answer = try client.readResponse()
        #expect(answer.status == 200 && answer.bodyText == "done")
        // The same connection is the next one's.
        try client.send("GET /two HTTP/1.1\r\nHost: h\r\n\r\n")
        let second = try worker.readRequest()
        #expect(second.startLine == "GET /two HTTP/1.1" && second.values("Expect").isEmpty)
        try worker.answer("two")
        #expect(try client.readResponse().bodyText == "two")
        #expect(world.credits == 1 && world.inFlight == 0)
    }

    @Test func aClientThatWaitsToBeAskedIsAskedByTheWorker() throws {
        let world = try World.withWorkers()
        let worker = try world.worker()
        let client = world.connect()
        try client.send(
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        var request = try worker.readHead()
        #expect(request.values("Expect") == ["100-continue"])
        #expect(client.isSilent(for: 1))
        try worker.send("HTTP/1.1 100 Continue\r\n\r\n")
        #expect(try client.readResponse().status == 100)
        try client.send("hi")
        try worker.readBody(of: &request)
        #expect(request.bodyText == "hi")
        try worker.answer("", status: 201)
        #expect(try client.readResponse().status == 201)
    }

    /// Whatever the method: nobody has begun.
    @Test func beforeItsGrantARequestGoesElsewhere() throws {
        let world = try World.withWorkers()
        let first = try world.worker("first")
        let client = world.connect()
        try client.send(Self.post)
        _ = try first.readHead()
        first.close()
        #expect(world.credits == 0 && world.queued == 1)
        let second = try world.worker("second")
        var request = try second.readHead()
        try second.grant(&request)
        #expect(request.bodyText == "body")
        try second.answer("done")
        #expect(try client.readResponse().bodyText == "done")
        #expect(world.metric { $0.workerReturns } == 1)
        #expect(world.metric { $0.retries } == 0)
    }

    @Test func afterItsGrantOnlyWhatDoesNoHarmGoesElsewhere() throws {
        for (text, isRepeated) in [(Self.post, false), (Self.chat, true)] {
            let world = try World.withWorkers()
            let first = try world.worker("first")
            let client = world.connect()
            try client.send(text)
            var request = try first.readHead()
            try first.grant(&request)
            let second = try world.worker("second")
            first.reset()
            guard isRepeated else {
                let answer = try client.readResponse()
                #expect(answer.status == 502)
                #expect(answer.value("X-Penstock-Reason") == "worker_lost")
                continue
            }
            var again = try second.readHead()
            try second.grant(&again)
            #expect(again.body == request.body)
            // Once more, and no further.
            second.reset()
            #expect(try client.readResponse().status == 502)
        }
    }

    @Test func aWorkerThatDoesNotTakeARequestIsNotWaitedFor() throws {
        let world = try World.withWorkers()
        let slow = try world.worker("slow")
        let client = world.connect()
        try client.send(Self.post)
        _ = try slow.readHead()
        let quick = try world.worker("quick")
        world.pass(milliseconds: 4_000)
        #expect(!slow.isClosed)
        // The other one rests, and is asked for a sign of life meanwhile.
        world.pass(milliseconds: 1_500)
        #expect(try quick.readRequest().startLine == "OPTIONS * HTTP/1.1")
        try quick.answer(status: 204)
        world.pass(milliseconds: 4_400)
        #expect(!slow.isClosed)
        world.pass(milliseconds: 200)
        #expect(slow.isClosed)
        var request = try quick.readHead()
        try quick.grant(&request)
        try quick.answer("done")
        #expect(try client.readResponse().bodyText == "done")
    }

    /// Its connection cannot be used again: the body that was announced has not come.
    @Test func anAnswerInsteadOfAGrantIsTheAnswer() throws {
        let world = try World.withWorkers()
        let worker = try world.worker()
        let client = world.connect()
        try client.send(Self.post)
        _ = try worker.readHead()
        try worker.answer("no", status: 400)
        #expect(try client.readResponse().status == 400)
        #expect(worker.isClosed && world.credits == 0)
    }

    @Test func twoMissingSignsOfLifeAreTheEnd() throws {
        let world = try World.withWorkers()
        let workers = [try world.worker(), try world.worker(), try world.worker()]
        let client = world.connect()
        try client.send(Self.chat)
        // The one that was opened last is used first.
        var request = try workers[2].readHead()
        try workers[2].grant(&request)
        world.pass(milliseconds: 4_900)
        #expect(workers.allSatisfy { $0.isSilent(for: 0) })
        world.pass(milliseconds: 200)
        #expect(try workers[0].readRequest().startLine == "OPTIONS * HTTP/1.1")
        #expect(world.credits == 3)
        world.pass(milliseconds: 2_300)
        #expect(!workers[0].isClosed && workers[1].isSilent(for: 0))
        world.pass(milliseconds: 200)
        #expect(workers[0].isClosed)
        #expect(try workers[1].readRequest().startLine == "OPTIONS * HTTP/1.1")
        world.pass(milliseconds: 2_600)
        #expect(workers.allSatisfy(\.isClosed) && world.credits == 0)
        #expect(world.metric { $0.workersLost } == 1)
        // What it had goes to another one.
        let other = try world.worker("other")
        var again = try other.readHead()
        try other.grant(&again)
        try other.answer("done")
        #expect(try client.readResponse().bodyText == "done")
    }

    @Test func anAnswerToAProbeKeepsAWorker() throws {
        let world = try World.withWorkers()
        let worker = try world.worker()
        for round in 0..<5 {
            world.pass(milliseconds: 5_100)
            #expect(try worker.readRequest().startLine == "OPTIONS * HTTP/1.1", "\(round)")
            try worker.answer("anything", status: 404)
        }
        #expect(world.credits == 1 && !worker.isClosed)
        // A request that comes while it is asked waits for the answer.
        world.pass(milliseconds: 5_100)
        _ = try worker.readRequest()
        let client = world.connect()
        try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(worker.isSilent(for: 1))
        try worker.answer(status: 204)
        #expect(try worker.readRequest().startLine == "GET / HTTP/1.1")
        try worker.answer("late")
        #expect(try client.readResponse().bodyText == "late")
    }

    @Test func creditsAreConnections() throws {
        let world = try World.withWorkers()
        let first = try world.worker()
        let second = try world.worker()
        #expect(world.credits == 2)
        first.close()
        #expect(world.credits == 1)
        try second.send("nobody asked")
        #expect(world.credits == 0 && second.isClosed)
        _ = try world.worker(credits: 1)
        #expect(throws: (any Error).self) { try world.worker(credits: 1) }
    }

    @Test func whoLeavesIsToldOn() throws {
        let world = try World.withWorkers()
        let worker = try world.worker()
        let client = world.connect()
        try client.send(Self.chat)
        var request = try worker.readHead()
        try worker.grant(&request)
        client.close()
        #expect(worker.isClosed)
        #expect(world.inFlight == 0 && world.credits == 0)
    }

    @Test func aDrainClosesWhatRests() throws {
        let world = try World.withWorkers()
        let workers = [try world.worker(), try world.worker()]
        let client = world.connect()
        try client.send(Self.post)
        var request = try workers[1].readHead()
        world.turn { world.gateway.drain(handedOver: []) }
        #expect(workers[0].isClosed && !workers[1].isClosed)
        try workers[1].grant(&request)
        try workers[1].answer("done")
        #expect(try client.readResponse().bodyText == "done")
        #expect(workers[1].isClosed)
    }
}
