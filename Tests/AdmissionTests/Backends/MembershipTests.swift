// Backends that come and go while a pool serves: who leaves gets nothing new, who returns goes on where it left.

import Testing

@testable import Admission

@Suite struct MembershipTests {
    private static func settings() -> AdmissionSettings {
        var limit = AIMDLimitSettings()
        limit.initial = 16
        limit.backoff = 0.5
        var settings = AdmissionSettings()
        settings.limit = .aimd(limit)
        return settings
    }

    /// A pool of `backends` in which the limit of the first has been halved, which is learnt from nothing else.
    private static func pool(_ backends: [String]) -> PoolDriver {
        let pool = PoolDriver(settings(), backends: backends)
        var id: UInt64 = 0
        // Requests are spread: some are the first one's.
        for _ in 0..<backends.count * 2 {
            id += 1
            if case .forwarded(0) = pool.offer(id, at: at(1)) {
                pool.complete(id, .overload, at: at(2))
                break
            }
        }
        for other in pool.permits.keys { pool.complete(other, at: at(3)) }
        precondition(limit(of: backends[0], in: pool) == 8, "the first one's limit was to fall")
        return pool
    }

    private static func limit(of key: String, in pool: PoolDriver) -> Int? {
        pool.controller.backendID(forKey: key).flatMap {
            pool.controller.backend($0, now: at(0))?.limit
        }
    }

    @Test func whoLeavesGetsNothingNewAndEndsWhatItHas() throws {
        let pool = PoolDriver(.fixed(4), backends: ["a", "b"])
        var at0: [UInt64] = []
        for id in 1...8 as ClosedRange<UInt64> {
            if case .forwarded(0) = pool.offer(id, at: at(0)) { at0.append(id) }
        }
        #expect(at0.count == 4)
        pool.controller.replaceBackends(["b"], now: at(1))
        #expect(pool.controller.backendCount == 1 && pool.controller.inFlight == 8)
        #expect(pool.controller.limit == 4)
        for id in at0 { pool.complete(id, at: at(2)) }
        // Its slots are nobody's.
        #expect(pool.offer(20, at: at(3)) == .parked)
        #expect(pool.poll(at: at(3)) == nil)
    }

    @Test func whoReturnsGoesOnWithWhatWasLearnt() {
        for isTaken in [false, true] {
            let pool = Self.pool(["a", "b"])
            pool.controller.replaceBackends(["b"], now: at(1_000))
            // Another one takes the row meanwhile, or nobody does.
            if isTaken {
                pool.controller.replaceBackends(["b", "c"], now: at(2_000))
                #expect(Self.limit(of: "c", in: pool) == 16)
                #expect(pool.controller.backendSlots == 2)
            }
            pool.controller.replaceBackends(["a", "b"], now: at(601_000))
            #expect(Self.limit(of: "a", in: pool) == 8)
            #expect(Self.limit(of: "b", in: pool) == 16)
        }
    }

    /// The negative control of the one above: what is too old, or another one's, is learnt anew.
    @Test func whoReturnsLateOrIsAnotherBeginsAnew() {
        for isTaken in [false, true] {
            let pool = Self.pool(["a", "b"])
            pool.controller.replaceBackends(isTaken ? ["b", "c"] : ["b"], now: at(1_000))
            pool.controller.replaceBackends(["a", "b"], now: at(601_001))
            #expect(Self.limit(of: "a", in: pool) == 16)
        }
        let pool = Self.pool(["a", "b"])
        pool.controller.replaceBackends(["a\nanother", "b"], now: at(1_000))
        #expect(Self.limit(of: "a\nanother", in: pool) == 16)
        #expect(Self.limit(of: "a", in: pool) == nil)
    }

    /// A reload keeps it as well, under the settings that it brings.
    @Test func aReloadRemembersToo() {
        let pool = Self.pool(["a", "b"])
        pool.reconfigure(Self.settings(), backends: ["b"], at: at(1_000))
        var settings = Self.settings()
        settings.limit = .fixed(FixedLimitSettings(limit: 3))
        pool.reconfigure(Self.settings(), backends: ["a", "b"], at: at(2_000))
        #expect(Self.limit(of: "a", in: pool) == 8)
        pool.reconfigure(Self.settings(), backends: ["b"], at: at(3_000))
        pool.reconfigure(settings, backends: ["a", "b"], at: at(4_000))
        #expect(Self.limit(of: "a", in: pool) == 3)
    }

    @Test func whatIsRememberedHasABound() {
        var departed = DepartedBackends()
        let limiter = Limiter(Self.settings().limit, seed: 1, now: at(0))
        let count = DepartedBackends.most + 10
        for number in 0..<count {
            var row = Backend(key: "\(number)", limiter: limiter, now: at(0))
            row.leave(now: at(Int64(number)))
            departed.keep(row, now: at(Int64(number)))
        }
        #expect(departed.count == DepartedBackends.most)
        #expect(departed.take("9", now: at(1_000)) == nil)
        #expect(departed.take("10", now: at(1_000))?.key == "10")
        #expect(departed.take("10", now: at(1_000)) == nil)
        let late = at(Int64(count) + 600_001)
        #expect(departed.take("20", now: late) == nil)
    }

    /// Whatever the sets: requests go to those that are present, permits come back, and the table of rows is no
    /// longer than those that are present or have something running.
    @Test(arguments: 1...20) func anySetsInAnyOrder(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let names = (0..<12).map { "b\($0)" }
        let pool = PoolDriver(.fixed(3), backends: ["b0"], seed: UInt64(seed))
        var present: Set<String> = ["b0"]
        var running: [UInt64] = []
        var most = 1
        var now: Int64 = 0
        for step in 1...400 as ClosedRange<UInt64> {
            now += Int64(random.next() % 2_000)
            switch random.next() % 4 {
            case 0:
                present = Set(names.filter { _ in random.next() % 3 == 0 })
                pool.controller.replaceBackends(present.sorted(), now: at(now))
                let busy = (0..<pool.controller.backendSlots).count {
                    let status = pool.status($0, at: at(now))
                    return status?.isPresent == true || status.map { $0.inFlight > 0 } == true
                }
                most = max(most, busy)
            case 1 where !running.isEmpty:
                let index = Int(random.next() % UInt64(running.count))
                pool.complete(running.remove(at: index), at: at(now))
            default:
                if case .forwarded(let index) = pool.offer(step, at: at(now)) {
                    let status = pool.status(index, at: at(now))
                    #expect(status.map { present.contains($0.key) && $0.isPresent } == true)
                    running.append(step)
                }
            }
            while let polled = pool.poll(at: at(now)) {
                guard case .forwarded(let id, let index) = polled else { continue }
                #expect(pool.status(index, at: at(now)).map { present.contains($0.key) } == true)
                running.append(id)
            }
            #expect(pool.controller.inFlight == running.count, "seed \(seed), step \(step)")
            #expect(pool.controller.backendCount == present.count, "seed \(seed), step \(step)")
            #expect(pool.controller.backendSlots <= most + names.count)
        }
        for id in running { pool.complete(id, at: at(now)) }
        #expect(pool.controller.inFlight == 0)
    }

    /// Until the first backend is discovered, requests wait as for models that are loaded.
    @Test func whoseBackendsAreYetToBeDiscoveredWaits() {
        var settings = AdmissionSettings.fixed(1)
        settings.queue.coldWait = .seconds(60)
        let pool = PoolDriver(settings, backends: [])
        #expect(pool.offer(1, at: at(0)) == .rejected(.noBackend))
        settings.discoversBackends = true
        pool.reconfigure(settings, backends: [], at: at(1))
        #expect(pool.offer(2, at: at(1)) == .parked)
        pool.controller.replaceBackends(["a"], now: at(30_000))
        #expect(pool.poll(at: at(30_000)) == .forwarded(2, 0))
    }
}
