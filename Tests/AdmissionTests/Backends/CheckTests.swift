// Active checks of backends, and what they are believed.

import Testing

@testable import Admission

@Suite struct CheckTests {
    private func pool(_ backends: [String] = ["a", "b"]) -> PoolDriver {
        PoolDriver(.fixed(4, queue: 0), backends: backends)
    }

    /// So many checks, a second apart, end so.
    private func check(
        _ pool: PoolDriver, _ result: CheckResult, _ backend: Int = 0, times: Int, from start: Int64
    ) -> Int {
        (0..<times).reduce(0) { changes, step in
            let now = at(start + Int64(step) * 1_000)
            return changes + (pool.check(result, backend, at: now) ? 1 : 0)
        }
    }

    /// Where requests go that come at that moment, and end at once.
    private func served(_ pool: PoolDriver, at now: Int64, first: UInt64) -> Set<Int> {
        var backends: Set<Int> = []
        for id in first..<first + 20 {
            guard case .forwarded(let backend) = pool.offer(id, at: at(now)) else { continue }
            backends.insert(backend)
            pool.complete(id, at: at(now + 1))
        }
        return backends
    }

    @Test func itGetsNothingUntilItsChecksPass() {
        let pool = pool()
        #expect(check(pool, .failed, times: 2, from: 0) == 0)
        #expect(served(pool, at: 2_000, first: 0) == [0, 1])
        #expect(check(pool, .failed, times: 1, from: 3_000) == 1)
        #expect(pool.status(0, at: at(3_000))?.suspicion == .check)
        #expect(pool.status(0, at: at(3_000))?.isFailingChecks == true)
        // Not even a trial, however long it takes.
        for second in 4..<60 as Range<Int64> {
            #expect(served(pool, at: second * 1_000, first: UInt64(second) * 100) == [1])
        }
        #expect(check(pool, .passed, times: 1, from: 60_000) == 0)
        #expect(check(pool, .passed, times: 1, from: 61_000) == 1)
        #expect(pool.status(0, at: at(61_000))?.isFailingChecks == false)
        #expect(served(pool, at: 62_000, first: 10_000) == [0, 1])
        #expect(served(pool, at: 70_000, first: 11_000) == [0, 1])
        #expect(pool.status(0, at: at(70_000))?.suspicion == nil)
        #expect(pool.controller.suspicions(of: BackendID(index: 0), .check) == 1)
    }

    @Test func aGoodOneInBetweenBeginsAnew() {
        let pool = pool()
        for round in 0..<10 as Range<Int64> {
            #expect(check(pool, .failed, times: 2, from: round * 10_000) == 0)
            #expect(check(pool, .passed, times: 1, from: round * 10_000 + 5_000) == 0)
        }
        #expect(pool.status(0, at: at(100_000))?.suspicion == nil)
    }

    @Test func aTimeOutDoesNotCountWhileResponsesCome() {
        let pool = pool()
        for step in 0..<20 as Range<Int64> {
            _ = served(pool, at: step * 5_000, first: UInt64(step) * 100)
            #expect(!pool.check(.timedOut, at: at(step * 5_000 + 4_900)))
        }
        #expect(pool.controller.checks(of: BackendID(index: 0), .timedOut) == (20, 20))
        #expect(check(pool, .timedOut, times: 3, from: 110_000) == 1)
        #expect(pool.controller.checks(of: BackendID(index: 0), .timedOut) == (23, 20))
    }

    /// That requests wait there is no sign of life.
    @Test func aTimeOutCountsWhileRequestsOnlyWait() {
        let pool = pool()
        var changes = 0
        for step in 1...3 as ClosedRange<Int64> {
            _ = pool.offer(UInt64(step), at: at(step * 5_000))
            if pool.check(.timedOut, at: at(step * 5_000 + 100)) { changes += 1 }
        }
        #expect(changes == 1)
    }

    @Test func aStatusCountsWhileResponsesCome() {
        let pool = pool()
        _ = served(pool, at: 0, first: 0)
        #expect(check(pool, .failed, times: 3, from: 10) == 1)
    }

    @Test func whatRequestsHaveShownIsNotCleared() {
        let pool = pool()
        _ = served(pool, at: 0, first: 0)
        // Sick for requests, and well for checks.
        for id in 100..<200 as Range<UInt64> {
            let now = Int64(id) * 10
            guard case .forwarded(let backend) = pool.offer(id, at: at(now)) else { continue }
            pool.complete(id, backend == 0 ? .failed(.status) : .success, at: at(now + 1))
        }
        #expect(pool.status(0, at: at(2_000))?.suspicion == .failures)
        #expect(check(pool, .passed, times: 10, from: 2_001) == 0)
        #expect(pool.status(0, at: at(12_000))?.suspicion == .failures)
    }

    /// In flight since before, requests that end well do not bring it back.
    @Test func whatItHadIsNoTrial() {
        let pool = pool()
        var own: [UInt64] = []
        for id in 0..<8 as Range<UInt64> where pool.offer(id, at: at(0)) == .forwarded(0) {
            own.append(id)
        }
        #expect(own.count == 4)
        #expect(check(pool, .failed, times: 3, from: 1) == 1)
        for id in own { pool.complete(id, at: at(5_000)) }
        #expect(pool.status(0, at: at(5_000))?.suspicion == .check)
        pool.complete(7, at: at(5_001))
        #expect(served(pool, at: 6_000, first: 100) == [1])
    }

    @Test func oneThatIsAloneIsWatchedOnly() {
        let pool = pool(["a"])
        #expect(check(pool, .failed, times: 10, from: 0) == 0)
        #expect(pool.status(0, at: at(10_000))?.isFailingChecks == true)
        #expect(served(pool, at: 10_000, first: 0) == [0])
    }

    @Test func halfOfThemAreWithheldAtMost() {
        let pool = pool(["a", "b", "c", "d"])
        let changes = (0..<4).map { check(pool, .failed, $0, times: 3, from: Int64($0) * 10_000) }
        #expect(changes == [1, 1, 0, 0])
        #expect(served(pool, at: 50_000, first: 0) == [2, 3])
        // One that comes back makes room for one that fails.
        #expect(check(pool, .passed, 0, times: 2, from: 51_000) == 1)
        #expect(check(pool, .failed, 2, times: 1, from: 54_000) == 1)
        #expect(served(pool, at: 60_000, first: 100) == [0, 3])
    }

    /// One that refuses connections is no help.
    @Test func oneWhoseSiblingsAreNotThereIsWatchedOnly() {
        let pool = pool()
        pool.controller.refused(BackendID(index: 1), now: at(0))
        #expect(check(pool, .failed, times: 3, from: 1) == 0)
        pool.controller.connected(BackendID(index: 1), now: at(4_000))
        #expect(check(pool, .failed, times: 1, from: 4_001) == 1)
        pool.controller.refused(BackendID(index: 1), now: at(5_000))
        #expect(check(pool, .failed, times: 1, from: 5_001) == 1)
        #expect(served(pool, at: 5_100, first: 0) == [0])
    }

    /// Once requests fail, too, clients' requests say when it is well.
    @Test func itIsNotCheckedAnyMore() {
        let pool = pool()
        #expect(check(pool, .failed, times: 3, from: 0) == 1)
        pool.controller.endChecks(of: BackendID(index: 0), now: at(3_000))
        #expect(pool.status(0, at: at(3_000))?.isFailingChecks == false)
        #expect(served(pool, at: 4_000, first: 0) == [0, 1])
    }

    /// A failure on the way back is one of requests.
    @Test func aFailureOnTheWayBackIsTheRequests() {
        let pool = pool()
        #expect(check(pool, .failed, times: 3, from: 0) == 1)
        #expect(check(pool, .passed, times: 2, from: 3_000) == 1)
        for id in 0..<2 as Range<UInt64> {
            guard case .forwarded(let backend) = pool.offer(id, at: at(4_000)) else { continue }
            pool.complete(id, backend == 0 ? .failed(.status) : .success, at: at(4_001))
        }
        #expect(pool.status(0, at: at(4_001))?.suspicion == .failures)
    }
}
