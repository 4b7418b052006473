// Where requests go whose prompts are known, and which of those that wait goes first.

import Testing

@testable import Admission

@Suite struct AffinityTests {
    private static func settings(_ limit: Int, queue: Int = 64) -> AdmissionSettings {
        var settings = AdmissionSettings.fixed(limit, queue: queue, maxWait: .seconds(60))
        settings.affinity = AffinitySettings()
        return settings
    }

    private static func keys(_ name: UInt64) -> PrefixKeys {
        PrefixIndexTests.keys(name, turns: 1, bytesOfTurn: 20_000)
    }

    @Test func theNextRequestGoesWhereTheFirstWas() {
        for seed in 1...20 as ClosedRange<UInt64> {
            let pool = PoolDriver(Self.settings(4), backends: ["a", "b", "c"], seed: seed)
            guard case .forwarded(let home) = pool.offer(1, at: at(0), prefix: Self.keys(seed))
            else { return #expect(Bool(false), "it did not start") }
            pool.complete(1, at: at(1000))
            for id in 2...10 as ClosedRange<UInt64> {
                let now = at(Int64(id) * 2000)
                #expect(pool.offer(id, at: now, prefix: Self.keys(seed)) == .forwarded(home))
                pool.complete(id, at: at(Int64(id) * 2000 + 1000))
            }
            #expect(pool.controller.affinityCounts?.homeStarts == 9)
            #expect(pool.controller.affinityCounts?.newStarts == 1)
        }
    }

    /// Gateways that know nothing of one another, and whatever dice they would throw.
    @Test func gatewaysAgreeOnWhereToBegin() {
        var chosen: Set<Int> = []
        for name in 1...40 as ClosedRange<UInt64> {
            var answers: [Answer] = []
            for seed in 1...5 as ClosedRange<UInt64> {
                let pool = PoolDriver(Self.settings(4), backends: ["a", "b", "c"], seed: seed)
                answers.append(pool.offer(1, at: at(0), prefix: Self.keys(name)))
            }
            #expect(Set(answers.map { "\($0)" }).count == 1)
            if case .forwarded(let backend) = answers[0] { chosen.insert(backend) }
        }
        #expect(chosen == [0, 1, 2])
    }

    /// Two backends of so many slots, each of which knows one prompt, and has as many requests of nobody's; by
    /// backend, the prompt that it knows and the requests that it has.
    private func full(
        _ settings: AdmissionSettings, slots: UInt64 = 4
    ) -> (PoolDriver, known: [UInt64], running: [[UInt64]]) {
        let pool = PoolDriver(settings, backends: ["a", "b"])
        var known: [UInt64] = [0, 0]
        for name in 1...20 as ClosedRange<UInt64> {
            let now = Int64(name) * 10_000
            if case .forwarded(let home) = pool.offer(name, at: at(now), prefix: Self.keys(name)) {
                known[home] = name
            }
            pool.complete(name, at: at(now + 1000))
        }
        var running: [[UInt64]] = [[], []]
        for id in 100..<(100 + 2 * slots) as Range<UInt64> {
            if case .forwarded(let backend) = pool.offer(id, at: at(300_000)) {
                running[backend].append(id)
            }
        }
        return (pool, known, running)
    }

    /// Also where there is one, so that whoever starts loses nothing against waiting for the other backend.
    @Test(arguments: [1, 4] as [UInt64])
    func aFreedSlotTakesWhoIsKnownThere(_ slots: UInt64) {
        let (pool, known, running) = full(Self.settings(Int(slots)), slots: slots)
        #expect(pool.offer(203, at: at(300_010), prefix: Self.keys(known[0])) == .parked)
        #expect(pool.offer(204, at: at(300_020), prefix: Self.keys(known[1])) == .parked)
        pool.complete(running[1][0], at: at(301_000))
        #expect(pool.poll(at: at(301_000)) == .forwarded(204, 1))
        pool.complete(running[0][0], at: at(302_000))
        #expect(pool.poll(at: at(302_000)) == .forwarded(203, 0))
        #expect(pool.controller.affinityCounts?.mostPasses == 1)
    }

    @Test func withoutAffinityTheFirstGoesFirst() {
        var settings = Self.settings(4)
        settings.affinity = nil
        let (pool, known, running) = full(settings)
        #expect(pool.offer(203, at: at(300_010), prefix: Self.keys(known[0])) == .parked)
        #expect(pool.offer(204, at: at(300_020), prefix: Self.keys(known[1])) == .parked)
        pool.complete(running[1][0], at: at(301_000))
        #expect(pool.poll(at: at(301_000)) == .forwarded(203, 1))
        #expect(pool.controller.affinityCounts == nil)
    }

    /// The one whose home never has a free slot is passed eight times and no more.
    @Test func nobodyIsPassedForEver() {
        let (pool, known, running) = full(Self.settings(4))
        #expect(pool.offer(203, at: at(300_010), prefix: Self.keys(known[0])) == .parked)
        // Before the other backend's silence says something.
        var now: Int64 = 300_200
        var last = running[1][0]
        var passed = 0
        for id in 300...330 as ClosedRange<UInt64> {
            #expect(pool.offer(id, at: at(now - 50), prefix: Self.keys(known[1])) == .parked)
            pool.complete(last, at: at(now))
            guard case .forwarded(let started, 1)? = pool.poll(at: at(now)) else {
                return #expect(Bool(false), "nobody started")
            }
            if started == 203 { break }
            passed += 1
            last = started
            now += 100
        }
        #expect(passed == 8)
        // Each start counts once: twenty prompts that were new, the eight, and the one.
        var counts = AffinityCounts()
        counts.promptBytes = 29 * 20_000
        counts.predictedBytes = 8 * 20_000
        counts.newStarts = 20
        counts.homeStarts = 8
        counts.forcedStarts = 1
        counts.passes = [8, 0, 0, 0, 1, 0, 0, 0, 0, 0]
        counts.passesSum = 8
        counts.mostPasses = 8
        #expect(pool.controller.affinityCounts == counts)
    }

    @Test func passesAreCountedByTheBoundsThatAreSaid() {
        let passes = [0, 1, 2, 3, 4, 7, 8, 96, 127, 128, 255, 256, 100_000]
        var counts = AffinityCounts()
        for count in passes { counts.countPasses(count) }
        var below = 0
        for (index, bound) in counts.passBounds.enumerated() {
            below += counts.passes[index]
            #expect(below == passes.count { $0 <= bound }, "\(bound)")
        }
        #expect(below + counts.passes[counts.passBounds.count] == passes.count)
        #expect(counts.passesSum == passes.reduce(0, +) && counts.mostPasses == 100_000)
    }

    /// What a backend says nothing of is neither a hit nor a miss.
    @Test func onlyAnswersThatSayWhatWasKnownCount() {
        let pool = PoolDriver(Self.settings(4), backends: ["a"])
        for id in 1...3 as ClosedRange<UInt64> {
            _ = pool.offer(id, at: at(Int64(id) * 100), prefix: Self.keys(1))
        }
        pool.complete(1, at: at(1000))
        pool.complete(2, prompt: 5000, cached: 2500, at: at(1010))
        pool.complete(3, prompt: 5000, cached: 0, at: at(1020))
        let counts = pool.controller.affinityStatus?.counts
        #expect(counts?.promptBytes == 60_000 && counts?.predictedBytes == 40_000)
        #expect(counts?.answeredBytes == 40_000 && counts?.reportedBytes == 10_000)
    }

    @Test func whatIsSeenOfItIsThereOnlyWithIt() {
        var settings = Self.settings(4)
        let pool = PoolDriver(settings, backends: ["a"])
        _ = pool.offer(1, at: at(0), prefix: Self.keys(1))
        pool.complete(1, at: at(50))
        #expect(pool.controller.affinityStatus?.entries == 1)
        #expect(pool.controller.affinityStatus?.capacity == 65_536)
        #expect(pool.status()?.cacheTokens == 1_000_000)
        settings.affinity = nil
        pool.reconfigure(settings, at: at(60))
        #expect(pool.controller.affinityStatus == nil && pool.status()?.cacheTokens == nil)
    }

    /// A tenant that floods with prompts that are known where slots come free gets no more than eight
    /// requests before another one's turn.
    @Test func affinityStaysWithinFairness() {
        var settings = Self.settings(1, queue: 256)
        settings.tenants = [TenantSettings(name: "a"), TenantSettings(name: "b")]
        let (pool, known, running) = full(settings)
        var counts: [Bool: Int] = [:]
        for id in 1000..<1100 as Range<UInt64> {
            _ = pool.offer(id, at: at(300_010), tenant: .named("a"), prefix: Self.keys(known[1]))
            _ = pool.offer(
                id + 1000, at: at(300_010), tenant: .named("b"), prefix: Self.keys(known[0]))
        }
        var last = running[1][0]
        for step in 1...100 as ClosedRange<Int64> {
            // Before the other backend's silence says something.
            pool.complete(last, at: at(300_010 + step * 40))
            guard case .forwarded(let id, 1)? = pool.poll(at: at(300_010 + step * 40)) else {
                return #expect(Bool(false), "nobody started")
            }
            // Turns are of time, and a usual request took much longer before.
            if step > 40 { counts[id < 2000, default: 0] += 1 }
            last = id
        }
        let difference = counts[true, default: 0] - counts[false, default: 0]
        #expect(abs(difference) <= 10, "\(counts)")
    }

    /// A cache is taken for lost after a minute without anything new, and not before.
    @Test(arguments: [30, 59, 61, 600] as [Int64])
    func aDrainedBackendIsForgotten(_ seconds: Int64) {
        let pool = PoolDriver(Self.settings(4), backends: ["a"])
        #expect(pool.offer(1, at: at(0), prefix: Self.keys(1)) == .forwarded(0))
        pool.complete(1, at: at(50))
        var drained = BackendSignal()
        drained.order = .drain
        _ = pool.signal(.said(drained, by: .push), at: at(1_000))
        _ = pool.signal(.said(BackendSignal(), by: .push), at: at(1_000 + seconds * 1_000))
        let now = at(2_000 + seconds * 1_000)
        #expect(pool.offer(2, at: now, prefix: Self.keys(1)) == .forwarded(0))
        let isKept = seconds < 60
        #expect(pool.controller.affinityCounts?.homeStarts == (isKept ? 1 : 0))
        #expect(pool.controller.affinityCounts?.newStarts == (isKept ? 1 : 2))
    }

    @Test func smallCachesAreFoundOut() {
        let pool = PoolDriver(Self.settings(4), backends: ["a"])
        let before = pool.controller.cacheTokens(of: BackendID(index: 0))
        #expect(before == 1_000_000)
        // Of the first one nothing should have been known.
        for id in 0...400 as ClosedRange<UInt64> {
            _ = pool.offer(id, at: at(Int64(id) * 100), prefix: Self.keys(1))
            pool.complete(
                id, prompt: 5000, cached: id % 2 == 0 ? 5000 : 100, at: at(Int64(id) * 100 + 50))
        }
        let after = pool.controller.cacheTokens(of: BackendID(index: 0))
        #expect(after < 700_000 && after > 500_000, "\(after)")
    }

    /// Engines keep prompts in blocks, and know nothing of what is shorter than one.
    @Test func reportsOfShortPromptsSayNothing() {
        let pool = PoolDriver(Self.settings(4), backends: ["a"])
        for id in 0...400 as ClosedRange<UInt64> {
            let keys = PrefixIndexTests.keys(1, turns: 1, bytesOfTurn: 1_500)
            _ = pool.offer(id, at: at(Int64(id) * 100), prefix: keys)
            pool.complete(id, prompt: 190, cached: 0, at: at(Int64(id) * 100 + 50))
        }
        #expect(pool.controller.cacheTokens(of: BackendID(index: 0)) == 1_000_000)
        #expect(pool.controller.affinityCounts?.homeStarts == 400)
    }

    @Test func aBackendThatKnowsNothingWasStartedAnew() {
        let pool = PoolDriver(Self.settings(4), backends: ["a", "b"])
        guard case .forwarded(let home) = pool.offer(1, at: at(0), prefix: Self.keys(1)) else {
            return #expect(Bool(false), "it did not start")
        }
        pool.complete(1, prompt: 5000, cached: 0, at: at(50))
        for id in 2...4 as ClosedRange<UInt64> {
            #expect(
                pool.offer(id, at: at(Int64(id) * 100), prefix: Self.keys(1)) == .forwarded(home))
            pool.complete(id, prompt: 5000, cached: 0, at: at(Int64(id) * 100 + 50))
        }
        _ = pool.offer(5, at: at(1000), prefix: Self.keys(1))
        #expect(pool.controller.affinityCounts?.homeStarts == 3)
        #expect(pool.controller.affinityCounts?.newStarts == 2)
    }

    @Test func aReloadKeepsWhatIsKnown() {
        var settings = Self.settings(4)
        let pool = PoolDriver(settings, backends: ["a", "b"])
        _ = pool.offer(1, at: at(0), prefix: Self.keys(1))
        pool.complete(1, at: at(50))
        settings.queue.maxRequests = 7
        pool.reconfigure(settings, backends: ["a", "b", "c"], at: at(60))
        _ = pool.offer(2, at: at(100), prefix: Self.keys(1))
        pool.complete(2, at: at(150))
        #expect(pool.controller.affinityCounts?.homeStarts == 1)
        settings.affinity = nil
        pool.reconfigure(settings, backends: ["a", "b", "c"], at: at(160))
        #expect(pool.controller.affinityCounts == nil && pool.controller.affinityEntries == (0, 0))
        settings.affinity = AffinitySettings()
        pool.reconfigure(settings, backends: ["a", "b", "c"], at: at(170))
        _ = pool.offer(3, at: at(200), prefix: Self.keys(1))
        #expect(pool.controller.affinityCounts?.newStarts == 2)
    }

    @Test func whoWaitsWhileAffinityIsTurnedOnIsServed() {
        let pool = PoolDriver(.fixed(1))
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        for id in 2...4 as ClosedRange<UInt64> { #expect(pool.offer(id, at: at(0)) == .parked) }
        var settings = AdmissionSettings.fixed(1)
        settings.affinity = AffinitySettings()
        pool.reconfigure(settings, at: at(10))
        for id in 1...3 as ClosedRange<UInt64> {
            pool.complete(id, at: at(Int64(id) * 100))
            #expect(pool.poll(at: at(Int64(id) * 100)) == .forwarded(id + 1, 0))
        }
        // And what is in flight while it is turned off ends as any other.
        #expect(pool.offer(5, at: at(310), prefix: Self.keys(1)) == .parked)
        pool.complete(4, at: at(400))
        #expect(pool.poll(at: at(400)) == .forwarded(5, 0))
        pool.reconfigure(.fixed(1), at: at(410))
        pool.complete(5, at: at(500))
        #expect(pool.controller.inFlight == 0)
    }
}

extension PoolDriver {
    fileprivate func complete(_ id: UInt64, prompt: Int, cached: Int, at now: Instant) {
        var work = ServedWork()
        work.promptTokens = UInt32(prompt)
        work.cachedTokens = UInt32(cached)
        complete(id, work, at: now)
    }
}
