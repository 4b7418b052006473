import Testing

@testable import Admission

/// Classes that get only what nobody else wants.
@Suite struct SlackTests {
    private let slack = 1

    private func settings(
        _ limit: Int, queue: Int = 100, ceiling: Double = 1, overflow: OverflowRule = .dropLowest
    ) -> AdmissionSettings {
        var settings = AdmissionSettings.fixed(limit, queue: queue)
        var low = PriorityClassSettings(name: "bulk")
        low.isSlack = true
        low.ceiling = ceiling
        settings.classes = [PriorityClassSettings(name: "people"), low]
        settings.queue.overflow = overflow
        settings.queue.starvationBound = 2
        return settings
    }

    private func pool(_ settings: AdmissionSettings) -> PoolDriver { PoolDriver(settings) }

    @Test func itHasNoTurnWhileOthersWait() {
        let pool = pool(settings(1))
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        #expect(pool.offer(2, at: at(0), class: slack) == .parked)
        for id in UInt64(3)...12 { #expect(pool.offer(id, at: at(0)) == .parked) }
        var running: UInt64 = 1
        for id in UInt64(3)...12 {
            pool.complete(running, at: at(1))
            #expect(pool.pollAll(at: at(1)) == [.forwarded(id, 0)])
            running = id
        }
        pool.complete(running, at: at(2))
        #expect(pool.pollAll(at: at(2)) == [.forwarded(2, 0)])
    }

    /// The same with a class that is not so: the starvation bound gives it its turns.
    @Test func otherLowClassesHaveTurns() {
        var settings = settings(1)
        settings.classes[slack].isSlack = false
        let pool = pool(settings)
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(2, at: at(0), class: slack)
        for id in UInt64(3)...6 { _ = pool.offer(id, at: at(0)) }
        pool.complete(1, at: at(1))
        #expect(pool.pollAll(at: at(1)) == [.forwarded(3, 0)])
        pool.complete(3, at: at(2))
        #expect(pool.pollAll(at: at(2)) == [.forwarded(2, 0)])
    }

    @Test func whatComesPassesIt() {
        let pool = pool(settings(2))
        #expect(pool.offer(1, at: at(0), class: slack) == .forwarded(0))
        #expect(pool.offer(2, at: at(0), class: slack) == .forwarded(0))
        #expect(pool.offer(3, at: at(0), class: slack) == .parked)
        pool.complete(1, at: at(1))
        #expect(pool.offer(4, at: at(1)) == .forwarded(0))
    }

    @Test func aFifthIsLeftForOthers() {
        let pool = pool(settings(10, ceiling: 0.8))
        for id in UInt64(1)...8 {
            #expect(pool.offer(id, at: at(0), class: slack) == .forwarded(0))
        }
        #expect(pool.offer(9, at: at(0), class: slack) == .parked)
        #expect(pool.offer(10, at: at(0)) == .forwarded(0))
        #expect(pool.offer(11, at: at(0)) == .forwarded(0))
        #expect(pool.offer(12, at: at(0)) == .parked)
    }

    /// Where others wait for room below their ceiling, what is left above it is theirs.
    @Test func itDoesNotPassOthersAtTheirCeiling() {
        var settings = settings(4, ceiling: 0.5)
        settings.classes.insert(PriorityClassSettings(name: "middle"), at: 1)
        settings.classes[1].ceiling = 0.5
        let pool = pool(settings)
        for id in UInt64(1)...2 { #expect(pool.offer(id, at: at(0), class: 1) == .forwarded(0)) }
        #expect(pool.offer(3, at: at(0), class: 1) == .parked)
        #expect(pool.offer(4, at: at(0), class: 2) == .parked)
        #expect(pool.pollAll(at: at(0)).isEmpty)
    }

    @Test(arguments: OverflowRule.allCases)
    func itGivesWayInAFullQueue(_ rule: OverflowRule) {
        let pool = pool(settings(1, queue: 2, overflow: rule))
        _ = pool.offer(1, at: at(0))
        #expect(pool.offer(2, at: at(0), class: slack) == .parked)
        #expect(pool.offer(3, at: at(0), class: slack) == .parked)
        #expect(pool.offer(4, at: at(0)) == .parked)
        #expect(pool.pollAll(at: at(0)) == [.rejected(3, .displaced)])
        #expect(pool.lastRejection?.isSlack == true)
        #expect(pool.offer(5, at: at(0)) == .parked)
        #expect(pool.pollAll(at: at(0)) == [.rejected(2, .displaced)])
        #expect(pool.offer(6, at: at(0), class: slack) == .rejected(.queueFull))
        #expect(pool.lastRejection?.isSlack == true)
    }

    @Test(arguments: OverflowRule.allCases)
    func itGivesWayForBytes(_ rule: OverflowRule) {
        var settings = settings(1, queue: 10, overflow: rule)
        settings.queue.maxBytes = 100
        let pool = pool(settings)
        _ = pool.offer(1, at: at(0))
        #expect(pool.offer(2, at: at(0), bytes: 60, class: slack) == .parked)
        #expect(pool.offer(3, at: at(0), bytes: 0, class: slack) == .parked)
        #expect(pool.offer(4, at: at(0), bytes: 80) == .parked)
        #expect(pool.pollAll(at: at(0)) == [.rejected(2, .displaced)])
    }

    /// No room is kept for a wide one, and it passes no wide one that others wait for.
    @Test func wideRequests() {
        let pool = pool(settings(8))
        for id in UInt64(1)...8 { _ = pool.offer(id, at: at(0)) }
        #expect(pool.offer(9, at: at(0), class: slack, seats: 5) == .parked)
        pool.complete(1, at: at(1))
        pool.complete(2, at: at(1))
        #expect(pool.pollAll(at: at(1)).isEmpty)
        #expect(pool.offer(10, at: at(1)) == .forwarded(0))
        #expect(pool.offer(11, at: at(1), seats: 5) == .parked)
        #expect(pool.pollAll(at: at(1)).isEmpty)
        #expect(pool.offer(12, at: at(1), class: slack) == .parked)
        #expect(pool.pollAll(at: at(1)).isEmpty)
        for id in UInt64(3)...5 { pool.complete(id, at: at(2)) }
        #expect(pool.pollAll(at: at(2)) == [.forwarded(11, 0)])
        for id in UInt64(6)...8 { pool.complete(id, at: at(3)) }
        #expect(pool.pollAll(at: at(3)).isEmpty)
        pool.complete(11, at: at(4))
        #expect(pool.pollAll(at: at(4)) == [.forwarded(9, 0), .forwarded(12, 0)])
    }

    @Test func nobodyIsAskedForMoreBackends() {
        let people = pool(settings(2))
        let bulk = pool(settings(2))
        for id in UInt64(1)...6 {
            _ = people.offer(id, at: at(0))
            _ = bulk.offer(id, at: at(0), class: slack)
        }
        #expect(people.controller.wantedBackends(now: at(0)).demand == 6)
        #expect(bulk.controller.wantedBackends(now: at(0)).demand == 0)
        bulk.complete(1, at: at(1))
        bulk.complete(2, at: at(1))
        _ = bulk.pollAll(at: at(1))
        #expect(bulk.controller.wantedBackends(now: at(1)).demand == 0)
        _ = bulk.offer(7, at: at(1))
        #expect(bulk.controller.wantedBackends(now: at(1)).demand == 1)
    }

    /// What a tenant has there is nothing of its share, and takes nothing of others'.
    @Test func itIsNoPartOfShares() {
        var settings = settings(4, queue: 2)
        settings.tenants = [TenantSettings(name: "batch"), TenantSettings(name: "chat")]
        let pool = pool(settings)
        for id in UInt64(1)...3 {
            _ = pool.offer(id, at: at(0), tenant: .named("batch"), class: slack)
        }
        #expect(pool.offer(4, at: at(0), tenant: .named("batch")) == .forwarded(0))
        #expect(pool.offer(5, at: at(0), tenant: .named("batch")) == .parked)
        #expect(pool.offer(6, at: at(0), tenant: .named("batch")) == .parked)
        #expect(
            pool.offer(7, at: at(0), tenant: .named("batch")) == .rejected(.queueFull),
            "alone it is over no share")
        #expect(pool.offer(8, at: at(0), tenant: .named("chat")) == .parked)
        #expect(pool.pollAll(at: at(0)) == [.rejected(6, .displaced)])
        // With the other one there it has one of four, and may have two.
        #expect(pool.offer(9, at: at(0), tenant: .named("batch")) == .rejected(.queueFull))
    }

    /// Refusals there promise nothing, so that others are told the same as without them.
    @Test func othersAreToldToComeBackAsSoon() {
        func told(after refusals: UInt64) -> Int? {
            let pool = pool(settings(1, queue: 1))
            for step in Int64(0)..<4 {
                _ = pool.offer(1_000, at: at(100 * step))
                pool.complete(1_000, at: at(100 * step + 100))
            }
            _ = pool.offer(1, at: at(1000))
            _ = pool.offer(2, at: at(1000))
            for id in 0..<refusals {
                #expect(pool.offer(10 + id, at: at(1000), class: slack) == .rejected(.queueFull))
            }
            #expect(pool.offer(3, at: at(1000)) == .rejected(.queueFull))
            return pool.lastRejection.map { $0.retryAfterMilliseconds / 100 }
        }
        #expect(told(after: 0) == told(after: 200))
    }

    // MARK: Requests that nobody waits for

    @Test func thePatientWaitForAsLongAsItTakes() {
        let pool = pool(settings(1))
        _ = pool.offer(1, at: at(0))
        #expect(pool.offer(2, at: at(0), class: slack, isPatient: true) == .parked)
        #expect(pool.offer(3, at: at(0), class: slack) == .parked)
        #expect(pool.pollAll(at: at(3_600_000)) == [.rejected(3, .queueTimeout)])
        pool.complete(1, at: at(7_200_000))
        #expect(pool.pollAll(at: at(7_200_000)) == [.forwarded(2, 0)])
    }

    /// One without an end before others with one: these end as they should.
    @Test func othersEndInTimeBehindThePatient() {
        let pool = pool(settings(1))
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(2, at: at(0), isPatient: true)
        _ = pool.offer(3, at: at(500))
        #expect(pool.controller.nextDeadline == at(2500))
        #expect(pool.pollAll(at: at(2500)) == [.rejected(3, .queueTimeout)])
    }

    /// Lines of a batch that is given up after hours do not teach that clients bear hours.
    @Test func thePatientTeachNoPatience() {
        let pool = pool(settings(1))
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(2, at: at(0), isPatient: true)
        #expect(pool.cancel(2, at: at(100)))
        var queue = pool.controller.queue
        let key = queue.flowKey(of: Ticket())
        #expect(!queue.flows[key.tenant, key.row].patience.hasDepartures)
        _ = pool.offer(3, at: at(200))
        #expect(pool.cancel(3, at: at(300)))
        #expect(pool.controller.queue.flows[key.tenant, key.row].patience.hasDepartures)
    }
}
