// What is said of running requests: whom they wait for, who has left, what became of them.

import Testing

@testable import Admission

@Suite struct RunningTests {
    private func warm(_ pool: PoolDriver, milliseconds: Int64 = 100, count: Int64 = 8) -> Int64 {
        for step in 0..<count {
            let id = 1_000_000 + UInt64(step)
            _ = pool.offer(id, at: at(step * milliseconds))
            pool.complete(id, at: at((step + 1) * milliseconds))
        }
        return count * milliseconds
    }

    @Test func silenceIsTheBackendsOnlyWhileSomebodyWaitsForIt() {
        let pool = PoolDriver(.fixed(4))
        let start = warm(pool)
        for id in 1...4 as ClosedRange<UInt64> {
            #expect(pool.offer(id, at: at(start)) == .forwarded(0))
            pool.wait(on: .client, id, at: at(start + 10))
        }
        _ = pool.offer(5, at: at(start + 60_000))
        #expect(pool.status(at: at(start + 60_000))?.suspicion == nil)
        // Now one of them waits for the backend, which stays silent.
        pool.wait(on: .backend, 1, at: at(start + 60_000))
        pool.complete(5, .cancelled(by: .client, in: .waiting), at: at(start + 60_100))
        _ = pool.offer(6, at: at(start + 66_000))
        #expect(pool.status(at: at(start + 66_000))?.suspicion == .silence)
        #expect(pool.status(at: at(start + 66_000))?.allowed == 1)
        #expect(pool.status(at: at(start + 66_000))?.limit == 4, "what was learnt stays")
    }

    @Test func whoWaitsForHisClientTakesNoSlotFromOthers() {
        let pool = PoolDriver(.fixed(2))
        for id in 1...2 as ClosedRange<UInt64> {
            #expect(pool.offer(id, at: at(0)) == .forwarded(0))
            pool.wait(on: .client, id, at: at(1))
        }
        #expect(pool.offer(3, at: at(2)) == .forwarded(0))
        #expect(pool.offer(4, at: at(2)) == .forwarded(0))
        #expect(pool.offer(5, at: at(2)) == .parked)
        pool.wait(on: .backend, 1, at: at(3))
        pool.complete(3, at: at(4))
        #expect(pool.poll(at: at(4)) == nil, "two count again")
        pool.complete(4, at: at(5))
        #expect(pool.poll(at: at(5)) == .forwarded(5, 0))
    }

    @Test func thatHasABound() {
        let pool = PoolDriver(.fixed(2, queue: 0))
        var id: UInt64 = 0
        while id < 200, pool.offer(id, at: at(0)) == .forwarded(0) {
            pool.wait(on: .client, id, at: at(0))
            id += 1
        }
        #expect(id == 66)
    }

    @Test func aSlotComesBackWhenTheEngineIsDone() {
        for (rule, isFree) in [(CancelRule.stops, true), (.continues, false)] {
            var settings = AdmissionSettings.fixed(1)
            settings.cancel = rule
            let pool = PoolDriver(settings)
            #expect(pool.offer(1, at: at(0)) == .forwarded(0))
            #expect(pool.offer(2, at: at(0)) == .parked)
            let departure = pool.leave(1, .whole, .waiting, at: at(10))
            #expect((departure == .close) == isFree)
            if departure == .close {
                pool.complete(1, .cancelled(by: .client, in: .waiting), at: at(10))
                #expect(pool.poll(at: at(10)) == .forwarded(2, 0))
            } else {
                #expect(pool.poll(at: at(10)) == nil)
                #expect(pool.status()?.abandoned == 1)
                pool.complete(1, .cancelled(by: .client, in: .finished), at: at(100))
                #expect(pool.poll(at: at(100)) == .forwarded(2, 0))
                #expect(pool.status()?.abandoned == 0)
            }
            pool.complete(2, at: at(200))
        }
    }

    /// Clients that ask for endless responses and leave do not take the slots for good: while it is
    /// not known what the engine does, work is waited for as long as hardly any request takes.
    @Test func endlessWorkIsWaitedForAsLongAsOthersTake() {
        let pool = PoolDriver(.fixed(2))
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        #expect(pool.offer(2, at: at(0)) == .forwarded(0))
        #expect(pool.offer(3, at: at(0)) == .parked)
        // Nothing has ended yet.
        #expect(pool.leave(1, .whole, .waiting, at: at(10)) == .keep(until: at(30_010)))
        pool.complete(1, .cancelled(by: .gateway, in: .waiting), at: at(20))
        #expect(pool.poll(at: at(20)) == .forwarded(3, 0))
        pool.complete(2, at: at(100))
        #expect(pool.offer(4, at: at(100)) == .forwarded(0))
        #expect(pool.offer(5, at: at(100)) == .parked)
        // The mean of one is 100 ms, and a mean deviation is taken to be half of it.
        #expect(pool.leave(3, .whole, .waiting, at: at(120)) == .keep(until: at(620)))
        // What has been there for longer gets the time of a request.
        let late = pool.leave(4, .streamed, .answering, at: at(1_000))
        #expect(late == .keep(until: at(1_100)) || late == .close)
        pool.complete(3, .cancelled(by: .gateway, in: .waiting), at: at(1_000))
        #expect(pool.poll(at: at(1_000)) == .forwarded(5, 0))
        pool.complete(4, .cancelled(by: .client, in: .answering), at: at(1_100))
        #expect(pool.status()?.abandoned == 0)
        pool.complete(5, at: at(1_200))
    }

    /// Where it is known that the engine goes on, so does the work, for ten minutes at most.
    @Test func workThatGoesOnIsWaitedForTenMinutes() {
        var settings = AdmissionSettings.fixed(1)
        settings.cancel = .continues
        let pool = PoolDriver(settings)
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        #expect(pool.leave(1, .whole, .waiting, at: at(10)) == .keep(until: at(600_010)))
        pool.complete(1, .cancelled(by: .gateway, in: .waiting), at: at(600_010))
        #expect(pool.status()?.abandoned == 0)
    }

    @Test(arguments: [Outcome.Phase.connecting, .sending])
    func whatWasNotBegunIsFreeAtOnce(_ phase: Outcome.Phase) {
        var settings = AdmissionSettings.fixed(1)
        settings.cancel = .continues
        let pool = PoolDriver(settings)
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        #expect(pool.leave(1, .whole, phase, at: at(10)) == .close)
    }

    @Test func whatSignalsAllowIsHeeded() {
        let pool = PoolDriver(.fixed(8, queue: 0))
        func room() -> Int {
            var count = 0
            while pool.offer(UInt64(count), at: at(1)) == .forwarded(0) { count += 1 }
            for id in 0..<count { pool.complete(UInt64(id), at: at(1)) }
            return count
        }
        #expect(room() == 8)
        pool.signal(.hold(until: at(5_000)))
        #expect(room() == 4)
        pool.signal(.resume)
        #expect(room() == 8)
    }

    @Test func anyLimitIsHeldWhileABackendAsksForIt() {
        let pool = PoolDriver(.fixed(8))
        _ = warm(pool)
        #expect(pool.offer(1, at: at(1_000)) == .forwarded(0))
        pool.complete(1, .overload, retryAfterSeconds: 3, at: at(1_010))
        #expect(pool.status()?.allowed == 4)
        _ = pool.offer(2, at: at(4_011))
        #expect(pool.status()?.allowed == 8)
        pool.complete(2, at: at(4_020))
    }

    /// A dial that fails is to be started within its budget, however long requests take.
    @Test func aBudgetForTheStartIsNoDeadlineOfTheResponse() {
        let pool = PoolDriver(.fixed(1), backends: ["a", "b"])
        for id in 0..<8 as Range<UInt64> {
            let start = Int64(id) * 30_000
            _ = pool.offer(id, at: at(start))
            pool.complete(id, at: at(start + 30_000))
        }
        #expect(pool.offer(100, at: at(300_000)) != .parked)
        #expect(pool.offer(101, at: at(300_000)) != .parked)
        #expect(pool.retry(100, at: at(300_001), startBy: at(303_000)) == .parked)
        #expect(pool.poll(at: at(300_001)) == nil)
        pool.complete(101, at: at(301_000))
        guard case .forwarded(100, _)? = pool.poll(at: at(301_000)) else {
            Issue.record("it was not started within its budget")
            return
        }
    }

    @Test func aWideRequestAtItsTurnHeedsItsTenantsBound() {
        var settings = AdmissionSettings.fixed(8)
        var green = TenantSettings(name: "green")
        green.maxInFlight = 2
        settings.tenants = [green]
        let pool = PoolDriver(settings)
        for id in 1...7 as ClosedRange<UInt64> { _ = pool.offer(id, at: at(0)) }
        #expect(pool.offer(10, at: at(0), tenant: .named("green"), seats: 4) == .parked)
        #expect(pool.poll(at: at(0)) == nil)
        #expect(pool.offer(11, at: at(0), tenant: .named("green")) != .rejected(.tenantLimit))
        pool.complete(1, at: at(1))
        while pool.poll(at: at(1)) != nil {}
        #expect(pool.offer(12, at: at(1), tenant: .named("green")) != .rejected(.tenantLimit))
        for id in 2...7 as ClosedRange<UInt64> { pool.complete(id, at: at(2)) }
        while pool.poll(at: at(2)) != nil {}
        let running = pool.controller.tenants(first: 1)[0].inFlight
        #expect(running <= 2, "\(running)")
    }

    @Test func heavyBodiesOfALowClassMakeRoom() {
        var settings = AdmissionSettings.fixed(1, bytes: 1_000)
        settings.classes = [
            PriorityClassSettings(name: "high"), PriorityClassSettings(name: "low"),
        ]
        let pool = PoolDriver(settings)
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        #expect(pool.offer(2, at: at(0), bytes: 600, class: 1) == .parked)
        #expect(pool.offer(3, at: at(0), bytes: 400, class: 1) == .parked)
        #expect(pool.offer(4, at: at(0), bytes: 300, class: 1) == .rejected(.queueBytesFull))
        #expect(pool.offer(5, at: at(0), bytes: 300, class: 0) == .parked)
        #expect(pool.pollAll(at: at(0)) == [.rejected(3, .displaced)])
        pool.complete(1, at: at(1))
    }
}
