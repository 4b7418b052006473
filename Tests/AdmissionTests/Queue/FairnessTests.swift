import Testing

@testable import Admission

/// Who is served while more is asked for than there is.
@Suite struct FairnessTests {
    @Test func tenantsAreServedByWeight() {
        var settings = AdmissionSettings.fixed(4, queue: 1000, maxWait: .seconds(60))
        settings.tenants = [tenant("small"), tenant("large", weight: 3)]
        let load = SaturatedPool(settings)
        load.fill([.named("small"), .named("large")], each: 100)
        load.serve(80)
        #expect(load.served[.named("small")] == 20)
        #expect(load.served[.named("large")] == 60)
    }

    @Test func costCountsNotRequests() {
        var settings = AdmissionSettings.fixed(4, queue: 1000, maxWait: .seconds(60))
        settings.tenants = [tenant("short"), tenant("long")]
        let load = SaturatedPool(settings)
        load.fill([.named("short")], each: 200)
        load.fill([.named("long")], each: 100, cost: 4)
        load.serve(100)
        #expect(load.served[.named("short")] == 80)
        #expect(load.served[.named("long")] == 20)
    }

    /// The second tenant says 1 and takes 4: once that is known it is served a quarter as often.
    @Test func whatARequestCameToIsChargedAfterwards() throws {
        var settings = AdmissionSettings.fixed(1, queue: 1000, maxWait: .seconds(60))
        settings.tenants = [tenant("honest"), tenant("modest")]
        let load = SaturatedPool(settings)
        load.actualCost[.named("modest")] = 4
        load.fill([.named("honest"), .named("modest")], each: 200)
        load.serve(100)
        let honest = try #require(load.served[.named("honest")])
        #expect((79...81).contains(honest))
    }

    /// However the tenants' weights and costs lie, a flow with waiting requests gets within two of
    /// the largest requests what its weight entitles it to (SFQ's fairness theorem).
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func nobodyWithWorkWaitingFallsBehind(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var settings = AdmissionSettings.fixed(3, queue: 100_000, maxWait: .seconds(3600))
        for index in 0..<12 {
            settings.tenants.append(tenant("\(index)", weight: 0.5 + 4 * random.nextUnit()))
        }
        let load = SaturatedPool(settings)
        for index in 0..<12 {
            for _ in 0..<400 {
                load.fill([.named("\(index)")], each: 1, cost: 0.1 + 3.9 * random.nextUnit())
            }
        }
        for _ in 0..<40 {
            load.serve(25)
            let normalized = settings.tenants.indices.map {
                (load.servedCost[.named("\($0)")] ?? 0) / settings.tenants[$0].weight
            }
            let spread = (normalized.max() ?? 0) - (normalized.min() ?? 0)
            #expect(spread <= 2 * 4 / 0.5, "seed \(seed)")
        }
    }

    /// A tenant that has asked for little has some of its share left; it is used up once.
    @Test func aFewRequestsAtOnceDoNotWaitBehindAFlood() {
        var settings = AdmissionSettings.fixed(1, queue: 1000, maxWait: .seconds(60))
        settings.tenants = [tenant("flood"), tenant("light")]
        let load = SaturatedPool(settings)
        load.fill([.named("flood")], each: 300)
        load.serve(100)
        load.fill([.named("light")], each: 60)
        load.serve(8)
        #expect(load.served[.named("light")] == 8)
        load.serve(40)
        #expect((28...30).contains(load.served[.named("light")] ?? 0))
    }

    @Test func aFloodDoesNotLengthenTheWaitOfOthers() {
        var settings = AdmissionSettings.fixed(1, queue: 100, maxWait: .seconds(2))
        settings.tenants = [tenant("flood"), tenant("quiet")]
        let pool = PoolDriver(settings)
        warmUp(pool, milliseconds: 100)
        _ = pool.offer(1, at: at(1000), tenant: .named("flood"))
        var id: UInt64 = 2
        while pool.offer(id, at: at(1000), tenant: .named("flood")) == .parked { id += 1 }
        // 10 a second for 2 s, whatever else is tried.
        #expect((15...25).contains(id - 2))
        #expect(pool.offer(id + 1, at: at(1000), tenant: .named("quiet")) == .parked)
        pool.complete(1, at: at(1100))
        // The flood was first; its turn costs it the next one.
        #expect(pool.poll(at: at(1100)) == .forwarded(2, 0))
        pool.complete(2, at: at(1200))
        #expect(pool.poll(at: at(1200)) == .forwarded(id + 1, 0))
    }

    @Test func theTenantThatIsOverItsShareIsToldSo() {
        var settings = AdmissionSettings.fixed(4, queue: 2)
        settings.tenants = [tenant("flood"), tenant("quiet")]
        let pool = PoolDriver(settings)
        for id in 1...3 { _ = pool.offer(UInt64(id), at: at(0), tenant: .named("flood")) }
        _ = pool.offer(4, at: at(0), tenant: .named("quiet"))
        #expect(pool.offer(5, at: at(0), tenant: .named("flood")) == .parked)
        #expect(pool.offer(6, at: at(0), tenant: .named("flood")) == .parked)
        #expect(pool.offer(7, at: at(0), tenant: .named("flood")) == .rejected(.tenantOverShare))
        #expect(pool.lastRejection?.share == TenantShare(limit: 2, remaining: 0))
        // The other one finds the queue full and has nothing in it: the flood's newest goes.
        #expect(pool.offer(8, at: at(0), tenant: .named("quiet")) == .parked)
        #expect(pool.poll(at: at(0)) == .rejected(6, .displaced))
        #expect(pool.offer(9, at: at(0), tenant: .named("quiet")) == .rejected(.queueFull))
    }

    @Test func aTenantsOwnBoundsHold() {
        var settings = AdmissionSettings.fixed(4)
        var bounded = tenant("bounded")
        bounded.maxInFlight = 1
        bounded.maxQueued = 1
        settings.tenants = [bounded]
        let pool = PoolDriver(settings)
        #expect(pool.offer(1, at: at(0), tenant: .named("bounded")) == .forwarded(0))
        #expect(pool.offer(2, at: at(0), tenant: .named("bounded")) == .parked)
        #expect(pool.offer(3, at: at(0), tenant: .named("bounded")) == .rejected(.tenantLimit))
        // Nobody else is held up by it.
        #expect(pool.offer(4, at: at(0)) == .forwarded(0))
        #expect(pool.poll(at: at(0)) == nil)
        #expect(pool.controller.nextDeadline == at(2000))
        pool.complete(1, at: at(10))
        #expect(pool.pollAll(at: at(10)) == [.forwarded(2, 0)])
        #expect(pool.offer(5, at: at(20), tenant: .named("bounded")) == .parked)
        #expect(pool.pollAll(at: at(2020)) == [.rejected(5, .tenantLimit)])
    }

    @Test func unknownTenantsShareABoundedNumberOfFlows() {
        var settings = AdmissionSettings.fixed(1, queue: 1000, maxWait: .seconds(60))
        settings.queue.hashedFlows = 8
        let load = SaturatedPool(settings)
        var random = SplitMix64(seed: 3)
        for _ in 0..<500 { load.fill([.hashed(random.next())], each: 1) }
        #expect(load.pool.controller.queue.tenants.rows.count == 1 + 8)
        load.serve(500)
        #expect(load.pool.controller.queueLength == 0)
    }

    @Test func aReloadKeepsTenantsByName() {
        var settings = AdmissionSettings.fixed(2)
        settings.tenants = [tenant("red"), tenant("blue")]
        let pool = PoolDriver(settings)
        _ = pool.offer(1, at: at(0), tenant: .named("blue"))
        _ = pool.offer(2, at: at(0), tenant: .named("blue"))
        _ = pool.offer(3, at: at(0), tenant: .named("blue"))
        var blue = tenant("blue")
        blue.maxInFlight = 2
        settings.tenants = [blue]
        pool.controller.reconfigure(settings: settings, backends: ["a", "b"], now: at(1))
        // Two of it are in flight, known by its name; what waits is held.
        #expect(pool.poll(at: at(1)) == nil)
        #expect(pool.offer(4, at: at(1)) == .forwarded(1))
        pool.complete(1, at: at(5))
        #expect(pool.pollAll(at: at(5)).count == 1)
    }

    private func tenant(_ name: String, weight: Double = 1) -> TenantSettings {
        var tenant = TenantSettings(name: name)
        tenant.weight = weight
        return tenant
    }
}

/// Classes, wide requests, deadlines and the order within a flow.
@Suite struct QueueOrderTests {
    @Test func aHigherClassGoesFirst() {
        let pool = PoolDriver(classes([1, 1], limit: 1))
        _ = pool.offer(1, at: at(0), class: 1)
        #expect(pool.offer(2, at: at(1), class: 1) == .parked)
        #expect(pool.offer(3, at: at(2), class: 0) == .parked)
        pool.complete(1, at: at(3))
        #expect(pool.poll(at: at(3)) == .forwarded(3, 0))
    }

    @Test func aCeilingKeepsRoomForHigherClasses() {
        let pool = PoolDriver(classes([1, 0.5], limit: 4))
        #expect(pool.offer(1, at: at(0), class: 1) == .forwarded(0))
        #expect(pool.offer(2, at: at(0), class: 1) == .forwarded(0))
        #expect(pool.offer(3, at: at(0), class: 1) == .parked)
        #expect(pool.poll(at: at(0)) == nil)
        #expect(pool.controller.nextDeadline == at(2000))
        // The waiting lower one does not keep a higher one from starting.
        #expect(pool.offer(4, at: at(0), class: 0) == .forwarded(0))
        #expect(pool.controller.inFlight(ofClass: 1) == 2)
        #expect(pool.controller.queueLength(ofClass: 1) == 1)
        pool.complete(2, at: at(9))
        #expect(pool.pollAll(at: at(9)) == [.forwarded(3, 0)])
    }

    @Test func aLowerClassIsNotStarved() {
        var settings = classes([1, 1], limit: 1)
        settings.queue.starvationBound = 4
        let pool = PoolDriver(settings)
        _ = pool.offer(1, at: at(0))
        #expect(pool.offer(100, at: at(0), class: 1) == .parked)
        for id in 2...9 { _ = pool.offer(UInt64(id), at: at(0)) }
        var order: [UInt64] = []
        var running: UInt64 = 1
        for step in 1...5 {
            pool.complete(running, at: at(Int64(step)))
            guard case .forwarded(let id, _) = pool.poll(at: at(Int64(step))) else { break }
            order.append(id)
            running = id
        }
        #expect(order == [2, 3, 4, 100, 5])
    }

    /// A backlog of a higher class does not keep a lower one out of the queue: one start in so many
    /// is the lower one's, and that is soon.
    @Test func aFloodOfAHigherClassIsNotWaitedOut() {
        var settings = AdmissionSettings.fixed(2, queue: 2_000, maxWait: .seconds(4))
        settings.classes = [
            PriorityClassSettings(name: "high"), PriorityClassSettings(name: "low"),
        ]
        let pool = PoolDriver(settings)
        var now: Int64 = 0
        var next: UInt64 = 0
        func flood(_ count: Int) {
            for _ in 0..<count {
                next += 1
                _ = pool.offer(next, at: at(now), tenant: .hashed(1), class: 0)
            }
        }
        // Ten milliseconds each and two at once: two hundred a second.
        func turn() -> [UInt64] {
            now += 10
            for id in pool.permits.keys { pool.complete(id, at: at(now)) }
            return pool.pollAll(at: at(now)).compactMap { decision in
                if case .forwarded(let id, _) = decision { id } else { nil }
            }
        }
        flood(100)
        for _ in 0..<40 {
            _ = turn()
            flood(2)
        }
        flood(700)
        let one: UInt64 = 1_000_000
        #expect(pool.offer(one, at: at(now), tenant: .hashed(2), class: 1) == .parked)
        var starts = 0
        while starts < 100 {
            let started = turn()
            starts += started.count
            if started.contains(one) { break }
            flood(2)
        }
        #expect(starts <= 18, "\(starts)")
    }

    @Test func aTenantMayNotClaimAHigherClassThanItsOwn() {
        var settings = classes([1, 0.5], limit: 4)
        var batch = TenantSettings(name: "batch")
        batch.highestClass = 1
        settings.tenants = [batch]
        let pool = PoolDriver(settings)
        for id in 1...3 { _ = pool.offer(UInt64(id), at: at(0), tenant: .named("batch"), class: 0) }
        #expect(pool.controller.inFlight(ofClass: 1) == 2)
        #expect(pool.controller.queueLength(ofClass: 1) == 1)
    }

    @Test(
        arguments: [
            (OverflowRule.rejectNew, Answer.rejected(.queueFull), nil),
            (.dropOldest, .parked, 11), (.dropLowest, .parked, 12),
        ] as [(OverflowRule, Answer, UInt64?)])
    func aFullQueueMakesRoomByPolicy(rule: OverflowRule, answer: Answer, victim: UInt64?) {
        var settings = classes([1, 1], limit: 1)
        settings.queue.maxRequests = 3
        settings.queue.overflow = rule
        let pool = PoolDriver(settings)
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(10, at: at(0), class: 0)
        _ = pool.offer(11, at: at(0), class: 1)
        _ = pool.offer(12, at: at(0), class: 1)
        #expect(pool.offer(2, at: at(1), class: 0) == answer)
        #expect(pool.controller.queueLength == 3)
        #expect(pool.poll(at: at(1)) == victim.map { .rejected($0, .displaced) })
        #expect(pool.poll(at: at(1)) == nil)
    }

    /// A wide request waits; eight narrower ones pass it, then it is next.
    ///
    /// Three of four units are taken at the start.
    @Test func aWideRequestIsPassedEightTimes() {
        let pool = PoolDriver(.fixed(4))
        for id in 1...3 { _ = pool.offer(UInt64(id), at: at(0)) }
        #expect(pool.offer(50, at: at(0), seats: 2) == .parked)
        #expect(pool.poll(at: at(0)) == nil)
        var narrow: UInt64 = 100
        for _ in 0..<8 {
            #expect(pool.offer(narrow, at: at(1)) == .forwarded(0))
            pool.complete(narrow, at: at(1))
            // The room for one that came free is not enough for two.
            #expect(pool.poll(at: at(1)) == nil)
            narrow += 1
        }
        #expect(pool.offer(narrow, at: at(2)) == .parked)
        pool.complete(1, at: at(3))
        #expect(pool.poll(at: at(3)) == .forwarded(50, 0))
        #expect(pool.controller.inFlight == 4)
        #expect(pool.poll(at: at(3)) == nil)
        pool.complete(50, at: at(4))
        #expect(pool.controller.inFlight == 2)
        #expect(pool.poll(at: at(4)) == .forwarded(narrow, 0))
    }

    @Test func noRequestIsWiderThanHalfTheLimit() {
        let pool = PoolDriver(.fixed(4))
        #expect(pool.offer(1, at: at(0), seats: 100) == .forwarded(0))
        #expect(pool.controller.inFlight == 2)
    }

    @Test func whatCannotBeMetIsNotStarted() {
        let pool = PoolDriver(.fixed(1))
        warmUp(pool, milliseconds: 200)
        _ = pool.offer(1, at: at(5000))
        #expect(pool.offer(2, at: at(5000), deadline: at(5450)) == .parked)
        // Until 5250 it could still be met.
        #expect(pool.controller.nextDeadline.map { $0 <= at(5250) } == true)
        #expect(pool.poll(at: at(5249)) == nil)
        #expect(pool.poll(at: at(5250)) == .rejected(2, .deadline))
    }

    /// While everybody waits for more than a quarter of the longest wait, new requests join only if
    /// they would not; whoever waits is served in the order of arrival all the same.
    @Test func aStandingQueueIsKeptShort() {
        let pool = PoolDriver(.fixed(1, queue: 1000, maxWait: .seconds(10)))
        warmUp(pool, milliseconds: 100)
        _ = pool.offer(0, at: at(1000))
        for id in 1...60 { #expect(pool.offer(UInt64(id), at: at(1000)) == .parked) }
        var served: [UInt64] = []
        var running: UInt64 = 0
        for step in 1...50 as ClosedRange<Int64> {
            let now = at(1000 + step * 100)
            pool.complete(running, at: now)
            guard case .forwarded(let id, _) = pool.poll(at: now) else { break }
            served.append(id)
            running = id
            // One more comes for each that is served, so that it would stand for ever.
            let answer = pool.offer(100 + UInt64(step), at: now)
            if step > 40 { #expect(answer == .rejected(.waitTooLong)) }
        }
        #expect(served == Array(1...50))
        pool.complete(running, at: at(20_000))
    }

    private func classes(_ ceilings: [Double], limit: Int) -> AdmissionSettings {
        var settings = AdmissionSettings.fixed(limit)
        settings.classes = ceilings.enumerated().map { index, ceiling in
            var settings = PriorityClassSettings(name: "\(index)")
            settings.ceiling = ceiling
            return settings
        }
        return settings
    }
}

/// Observe mode decides and carries nothing out.
@Suite struct ObserveTests {
    @Test func everythingStartsAndTheDecisionIsTold() {
        var settings = AdmissionSettings.fixed(1, queue: 1)
        settings.mode = .observe
        let pool = PoolDriver(settings)
        for id in 1...4 { #expect(pool.offer(UInt64(id), at: at(0)) == .forwarded(0)) }
        #expect(pool.withheld == [1: .none, 2: .none, 3: .queueFull, 4: .queueFull])
        #expect(pool.wouldWait == [2])
        #expect(pool.controller.inFlight == 4)
        pool.complete(3, at: at(1))
        pool.complete(2, at: at(1))
        // What would wait has left; what would have been refused is not in the way.
        #expect(pool.offer(5, at: at(1)) == .forwarded(0))
        #expect(pool.withheld[5] == Reason.none)
    }

    @Test func onlyAPoolWithoutABackendRefuses() {
        var settings = AdmissionSettings.fixed(1)
        settings.mode = .observe
        let pool = PoolDriver(settings, backends: [])
        #expect(pool.offer(1, at: at(0)) == .rejected(.noBackend))
    }

    @Test func enforcingAgainWaitsUntilTheSurplusIsGone() {
        var settings = AdmissionSettings.fixed(1)
        settings.mode = .observe
        let pool = PoolDriver(settings)
        for id in 1...3 { _ = pool.offer(UInt64(id), at: at(0)) }
        settings.mode = .enforce
        pool.controller.reconfigure(settings: settings, backends: ["a"], now: at(1))
        #expect(pool.offer(4, at: at(2)) == .parked)
        for id in 1...2 { pool.complete(UInt64(id), at: at(3)) }
        #expect(pool.poll(at: at(3)) == nil)
        pool.complete(3, at: at(4))
        #expect(pool.poll(at: at(4)) == .forwarded(4, 0))
    }
}

/// Teaches a pool with a limit of 1 that requests take that long.
private func warmUp(_ pool: PoolDriver, milliseconds: Int64) {
    for step in 0..<Int64(4) {
        let id = 1_000_000 + UInt64(step)
        _ = pool.offer(id, at: at(step * milliseconds))
        pool.complete(id, at: at((step + 1) * milliseconds))
    }
}

/// A pool with a fixed limit that always has more waiting than it can start.
private final class SaturatedPool {
    let pool: PoolDriver
    var served: [TenantID: Int] = [:]
    var servedCost: [TenantID: Double] = [:]
    var actualCost: [TenantID: Double] = [:]
    private var tickets: [UInt64: (tenant: TenantID, cost: Double)] = [:]
    private var running: [UInt64] = []
    private var clock: Int64 = 0

    init(_ settings: AdmissionSettings) {
        pool = PoolDriver(settings)
        while pool.offer(UInt64(running.count), at: at(0)) == .forwarded(0) {
            running.append(UInt64(running.count))
        }
        _ = pool.cancel(UInt64(running.count), at: at(0))
    }

    func fill(_ tenants: [TenantID], each count: Int, cost: Double = 1) {
        for _ in 0..<count {
            for tenant in tenants {
                let id = 1000 + UInt64(tickets.count)
                tickets[id] = (tenant, cost)
                _ = pool.offer(id, at: at(clock), tenant: tenant, cost: cost)
            }
        }
    }

    func serve(_ count: Int) {
        for _ in 0..<count {
            clock += 1
            let ended = running.removeFirst()
            let cost = tickets[ended].flatMap { actualCost[$0.tenant] }
            pool.complete(ended, .failed(.request), cost: cost, at: at(clock))
            for case .forwarded(let id, _) in pool.pollAll(at: at(clock)) {
                running.append(id)
                guard let ticket = tickets[id] else { continue }
                served[ticket.tenant, default: 0] += 1
                servedCost[ticket.tenant, default: 0] += ticket.cost
            }
        }
    }

    deinit {
        for id in running { pool.complete(id, .failed(.request), at: at(clock)) }
    }
}
