// Backends that are said not to be ready: believed while others carry the load, and not where nobody would be left.

import Testing

@testable import Admission

@Suite struct ReadinessTests {
    private static let four = ["a", "b", "c", "d"]

    /// Offers `count` requests at `now` and ends them; how many each backend got.
    private static func spread(
        _ pool: PoolDriver, _ count: UInt64 = 40, from first: UInt64, at now: Instant
    ) -> [Int: Int] {
        var got: [Int: Int] = [:]
        var running: [UInt64] = []
        for id in first..<(first + count) {
            guard case .forwarded(let backend) = pool.offer(id, at: now) else { continue }
            got[backend, default: 0] += 1
            running.append(id)
            if running.count == 8 {
                for id in running { pool.complete(id, at: now) }
                running = []
            }
        }
        for id in running { pool.complete(id, at: now) }
        // Who waits is not what is looked at here.
        for id in first..<(first + count) where pool.handles[id] != nil {
            _ = pool.cancel(id, at: now)
        }
        return got
    }

    private static func state(_ pool: PoolDriver, _ index: Int, at now: Instant)
        -> BackendSignal.State
    {
        let heard = pool.controller.signals(of: BackendID(index: index), now: now)
        return heard.first { $0.source == .discovery }?.signal.state ?? .ready
    }

    @Test func whoIsNotReadyGetsNothingWhileOthersCarryTheLoad() {
        let pool = PoolDriver(.fixed(4), backends: Self.four)
        #expect(Self.spread(pool, from: 1, at: at(1)).count == 4)
        pool.controller.setUnready(["b"], now: at(2))
        #expect(Set(Self.spread(pool, from: 100, at: at(3)).keys) == [0, 2, 3])
        #expect(Self.state(pool, 1, at: at(3)) == .drain)
        // It has half of the limits in the others still.
        pool.controller.setUnready(["b", "c"], now: at(4))
        #expect(Set(Self.spread(pool, from: 200, at: at(5)).keys) == [0, 3])
        pool.controller.setUnready([], now: at(6))
        #expect(Self.spread(pool, from: 300, at: at(7)).count == 4)
        #expect(Self.state(pool, 1, at: at(7)) == .ready)
    }

    /// F13: probes fail at saturation, of one after the other, and then of all.
    @Test func whoWorksIsBelievedMoreThanItsProbe() {
        let pool = PoolDriver(.fixed(4), backends: Self.four)
        #expect(Self.spread(pool, from: 1, at: at(1)).count == 4)
        pool.controller.setUnready(["b", "c", "d"], now: at(2_000))
        #expect(Self.spread(pool, from: 100, at: at(2_001)).count == 4)
        pool.controller.setUnready(Set(Self.four), now: at(3_000))
        for round in 0..<20 as Range<Int64> {
            let got = Self.spread(
                pool, from: 1_000 + UInt64(round) * 100, at: at(4_000 + round * 5_000))
            #expect(got.count == 4, "round \(round)")
        }
    }

    /// The negative control: silence and a probe that says no are not saturation.
    @Test func whoIsSilentAsWellGetsNothing() {
        let pool = PoolDriver(.fixed(4), backends: Self.four)
        pool.controller.setUnready(Set(Self.four), now: at(1))
        #expect(pool.offer(1, at: at(2)) == .rejected(.noBackend))
        // One that is there, and new.
        pool.controller.setUnready(["b", "c", "d"], now: at(3))
        #expect(Set(Self.spread(pool, from: 100, at: at(4)).keys) == [0])
        // All work, and stop: after ten seconds they are believed.
        let quiet = PoolDriver(.fixed(4), backends: Self.four)
        #expect(Self.spread(quiet, from: 1, at: at(1)).count == 4)
        quiet.controller.setUnready(Set(Self.four), now: at(2))
        #expect(Self.state(quiet, 0, at: at(2)) == .ready)
        #expect(quiet.offer(500, at: at(10_500)) == .rejected(.noBackend))
        #expect(Self.state(quiet, 0, at: at(10_500)) == .drain)
        quiet.controller.setUnready([], now: at(11_000))
        #expect(Self.spread(quiet, from: 600, at: at(11_001)).count == 4)
    }

    @Test func whatRunsGoesOnAndIsCounted() {
        let pool = PoolDriver(.fixed(4), backends: ["a", "b"])
        var atB: [UInt64] = []
        for id in 1...8 as ClosedRange<UInt64> {
            if case .forwarded(1) = pool.offer(id, at: at(0)) { atB.append(id) }
        }
        pool.controller.setUnready(["b"], now: at(1))
        #expect(pool.controller.inFlight == 8)
        for id in atB { pool.complete(id, at: at(2)) }
        #expect(pool.offer(20, at: at(3)) == .parked)
        // It is ready again, and takes who waits.
        pool.controller.setUnready([], now: at(4))
        #expect(pool.poll(at: at(4)) == .forwarded(20, 1))
    }

    /// Ejected ones carry nothing.
    @Test func othersThatAreGoneDoNotCount() {
        let pool = PoolDriver(.fixed(4), backends: ["a", "b"])
        #expect(Self.spread(pool, from: 1, at: at(1)).count == 2)
        pool.controller.refused(BackendID(index: 0), now: at(2))
        pool.controller.setUnready(["b"], now: at(3))
        #expect(Set(Self.spread(pool, 4, from: 100, at: at(4)).keys) == [1])
    }

    /// Half of them are ready and full: then the others are needed, if they work.
    @Test func whereSomebodyWaitsWhoWorksGoesOn() {
        let pool = PoolDriver(.fixed(4), backends: Self.four)
        #expect(Self.spread(pool, from: 1, at: at(1)).count == 4)
        pool.controller.setUnready(["c", "d"], now: at(2))
        for id in 100...107 as ClosedRange<UInt64> {
            guard case .forwarded(let backend) = pool.offer(id, at: at(3)) else {
                Issue.record("\(id) did not start")
                continue
            }
            #expect(backend < 2)
        }
        #expect(pool.offer(108, at: at(4)) == .parked)
        // It is looked at once a second.
        guard case .forwarded(108, let backend)? = pool.poll(at: at(1_010)) else {
            Issue.record("the one that waits did not start")
            return
        }
        #expect(backend >= 2)
        // Nobody waits any more.
        for id in pool.permits.keys { pool.complete(id, at: at(1_020)) }
        #expect(Set(Self.spread(pool, 8, from: 200, at: at(2_500)).keys) == [0, 1])
    }

    /// Those that are ready again count at once.
    @Test func whoIsReadyAgainCarriesTheLoad() {
        let pool = PoolDriver(.fixed(4), backends: Self.four)
        #expect(Self.spread(pool, from: 1, at: at(1)).count == 4)
        pool.controller.setUnready(["a", "b"], now: at(2))
        pool.controller.setUnready(["c", "d"], now: at(3))
        #expect(Set(Self.spread(pool, from: 100, at: at(4)).keys) == [0, 1])
    }

    @Test func whatOperatorsSayStays() {
        let pool = PoolDriver(.fixed(4), backends: ["a", "b"])
        var drain = BackendSignal()
        drain.order = .drain
        pool.signal(.said(drain, by: .push), at: at(1))
        pool.controller.setUnready(["a"], now: at(2))
        pool.controller.setUnready([], now: at(3))
        #expect(Set(Self.spread(pool, 4, from: 100, at: at(4)).keys) == [1])
    }

    @Test func whoLeavesAndReturnsIsReady() {
        let pool = PoolDriver(.fixed(4), backends: ["a", "b", "c"])
        pool.controller.setUnready(["b"], now: at(1))
        pool.controller.replaceBackends(["a", "c"], now: at(2))
        pool.controller.setUnready([], now: at(2))
        pool.controller.replaceBackends(["a", "b", "c"], now: at(3))
        pool.controller.setUnready([], now: at(3))
        #expect(Self.spread(pool, from: 100, at: at(4)).count == 3)
    }

    /// Whatever is said, somebody who is ready or works gets requests, and who is neither does not.
    @Test(arguments: 1...20) func anyWords(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let pool = PoolDriver(.fixed(4), backends: Self.four)
        var heardAt = [Int64](repeating: -100_000, count: 4)
        var shortAt: Int64 = -100_000
        var unready: Set<String> = []
        var id: UInt64 = 1
        var now: Int64 = 0
        for step in 0..<200 {
            now += Int64(random.next(below: 6_000))
            if random.next(below: 2) == 0 {
                unready = Set(Self.four.filter { _ in random.next(below: 2) == 0 })
                pool.controller.setUnready(unready, now: at(now))
            }
            let got = Self.spread(pool, 8, from: id, at: at(now))
            id += 8
            let ready = (0..<4).filter { !unready.contains(Self.four[$0]) }
            // Looked at once a second.
            let surely = (0..<4).filter { now - heardAt[$0] < 9_000 }
            let perhaps = (0..<4).filter { now - heardAt[$0] < 11_001 }
            let carry = ready.count >= 2 && now - shortAt > 2_000
            let expected = Set(ready + (carry ? [] : perhaps))
            #expect(Set(got.keys).isSubset(of: expected), "seed \(seed), step \(step)")
            if !ready.isEmpty || !surely.isEmpty {
                #expect(!got.isEmpty, "seed \(seed), step \(step)")
            }
            for index in got.keys { heardAt[index] = now }
            if got.values.reduce(0, +) < 8 { shortAt = now }
        }
    }
}
