import Admission
import Testing

@Suite struct RetryTests {
    @Test func anotherBackendGetsItAtOnce() {
        let pool = PoolDriver(.fixed(1), backends: ["a", "b"])
        guard case .forwarded(let first) = pool.offer(1, at: at(0)) else {
            Issue.record("an idle pool forwards")
            return
        }
        #expect(pool.retry(1, at: at(5)) == .forwarded(1 - first))
        #expect(pool.status(first, at: at(5))?.isUsable == false)
        #expect(pool.status(first, at: at(5))?.inFlight == 0)
        #expect(pool.controller.inFlight == 1)
    }

    @Test func itWaitsAtTheHeadWhenTheOthersAreFull() {
        let pool = PoolDriver(.fixed(1, queue: 1), backends: ["a", "b"])
        guard case .forwarded(let first) = pool.offer(1, at: at(0)) else {
            Issue.record("an idle pool forwards")
            return
        }
        _ = pool.offer(2, at: at(0))
        #expect(pool.offer(3, at: at(0)) == .parked)
        // The queue is full, but this one had been admitted.
        #expect(pool.retry(1, at: at(5)) == .parked)
        #expect(pool.controller.queueLength == 2)
        pool.complete(2, at: at(10))
        #expect(pool.pollAll(at: at(10)) == [.forwarded(1, 1 - first)])
    }

    @Test func withNobodyElseItIsRefused() {
        let pool = PoolDriver(.fixed(4))
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(2, at: at(0))
        #expect(pool.retry(1, at: at(5)) == .rejected(.connectFailed))
        #expect(pool.retry(2, at: at(6)) == .rejected(.connectFailed))
        // Both dials failed for the same reason.
        #expect(pool.status(0, at: at(6))?.consecutiveFailures == 1)
    }

    @Test func aDialFromBeforeTheRefusalTellsNothingNew() {
        let pool = PoolDriver(.fixed(4))
        _ = pool.offer(1, at: at(0))
        pool.controller.refused(BackendID(index: 0), now: at(1))
        #expect(pool.retry(1, at: at(3000)) == .rejected(.connectFailed))
        #expect(pool.status(0, at: at(3000))?.consecutiveFailures == 1)
        #expect(pool.status(0, at: at(3000))?.isUsable == true)
    }

    @Test func itsDeadlineHolds() {
        let pool = PoolDriver(.fixed(1), backends: ["a", "b"])
        _ = pool.offer(1, at: at(0), deadline: at(100))
        #expect(pool.retry(1, at: at(100), deadline: at(100)) == .rejected(.deadline))
    }
}
