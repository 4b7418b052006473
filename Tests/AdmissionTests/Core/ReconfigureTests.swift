import Admission
import Testing

@Suite struct ReconfigureTests {
    private func aimd(initial: Int, max: Int = 200) -> AdmissionSettings {
        var settings = AdmissionSettings()
        var limit = AIMDLimitSettings()
        limit.initial = initial
        limit.max = max
        settings.limit = .aimd(limit)
        return settings
    }

    /// A pool with one backend whose limit has been driven from 2 to 3.
    private func learnt() -> PoolDriver {
        let pool = PoolDriver(aimd(initial: 2))
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(2, at: at(0))
        pool.complete(2, at: at(10))
        return pool
    }

    @Test func whatWasLearntStays() {
        let pool = learnt()
        #expect(pool.status()?.limit == 3)
        #expect(pool.limitMoves(.growth) == 1)
        pool.controller.refused(BackendID(index: 0), now: at(20))
        pool.controller.reconfigure(
            settings: aimd(initial: 50), backends: ["b", "a"], now: at(30))
        #expect(pool.status(0, at: at(30))?.key == "a")
        #expect(pool.status(0, at: at(30))?.limit == 3)
        #expect(pool.status(0, at: at(30))?.inFlight == 1)
        #expect(pool.status(0, at: at(30))?.consecutiveFailures == 1)
        #expect(pool.status(1, at: at(30))?.key == "b")
        #expect(pool.status(1, at: at(30))?.limit == 50)
        #expect(pool.backendID("b") == 1)
        #expect(pool.limitMoves(.settings) == 0)
    }

    @Test func newBoundsHold() {
        let pool = learnt()
        pool.controller.reconfigure(
            settings: aimd(initial: 1, max: 2), backends: ["a"], now: at(30))
        #expect(pool.status()?.limit == 2)
        #expect(pool.limitMoves(.settings) == 1)
    }

    @Test func anotherAlgorithmStartsAnew() {
        let pool = learnt()
        pool.controller.reconfigure(settings: .fixed(7), backends: ["a"], now: at(30))
        #expect(pool.status()?.limit == 7)
        pool.controller.reconfigure(settings: .fixed(9), backends: ["a"], now: at(30))
        #expect(pool.status()?.limit == 9)
    }

    @Test func aLowerLimitGrantsNothingUntilEnoughHaveEnded() {
        let pool = PoolDriver(.fixed(3))
        for id in 1...4 as ClosedRange<UInt64> { _ = pool.offer(id, at: at(0)) }
        pool.controller.reconfigure(settings: .fixed(1), backends: ["a"], now: at(1))
        #expect(pool.poll(at: at(1)) == nil)
        pool.complete(1, at: at(2))
        pool.complete(2, at: at(2))
        #expect(pool.poll(at: at(2)) == nil)
        pool.complete(3, at: at(3))
        #expect(pool.pollAll(at: at(3)) == [.forwarded(4, 0)])
    }

    @Test func aRemovedBackendDrainsAndItsSlotIsUsedAgain() {
        let pool = PoolDriver(.fixed(1), backends: ["a", "b"])
        guard case .forwarded(let first) = pool.offer(1, at: at(0)) else {
            Issue.record("an idle pool forwards")
            return
        }
        _ = pool.offer(2, at: at(0))
        #expect(pool.offer(3, at: at(0)) == .parked)
        let kept = first == 0 ? "b" : "a"
        pool.controller.reconfigure(settings: .fixed(1), backends: [kept], now: at(1))
        #expect(pool.controller.backendCount == 1)
        #expect(pool.status(first, at: at(1))?.isPresent == false)
        // Its request still runs, so its slot is not given away.
        pool.controller.reconfigure(settings: .fixed(1), backends: [kept, "c"], now: at(2))
        #expect(pool.backendID("c") == 2)
        #expect(pool.pollAll(at: at(2)) == [.forwarded(3, 2)])
        pool.complete(1, at: at(3))
        #expect(pool.status(first, at: at(3)) == nil)
        #expect(pool.controller.inFlight == 2)
        pool.controller.reconfigure(settings: .fixed(1), backends: [kept, "c", "d"], now: at(4))
        #expect(pool.backendID("d") == first)
        #expect(pool.controller.backendSlots == 3)
    }

    @Test func aBackendThatComesBackWhileItDrainsKeepsItsRequests() {
        let pool = PoolDriver(.fixed(1))
        _ = pool.offer(1, at: at(0))
        pool.controller.reconfigure(settings: .fixed(1), backends: ["b"], now: at(1))
        pool.controller.reconfigure(settings: .fixed(1), backends: ["a"], now: at(2))
        #expect(pool.status(0, at: at(2))?.isPresent == true)
        #expect(pool.offer(2, at: at(2)) == .parked)
        pool.complete(1, at: at(3))
        #expect(pool.pollAll(at: at(3)) == [.forwarded(2, 0)])
    }

    /// What it had learnt, and not what was held against it.
    @Test func aBackendThatHadGoneComesBackWithWhatItHadLearnt() {
        let pool = learnt()
        pool.controller.refused(BackendID(index: 0), now: at(20))
        pool.complete(1, at: at(20))
        for keys in [["a", "b"], ["b"], ["a", "b"]] {
            pool.controller.reconfigure(
                settings: aimd(initial: 2), backends: keys, now: at(30))
        }
        #expect(pool.backendID("a") == 0)
        #expect(pool.status(0, at: at(40))?.limit == 3)
        #expect(pool.status(0, at: at(40))?.consecutiveFailures == 0)
    }

    @Test func theParkedKeepTheTimeTheyWereGiven() {
        let pool = PoolDriver(.fixed(1, maxWait: .seconds(2)))
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(2, at: at(0))
        pool.controller.reconfigure(
            settings: .fixed(1, queue: 0, maxWait: .milliseconds(1)), backends: ["a"], now: at(5))
        #expect(pool.poll(at: at(1999)) == nil)
        #expect(pool.pollAll(at: at(2000)) == [.rejected(2, .queueTimeout)])
    }

    @Test func aNameThatComesTwiceCountsOnce() {
        let pool = PoolDriver(.fixed(1), backends: ["a", "a"])
        #expect(pool.controller.backendCount == 1)
        pool.controller.reconfigure(settings: .fixed(1), backends: ["a", "b", "b"], now: at(0))
        #expect(pool.controller.backendCount == 2)
    }
}
