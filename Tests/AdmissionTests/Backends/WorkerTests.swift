// Workers as the controller has them: rows that take what they say, and from which a request can go back.

import Testing

@testable import Admission

@Suite struct WorkerTests {
    private static func settings(coldWait: Duration = .seconds(60)) -> AdmissionSettings {
        var settings = AdmissionSettings()
        settings.limit = .fixed(FixedLimitSettings(limit: 4))
        settings.queue.maxWait = .seconds(30)
        settings.queue.coldWait = coldWait
        settings.discoversBackends = true
        settings.takesWorkers = true
        return settings
    }

    /// A pool of workers with these credits.
    private static func pool(_ credits: [Int]) -> PoolDriver {
        let pool = PoolDriver(settings(), backends: [])
        let names = credits.indices.map { "w\($0)" }
        pool.controller.replaceBackends([], workers: names, now: at(0))
        for (index, count) in credits.enumerated() { set(count, of: "w\(index)", in: pool) }
        return pool
    }

    private static func set(_ credits: Int, of name: String, in pool: PoolDriver, at now: Int64 = 0)
    {
        guard let id = pool.controller.backendID(forKey: name) else { return }
        pool.controller.setCredits(credits, of: id, now: at(now))
    }

    @Test func aWorkerTakesWhatItSays() {
        let pool = Self.pool([3])
        #expect(pool.controller.limit == 3)
        for id in 1...3 as ClosedRange<UInt64> {
            #expect(pool.offer(id, at: at(1)) == .forwarded(0))
        }
        #expect(pool.offer(4, at: at(1)) == .parked)
        Self.set(4, of: "w0", in: pool, at: 2)
        #expect(pool.poll(at: at(2)) == .forwarded(4, 0))
        // Fewer than it has: nothing new until there is room again.
        Self.set(2, of: "w0", in: pool, at: 3)
        #expect(pool.offer(5, at: at(3)) == .parked)
        for id in 1...2 as ClosedRange<UInt64> { pool.complete(id, at: at(4)) }
        #expect(pool.poll(at: at(4)) == nil)
        pool.complete(3, at: at(5))
        #expect(pool.poll(at: at(5)) == .forwarded(5, 0))
    }

    @Test func withoutCreditsRequestsWaitAsWhileModelsAreLoaded() {
        let pool = Self.pool([1])
        #expect(pool.offer(1, at: at(1)) == .forwarded(0))
        pool.complete(1, at: at(100))
        Self.set(0, of: "w0", in: pool, at: 200)
        #expect(pool.controller.limit == 0)
        #expect(pool.offer(2, at: at(300)) == .parked)
        // Longer than the longest wait, which is for those who wait for a place.
        #expect(pool.poll(at: at(40_000)) == nil)
        pool.controller.replaceBackends([], now: at(45_000))
        #expect(pool.offer(3, at: at(45_000)) == .parked)
        pool.controller.replaceBackends([], workers: ["w1"], now: at(50_000))
        Self.set(2, of: "w1", in: pool, at: 50_000)
        #expect(pool.poll(at: at(50_000)) != nil)
        #expect(pool.poll(at: at(50_000)) != nil)
    }

    @Test func aRequestThatWaitsForItsClientKeepsItsPlace() {
        let pool = Self.pool([1])
        #expect(pool.offer(1, at: at(1)) == .forwarded(0))
        pool.wait(on: .client, 1, at: at(2))
        #expect(pool.offer(2, at: at(3)) == .parked)
        #expect(pool.poll(at: at(3)) == nil)
    }

    @Test func limitsOfThePolicyAndOfOperatorsAreNotForWorkers() {
        let pool = Self.pool([7])
        var overrides = BackendOverrides()
        overrides.limit = 2
        pool.controller.override(overrides, now: at(1))
        #expect(pool.controller.limit == 7)
        var settings = Self.settings()
        settings.limit = .fixed(FixedLimitSettings(limit: 1))
        pool.controller.reconfigure(settings: settings, backends: [], workers: ["w0"], now: at(2))
        #expect(pool.controller.limit == 7)
    }

    @Test func backendsAndWorkersStandSideBySide() {
        let pool = PoolDriver(Self.settings(), backends: ["a"])
        pool.controller.replaceBackends(["a"], workers: ["w"], now: at(0))
        #expect(pool.controller.limit == 4)
        Self.set(2, of: "w", in: pool)
        #expect(pool.controller.limit == 6)
        var forwarded = [0, 0]
        for id in 1...6 as ClosedRange<UInt64> {
            guard case .forwarded(let index) = pool.offer(id, at: at(1)) else { continue }
            forwarded[index] += 1
        }
        #expect(forwarded == [4, 2])
    }

    /// Rows of workers that come and go all day are used again.
    @Test func rowsAreReused() {
        let pool = Self.pool([1])
        for round in 1...1_000 {
            pool.controller.replaceBackends([], workers: ["spot\(round)"], now: at(Int64(round)))
        }
        #expect(pool.controller.backendSlots <= 2)
    }
}
