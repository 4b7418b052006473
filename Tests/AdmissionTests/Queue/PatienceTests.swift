// What is learnt of clients' patience, and what follows from it for a request.

import Testing

@testable import Admission

@Suite struct PatienceTests {
    @Test func nineDeparturesLeadToTheRightValue() {
        var patience = Patience()
        for step in 1...3 as ClosedRange<Int64> {
            patience.left(afterSeconds: 0.5, isStarted: true, prior: 2, now: at(step))
        }
        #expect(patience.assumedSeconds(now: at(10)) == .infinity, "three may have had any reason")
        for step in 4...9 as ClosedRange<Int64> {
            patience.left(afterSeconds: 0.5, isStarted: true, prior: 2, now: at(step))
        }
        #expect(abs(patience.assumedSeconds(now: at(10)) - 0.5) < 0.03)
    }

    /// Who leaves the queue says nothing of who would leave a request that is under way; who leaves that
    /// does, and who stays.
    @Test func whetherAServiceIsBorneIsToldByThoseWhoWereStarted() {
        var patience = Patience()
        for step in 1...100 as ClosedRange<Int64> {
            patience.left(afterSeconds: 0.6, isStarted: false, prior: 2, now: at(step))
        }
        #expect(patience.isServiceBorne && patience.assumedSeconds(now: at(100)) < 0.7)
        for step in 101...200 as ClosedRange<Int64> {
            patience.left(afterSeconds: 0.6, isStarted: true, prior: 2, now: at(step))
        }
        #expect(!patience.isServiceBorne)
        for step in 201...300 as ClosedRange<Int64> {
            patience.stayed(forSeconds: 0.5, now: at(step))
        }
        #expect(patience.isServiceBorne)
    }

    /// A third leaves early, and the others bear more; or all bear the same.
    @Test func whetherMostOutliveThoseWhoLeaveIsKnown() {
        var patience = Patience()
        for step in 1...99 as ClosedRange<Int64> {
            if step.isMultiple(of: 3) {
                patience.left(afterSeconds: 0.3, isStarted: false, prior: 2, now: at(step))
            } else {
                patience.stayed(forSeconds: 0.5, now: at(step))
            }
        }
        #expect(patience.isOutlived)
        for step in 100...199 as ClosedRange<Int64> {
            if step.isMultiple(of: 3) {
                patience.left(afterSeconds: 0.6, isStarted: false, prior: 2, now: at(step))
            } else {
                patience.stayed(forSeconds: 0.5, now: at(step))
            }
        }
        #expect(!patience.isOutlived)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func halfOfThemLeaveByIt(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var patience = Patience()
        for step in 1...4_000 as ClosedRange<Int64> {
            // Uniform from 0.2 to 1.8 s: the median is 1 s.
            let borne = 0.2 + 1.6 * random.nextUnit()
            patience.left(afterSeconds: borne, isStarted: true, prior: 2, now: at(step))
        }
        let found = patience.assumedSeconds(now: at(4_000))
        #expect((0.75...1.3).contains(found), "\(found), seed \(seed)")
    }

    @Test func whoStaysRaisesIt() {
        var patience = Patience()
        for step in 1...40 as ClosedRange<Int64> {
            patience.left(afterSeconds: 0.2, isStarted: true, prior: 2, now: at(step))
        }
        for step in 41...140 as ClosedRange<Int64> {
            patience.stayed(forSeconds: 5, now: at(step))
        }
        #expect(patience.assumedSeconds(now: at(140)) > 2)
        // Whoever was served before the estimate says nothing.
        let before = patience.assumedSeconds(now: at(140))
        patience.stayed(forSeconds: 0.1, now: at(141))
        #expect(patience.assumedSeconds(now: at(141)) == before)
    }

    @Test func whatNobodyConfirmsFadesAway() {
        var patience = Patience()
        for step in 1...40 as ClosedRange<Int64> {
            patience.left(afterSeconds: 0.2, isStarted: true, prior: 2, now: at(step))
        }
        #expect(patience.assumedSeconds(now: at(60_000)) < 0.22)
        #expect(abs(patience.assumedSeconds(now: at(360_040)) - 0.4) < 0.03)
        #expect(patience.assumedSeconds(now: at(3_600_000)) == .infinity)
    }

    @Test func noTenantSpeaksForTheOthers() {
        var shared = SharedPatience()
        for step in 1...1_000 as ClosedRange<Int64> {
            shared.left(7, afterSeconds: 0.05, prior: 2, now: at(step))
        }
        #expect(shared.assumedSeconds(now: at(1_000)) == .infinity)
        for tenant in 0..<40 as Range<Int32> {
            shared.left(tenant % 8, afterSeconds: 1, prior: 2, now: at(1_000 + Int64(tenant)))
        }
        #expect(shared.assumedSeconds(now: at(1_050)) > 0.5)
    }
}

@Suite struct SurplusTests {
    @Test func plentyIsCountedInThisStretchAndTheLast() {
        var surplus = Surplus()
        for step in 0..<31 as Range<Int64> { surplus.refused(now: at(step), stretchSeconds: 1) }
        let early = surplus.isPlenty(now: at(100), stretchSeconds: 1)
        surplus.refused(now: at(100), stretchSeconds: 1)
        let enough = surplus.isPlenty(now: at(101), stretchSeconds: 1)
        let next = surplus.isPlenty(now: at(1_900), stretchSeconds: 1)
        let after = surplus.isPlenty(now: at(2_950), stretchSeconds: 1)
        #expect(!early && enough && next && !after)
        // A stretch in which nobody came is no stretch of plenty.
        for step in 0..<40 as Range<Int64> {
            surplus.refused(now: at(4_000 + step), stretchSeconds: 1)
        }
        let late = surplus.isPlenty(now: at(6_000), stretchSeconds: 1)
        #expect(!late)
    }
}

@Suite struct ImpatientClientsTests {
    /// A pool of slots of 100 ms whose clients of `tenant` have left after 0.5 s each.
    private func pool(
        _ tenant: TenantID = .anonymous, slots: Int = 1
    ) -> (pool: PoolDriver, now: Int64) {
        var settings = AdmissionSettings.fixed(slots)
        settings.tenants = [TenantSettings(name: "hasty"), TenantSettings(name: "calm")]
        let pool = PoolDriver(settings)
        var now: Int64 = 0
        for id in 0..<20 as Range<UInt64> {
            #expect(pool.offer(id, at: at(now)) == .forwarded(0))
            now += 100
            pool.complete(id, at: at(now))
        }
        fill(pool, slots, at: now)
        for id in 100..<116 as Range<UInt64> {
            #expect(pool.offer(id, at: at(now), tenant: tenant) == .parked)
        }
        now += 500
        for id in 100..<116 as Range<UInt64> { #expect(pool.cancel(id, at: at(now))) }
        for id in 2_000..<UInt64(2_000 + slots) { pool.complete(id, at: at(now)) }
        if slots > 1 {
            // That they took half a second is forgotten.
            for id in 3_000..<3_300 as Range<UInt64> {
                #expect(pool.offer(id, at: at(now)) == .forwarded(0))
                now += 100
                pool.complete(id, at: at(now))
            }
        }
        return (pool, now)
    }

    /// Takes all slots.
    private func fill(_ pool: PoolDriver, _ slots: Int, at now: Int64) {
        for id in 2_000..<UInt64(2_000 + slots) {
            #expect(pool.offer(id, at: at(now)) == .forwarded(0))
        }
    }

    @Test func whoWouldNotLiveToSeeHisResponseIsToldAtOnce() {
        let (pool, now) = pool()
        #expect(pool.offer(200, at: at(now)) == .forwarded(0))
        var answers: [Answer] = []
        for id in 201..<211 as Range<UInt64> { answers.append(pool.offer(id, at: at(now))) }
        // Four or five of 100 ms fit into half a second.
        let parked = answers.filter { $0 == .parked }.count
        #expect((2...5).contains(parked), "\(parked)")
        #expect(answers.last == .rejected(.patience))
    }

    @Test func nobodyIsServedWhoIsAboutToLeave() {
        let (pool, now) = pool()
        #expect(pool.offer(200, at: at(now)) == .forwarded(0))
        #expect(pool.offer(201, at: at(now)) == .parked)
        #expect(pool.poll(at: at(now)) == nil)
        let told = pool.controller.nextDeadline.map { $0.nanoseconds / 1_000_000 - now }
        #expect((350...430).contains(told ?? 0), "\(told ?? 0)")
        #expect(pool.poll(at: at(now + 440)) == .rejected(201, .patience))
        pool.complete(200, at: at(now + 450))
    }

    /// A batch that keeps in step gives no slot back for a long time; who would have to wait for it is told
    /// after less than a quarter of his patience, if enough others come in his place, and slots often enough that
    /// somebody waits for each.
    @Test(arguments: [(40, 16), (20, 16), (40, 1)])
    func whereOthersComeInsteadNobodyWaitsLongForNothing(refusals: Int, slots: Int) {
        let (pool, now) = pool(slots: slots)
        fill(pool, slots, at: now)
        var refused = 0
        var id: UInt64 = 300
        while refused < refusals {
            if pool.offer(id, at: at(now)) == .rejected(.patience) { refused += 1 }
            id += 1
        }
        // Others' turns make room for one more.
        for id in 2_000..<UInt64(2_000 + max(1, slots / 2)) {
            pool.complete(id, at: at(now + 5))
            #expect(pool.poll(at: at(now + 5)) != nil)
        }
        #expect(pool.offer(1_000, at: at(now + 5)) == .parked)
        var told: Int64?
        for step in 6...700 as ClosedRange<Int64> {
            while let polled = pool.poll(at: at(now + step)) {
                if polled == .rejected(1_000, .patience) { told = step }
            }
        }
        // It came at 5 ms and bears half a second, of which the response takes a fifth.
        let isEarly = refusals >= 32 && slots >= 16
        #expect(
            isEarly ? (105...130).contains(told ?? 0) : (370...450).contains(told ?? 0),
            "\(told ?? 0)")
        for running in Array(pool.permits.keys) { pool.complete(running, at: at(now + 3_000)) }
        while case .forwarded(let next, _)? = pool.poll(at: at(now + 3_000)) {
            pool.complete(next, at: at(now + 3_000))
        }
    }

    /// Short requests beside long ones are not refused for what these take.
    @Test func eachTenantsOwnTimeToAFirstByteCounts() {
        let (pool, start) = pool(.named("hasty"))
        var now = start
        // Long ones that last half a second, of which one in ten would use up all of the patience.
        for id in 200..<240 as Range<UInt64> {
            #expect(pool.offer(id, at: at(now), tenant: .named("calm")) == .forwarded(0))
            now += 480
            pool.complete(id, at: at(now))
        }
        #expect(pool.offer(300, at: at(now), tenant: .named("hasty")) == .forwarded(0))
        now += 100
        pool.complete(300, at: at(now))
        #expect(pool.offer(301, at: at(now), tenant: .named("calm")) == .forwarded(0))
        #expect(pool.offer(302, at: at(now), tenant: .named("hasty")) == .parked)
        now += 200
        pool.complete(301, at: at(now))
        #expect(pool.poll(at: at(now)) == .forwarded(302, 0))
        pool.complete(302, at: at(now + 100))
    }

    @Test func oneTenantsHasteIsNotHeldAgainstAnother() {
        let (pool, now) = pool(.named("hasty"))
        #expect(pool.offer(200, at: at(now), tenant: .named("calm")) == .forwarded(0))
        var calm = 0
        for id in 201..<215 as Range<UInt64> {
            if pool.offer(id, at: at(now), tenant: .named("calm")) == .parked { calm += 1 }
        }
        #expect(calm == 14)
        pool.complete(200, at: at(now + 100))
    }

    @Test func departuresAreNoService() {
        let pool = PoolDriver(.fixed(2, queue: 64))
        var now: Int64 = 0
        for id in 0..<20 as Range<UInt64> {
            _ = pool.offer(id, at: at(now))
            now += 100
            pool.complete(id, at: at(now))
        }
        let before = pool.controller.drainRate ?? 0
        // For ten seconds everything is given up after 10 ms.
        for id in 1_000..<2_000 as Range<UInt64> {
            _ = pool.offer(2 * id, at: at(now))
            _ = pool.offer(2 * id + 1, at: at(now))
            now += 10
            for one in [2 * id, 2 * id + 1] where pool.permits[one] != nil {
                pool.complete(one, .cancelled(by: .client, in: .waiting), at: at(now))
            }
            while pool.poll(at: at(now)) != nil {}
        }
        #expect((pool.controller.drainRate ?? 0) < before / 2)
        for id in Array(pool.permits.keys) { pool.complete(id, at: at(now)) }
    }
}
