import Admission
import Testing

@Suite struct QueueTests {
    @Test func whatDoesNotFitWaitsInOrder() {
        let pool = PoolDriver(.fixed(1))
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        #expect(pool.offer(2, at: at(1), bytes: 10) == .parked)
        #expect(pool.offer(3, at: at(2), bytes: 20) == .parked)
        #expect(pool.controller.queueLength == 2)
        #expect(pool.controller.queueBytes == 30)
        #expect(pool.oldestWait(at: at(11)) == 10_000_000)
        #expect(pool.poll(at: at(3)) == nil)
        pool.complete(1, at: at(100))
        #expect(pool.poll(at: at(100)) == .forwarded(2, 0))
        #expect(pool.poll(at: at(100)) == nil)
        #expect(pool.controller.queueBytes == 20)
        pool.complete(2, at: at(200))
        #expect(pool.poll(at: at(200)) == .forwarded(3, 0))
        #expect(pool.controller.queueLength == 0)
        #expect(pool.controller.nextDeadline == nil)
        #expect(pool.oldestWait(at: at(200)) == nil)
    }

    @Test func anOfferNeverOvertakesThoseWhoWait() {
        let pool = PoolDriver(.fixed(1))
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(2, at: at(0))
        pool.complete(1, at: at(10))
        // The slot is free, but nobody has polled yet.
        #expect(pool.offer(3, at: at(10)) == .parked)
        #expect(pool.controller.nextDeadline == at(10))
        #expect(pool.pollAll(at: at(10)) == [.forwarded(2, 0)])
    }

    @Test func itIsBoundedByRequests() {
        let pool = PoolDriver(.fixed(1, queue: 2))
        _ = pool.offer(1, at: at(0))
        #expect(pool.offer(2, at: at(0)) == .parked)
        #expect(pool.offer(3, at: at(0)) == .parked)
        #expect(pool.offer(4, at: at(0)) == .rejected(.queueFull))
    }

    @Test func itIsBoundedByBytes() {
        let pool = PoolDriver(.fixed(1, bytes: 100))
        _ = pool.offer(1, at: at(0))
        #expect(pool.offer(2, at: at(0), bytes: 60) == .parked)
        #expect(pool.offer(3, at: at(0), bytes: 41) == .rejected(.queueBytesFull))
        #expect(pool.offer(4, at: at(0), bytes: 40) == .parked)
    }

    @Test func withoutAQueueWhatCannotStartIsRefused() {
        let pool = PoolDriver(.fixed(1, queue: 0))
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        #expect(pool.offer(2, at: at(0)) == .rejected(.queueFull))
    }

    @Test func withoutAWaitWhatCannotStartIsRefused() {
        let pool = PoolDriver(.fixed(1, maxWait: .zero))
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        #expect(pool.offer(2, at: at(0)) == .rejected(.waitTooLong))
    }

    @Test func theWaitEnds() {
        let pool = PoolDriver(.fixed(1, maxWait: .milliseconds(500)))
        _ = pool.offer(1, at: at(0))
        #expect(pool.offer(2, at: at(100)) == .parked)
        #expect(pool.offer(3, at: at(200)) == .parked)
        #expect(pool.controller.nextDeadline == at(600))
        #expect(pool.poll(at: at(599)) == nil)
        #expect(pool.pollAll(at: at(600)) == [.rejected(2, .queueTimeout)])
        #expect(pool.controller.nextDeadline == at(700))
        // It has left: neither cancel nor a free slot finds it again.
        #expect(!pool.cancel(2, at: at(601)))
        pool.complete(1, at: at(650))
        #expect(pool.pollAll(at: at(650)) == [.forwarded(3, 0)])
    }

    @Test func aDeadlineEndsTheWaitEarlier() {
        let pool = PoolDriver(.fixed(1))
        _ = pool.offer(1, at: at(0))
        #expect(pool.offer(2, at: at(0)) == .parked)
        #expect(pool.offer(3, at: at(0), deadline: at(300)) == .parked)
        #expect(pool.controller.nextDeadline == at(300))
        #expect(pool.pollAll(at: at(300)) == [.rejected(3, .deadline)])
        #expect(pool.pollAll(at: at(2000)) == [.rejected(2, .queueTimeout)])
    }

    @Test func aDeadlineThatHasPassedIsNotStarted() {
        let pool = PoolDriver(.fixed(1))
        #expect(pool.offer(1, at: at(10), deadline: at(10)) == .rejected(.deadline))
        #expect(pool.offer(2, at: at(10), deadline: at(11)) == .forwarded(0))
    }

    @Test func theExpiredGoBeforeAnybodyIsStarted() {
        let pool = PoolDriver(.fixed(1))
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(2, at: at(0), deadline: at(50))
        _ = pool.offer(3, at: at(1))
        pool.complete(1, at: at(60))
        #expect(pool.pollAll(at: at(60)) == [.rejected(2, .deadline), .forwarded(3, 0)])
    }

    @Test func cancelTakesOutOnceAndOnlyItsOwn() {
        let pool = PoolDriver(.fixed(1))
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(2, at: at(0), bytes: 7)
        _ = pool.offer(3, at: at(0))
        #expect(pool.cancel(2, at: at(1)))
        #expect(!pool.cancel(2, at: at(1)))
        #expect(pool.controller.queueBytes == 0)
        // 4 gets the slot that 2 had; the old handle means nothing to it.
        #expect(pool.offer(4, at: at(2)) == .parked)
        #expect(!pool.cancel(2, at: at(2)))
        pool.complete(1, at: at(3))
        #expect(pool.pollAll(at: at(3)) == [.forwarded(3, 0)])
        #expect(pool.controller.queueLength == 1)
    }

    /// One request of 1 s has been served by a limit of 1: the rate is (1 + 8) / (1 s + 8 · 1 s) =
    /// 1/s.
    @Test func thePredictedWaitDecides() throws {
        let pool = PoolDriver(.fixed(1, maxWait: .seconds(2)))
        _ = pool.offer(1, at: at(0))
        pool.complete(1, at: at(1000))
        #expect(pool.controller.drainRate == 1)
        #expect(pool.offer(2, at: at(1000)) == .forwarded(0))
        // It would start after 1 s and take another one.
        #expect(pool.offer(3, at: at(1000), deadline: at(2999)) == .rejected(.deadline))
        #expect(pool.offer(4, at: at(1000), deadline: at(3000)) == .parked)
        #expect(pool.offer(5, at: at(1000)) == .parked)
        #expect(pool.offer(6, at: at(1000)) == .rejected(.waitTooLong))
        let rejection = try #require(pool.lastRejection)
        // The longest wait, of the 3 s that it would take to drain, and up to a tenth more.
        #expect((2000...2200).contains(rejection.retryAfterMilliseconds))
    }

    @Test func beforeTheFirstResponseOnlyTheBoundsCount() {
        let pool = PoolDriver(.fixed(1, queue: 256))
        _ = pool.offer(1, at: at(0))
        for id in 2...257 { #expect(pool.offer(UInt64(id), at: at(0)) == .parked) }
        #expect(pool.offer(300, at: at(0)) == .rejected(.queueFull))
        #expect(pool.controller.drainRate == nil)
    }

    @Test func drainingServesThoseWhoWait() {
        let pool = PoolDriver(.fixed(1))
        _ = pool.offer(1, at: at(0))
        _ = pool.offer(2, at: at(0))
        pool.controller.drain()
        #expect(pool.offer(3, at: at(1)) == .rejected(.draining))
        pool.complete(1, at: at(2))
        #expect(pool.pollAll(at: at(2)) == [.forwarded(2, 0)])
    }

    @Test func drainingStartsWhatNeedNotWait() {
        let pool = PoolDriver(.fixed(2))
        _ = pool.offer(1, at: at(0))
        pool.controller.drain()
        #expect(pool.offer(2, at: at(1)) == .forwarded(0))
        #expect(pool.offer(3, at: at(1)) == .rejected(.draining))
    }

    @Test func aClockThatGoesBackStandsStill() {
        let pool = PoolDriver(.fixed(1, maxWait: .milliseconds(100)))
        _ = pool.offer(1, at: at(1000))
        #expect(pool.offer(2, at: at(500)) == .parked)
        #expect(pool.controller.nextDeadline == at(1100))
    }
}
