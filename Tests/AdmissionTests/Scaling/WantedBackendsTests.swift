// How many backends a pool wants, by what is asked of it.

import Testing

@testable import Admission

@Suite struct WantedBackendsTests {
    /// A pool without a queue.
    private func pool(
        limit: Int = 10, backends: [String] = ["a", "b"],
        _ change: (inout AdmissionSettings) -> Void = { _ in }
    ) -> PoolDriver {
        var settings = AdmissionSettings.fixed(limit, queue: 0)
        change(&settings)
        return PoolDriver(settings, backends: backends)
    }

    private func wanted(_ pool: PoolDriver, at now: Instant) -> WantedBackends {
        pool.controller.wantedBackends(now: now)
    }

    private func isNear(_ value: Double, _ other: Double) -> Bool {
        abs(value - other) <= 0.03 * max(abs(other), 0.01)
    }

    /// Takes all places with requests that are served in two seconds, and offers `perSecond` more each second for
    /// `seconds`, which are refused.
    private func overload(
        _ pool: PoolDriver, places: Int, perSecond: Int, seconds: Int, isRetry: Bool = false,
        tenant: TenantID = .anonymous
    ) -> Instant {
        var id: UInt64 = 1
        var running: [UInt64] = []
        for second in 0..<seconds {
            let now = at(Int64(second) * 1000)
            if second % 2 == 0 {
                for each in running { pool.complete(each, at: now) }
                running = []
                for _ in 0..<places {
                    if case .forwarded = pool.offer(id, at: now) { running.append(id) }
                    id += 1
                }
            }
            for _ in 0..<perSecond {
                _ = pool.offer(id, at: now, tenant: tenant, isRetry: isRetry)
                id += 1
            }
        }
        return at(Int64(seconds) * 1000 - 1)
    }

    @Test func nothingIsWantedOfNothing() {
        let idle = wanted(pool(), at: at(0))
        #expect(idle.wanted == 0 && idle.demand == 0 && idle.usable == 2 && idle.limit == 10)
    }

    @Test func whatIsInFlightAndWaitsIsAskedFor() {
        let pool = PoolDriver(.fixed(4), backends: ["a"])
        for id in 1...7 as ClosedRange<UInt64> { _ = pool.offer(id, at: at(0)) }
        #expect(pool.controller.queueLength == 3)
        let found = wanted(pool, at: at(1))
        #expect(found.demand == 7)
        #expect(isNear(found.wanted, 7 / (0.85 * 4)))
        // Who leaves the queue asks for nothing any more.
        #expect(pool.cancel(7, at: at(2)))
        #expect(wanted(pool, at: at(2)).demand == 6)
        pool.complete(1, at: at(3))
        #expect(pool.pollAll(at: at(3)) == [.forwarded(5, 0)])
        #expect(wanted(pool, at: at(3)).demand == 5)
    }

    @Test func wideRequestsAreCountedByPlaces() {
        let pool = PoolDriver(.fixed(8), backends: ["a"])
        #expect(pool.offer(1, at: at(0), seats: 4) == .forwarded(0))
        #expect(pool.offer(2, at: at(0), seats: 4) == .forwarded(0))
        #expect(pool.offer(3, at: at(0), seats: 3) == .parked)
        #expect(wanted(pool, at: at(0)).demand == 11)
    }

    @Test func refusalsCountForTheTimeThatTheyWouldTake() {
        let pool = pool()
        let end = overload(pool, places: 20, perSecond: 30, seconds: 120)
        // 20 in flight, and 30 a second for two seconds each.
        let found = wanted(pool, at: end)
        #expect(found.seatSeconds == 2)
        #expect(isNear(found.demand, 80), "\(found)")
        #expect(isNear(found.wanted, 80 / (0.85 * 10)), "\(found)")
        // Once nobody asks any more, a minute later, nothing is left but what runs.
        #expect(wanted(pool, at: end.advanced(byNanoseconds: 120_000_000_000)).demand < 20.1)
    }

    /// The negative control of the one above: the same requests, which say that they come again.
    @Test func furtherTriesThatAreRefusedDoNotCount() {
        let pool = pool()
        let end = overload(pool, places: 20, perSecond: 30, seconds: 120, isRetry: true)
        #expect(isNear(wanted(pool, at: end).demand, 20))
    }

    /// A first try that is refused and comes again is one request; one that is known from nowhere here is one as well.
    @Test func aRequestThatComesAgainIsCountedOnce() {
        let pool = pool(limit: 2, backends: ["a"])
        _ = overload(pool, places: 2, perSecond: 5, seconds: 60)
        let now = at(60_000)
        for id in Array(pool.permits.keys) { pool.complete(id, at: now) }
        let before = wanted(pool, at: now).demand
        #expect(pool.offer(9_001, at: now, isRetry: true) == .forwarded(0))
        #expect(wanted(pool, at: now).demand == before)
        pool.complete(9_001, at: now)
        let other = self.pool(limit: 2, backends: ["a"])
        #expect(other.offer(1, at: now, isRetry: true) == .forwarded(0))
        #expect(wanted(other, at: now).demand == 1)
    }

    @Test func copiesAskForNothing() {
        let pool = pool()
        for id in 1...4 as ClosedRange<UInt64> { #expect(pool.startIfFree(id, at: at(0)) != nil) }
        #expect(pool.offer(5, at: at(0)) != .parked)
        #expect(wanted(pool, at: at(0)).demand == 1)
        for id in 1...5 as ClosedRange<UInt64> { pool.complete(id, at: at(1)) }
        #expect(wanted(pool, at: at(1)).demand == 0)
    }

    /// A tenant at its own bound gets nothing of another backend.
    @Test func whatATenantMayNotHaveIsNotAskedFor() {
        let pool = pool {
            var bounded = TenantSettings(name: "bounded")
            bounded.maxInFlight = 0
            bounded.requestsPerMinute = 1
            $0.tenants = [bounded]
        }
        let end = overload(
            pool, places: 10, perSecond: 30, seconds: 60, tenant: .named("bounded"))
        #expect(isNear(wanted(pool, at: end).demand, 10), "\(wanted(pool, at: end))")
    }

    /// A deadline that an idle backend would keep is missed for want of one; another is the client's own.
    @Test(arguments: [(10_000, 60.0), (1_000, 20.0)] as [(Int64, Double)])
    func deadlinesCountWhereABackendWouldHelp(milliseconds: Int64, expected: Double) {
        var settings = AdmissionSettings.fixed(10)
        settings.queue.maxWait = .seconds(3600)
        settings.queue.maxRequests = 100_000
        let pool = PoolDriver(settings, backends: ["a", "b"])
        var id: UInt64 = 1
        var running: [UInt64] = []
        for second in 0..<120 as Range<Int64> {
            let now = at(second * 1000)
            if second % 2 == 0 {
                for each in running { pool.complete(each, at: now) }
                running = []
                // What waited too long is told so, and the queue's others would start: only new ones do here.
                for case .forwarded(let each, _) in pool.pollAll(at: now) { running.append(each) }
                while running.count < 20, case .forwarded = pool.offer(id, at: now) {
                    running.append(id)
                    id += 1
                }
                id += 1
            }
            for _ in 0..<30 {
                let deadline = now.advanced(byNanoseconds: milliseconds * 1_000_000)
                _ = pool.offer(id, at: now, deadline: deadline)
                id += 1
            }
            _ = pool.pollAll(at: now).filter {
                if case .forwarded(let each, _) = $0 { running.append(each) }
                return false
            }
        }
        let found = wanted(pool, at: at(119_999))
        let waiting = Double(pool.controller.queueLength)
        #expect(abs(found.demand - waiting - expected) < 0.15 * expected, "\(found) \(waiting)")
    }

    @Test func aPoolWithoutABackendWantsOne() {
        let pool = pool(backends: [])
        #expect(wanted(pool, at: at(0)).wanted == 0)
        #expect(pool.offer(1, at: at(0)) == .rejected(.noBackend))
        #expect(wanted(pool, at: at(1_500)).wanted == 1)
        #expect(wanted(pool, at: at(600_000)).wanted == 0)
    }

    /// What was there before an outage is wanted during it.
    @Test func anOutageDoesNotEndTheDemand() {
        let pool = pool()
        var now = overload(pool, places: 20, perSecond: 0, seconds: 60)
        for id in Array(pool.permits.keys) { pool.complete(id, .failed(.closed), at: now) }
        for index in 0..<2 { pool.controller.refused(BackendID(index: index), now: now) }
        #expect(wanted(pool, at: now).usable == 0)
        var id: UInt64 = 10_000
        for _ in 0..<40 {
            now = now.advanced(byNanoseconds: 500_000_000)
            for index in 0..<2 { pool.controller.refused(BackendID(index: index), now: now) }
            for _ in 0..<5 {
                _ = pool.offer(id, at: now)
                id += 1
            }
        }
        let found = wanted(pool, at: now)
        // Ten a second, of two seconds each, from a rate that has had 20 s.
        #expect(found.wanted > 1.2 && found.wanted < 2.5, "\(found)")
    }

    /// A limit that nobody has tried says nothing: no more than there are, and no fewer than are busy.
    @Test func beforeALimitIsLearntNoMoreThanThereAreIsWanted() {
        let pool = PoolDriver(AdmissionSettings(), backends: ["a", "b", "c"])
        for id in 1...12 as ClosedRange<UInt64> { _ = pool.offer(id, at: at(0)) }
        let full = wanted(pool, at: at(1))
        #expect(full.limit == nil && full.wanted == 3)
        for id in 2...12 as ClosedRange<UInt64> { pool.complete(id, at: at(2)) }
        let idle = wanted(pool, at: at(3))
        #expect(idle.wanted < 0.5 && idle.wanted > 0)
    }

    /// Each of several gateways learns its part of a limit and says its part of what is wanted.
    @Test func gatewaysSayWhatAddsUp() {
        var settings = AdmissionSettings.fixed(10, queue: 0)
        var knee = KneeLimitSettings()
        (knee.min, knee.max, knee.initial, knee.replicas) = (10, 10, 10, 2)
        settings.limit = .knee(knee)
        let pool = PoolDriver(settings, backends: ["a"])
        for id in 1...10 as ClosedRange<UInt64> { _ = pool.offer(id, at: at(0)) }
        let found = wanted(pool, at: at(0))
        #expect(found.limit == 20)
        #expect(isNear(found.wanted, 10 / (0.85 * 20)))
        let empty = PoolDriver(settings, backends: [])
        #expect(empty.offer(1, at: at(0)) == .rejected(.noBackend))
        #expect(wanted(empty, at: at(1_500)).wanted == 0.5)
    }

    /// While a pool only observes, what it would have refused is in flight already.
    @Test func anObserverCountsWhatRuns() {
        let pool = pool { $0.mode = .observe }
        for id in 1...50 as ClosedRange<UInt64> { _ = pool.offer(id, at: at(Int64(id))) }
        let found = wanted(pool, at: at(2_000))
        #expect(found.demand == 50)
        #expect(isNear(found.wanted, 50 / (0.85 * 10)))
    }

    @Test func whoWasTurnedAwayToAnotherPoolIsCountedHere() {
        let pool = pool()
        let end = overload(pool, places: 20, perSecond: 0, seconds: 10)
        let before = wanted(pool, at: end).demand
        for second in 10..<100 as Range<Int64> {
            for _ in 0..<10 { pool.controller.turnedAway(isRetry: false, now: at(second * 1000)) }
            pool.controller.turnedAway(isRetry: true, now: at(second * 1000))
        }
        #expect(isNear(wanted(pool, at: at(100_000)).demand, before + 20))
    }

    /// An engine of ten slots with a limit of fifteen does with ten in flight all that it can do, and a full one takes half as
    /// long again for each request: idle ones are not counted by the limit.
    @Test func placesOfIdleBackendsAreThoseAtWork() {
        let pool = pool(limit: 15, backends: ["a"])
        var id: UInt64 = 1
        func round(_ start: Int64, running: Int, milliseconds: Int64) {
            let first = id
            for _ in 0..<running {
                #expect(pool.offer(id, at: at(start)) == .forwarded(0))
                id += 1
            }
            for each in first..<id { pool.complete(each, at: at(start + milliseconds)) }
        }
        for index in 0..<60 as Range<Int64> { round(index * 1500, running: 15, milliseconds: 1500) }
        #expect(isNear(wanted(pool, at: at(90_000)).limit ?? 0, 15))
        for index in 0..<400 as Range<Int64> {
            round(100_000 + index * 1000, running: 5, milliseconds: 1000)
        }
        #expect(isNear(wanted(pool, at: at(600_000)).limit ?? 0, 10))
    }
}
