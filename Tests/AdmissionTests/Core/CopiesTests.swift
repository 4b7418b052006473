// Requests that nobody waits for: they take room that is there, and nothing else.

import Testing

@testable import Admission

@Suite struct CopiesTests {
    @Test func theyTakeRoomThatIsThere() {
        let pool = PoolDriver(.fixed(2))
        #expect(pool.startIfFree(1, at: at(0)) == 0)
        #expect(pool.startIfFree(2, at: at(0)) == 0)
        #expect(pool.startIfFree(3, at: at(0)) == nil)
        #expect(pool.controller.queueLength == 0)
        pool.complete(1, at: at(1))
        #expect(pool.startIfFree(4, at: at(1)) == 0)
    }

    /// Somebody who waits comes first, even where a slot is free that was not polled for yet.
    @Test func theyNeverGoBeforeThoseWhoWait() {
        let pool = PoolDriver(.fixed(1))
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        #expect(pool.offer(2, at: at(0)) == .parked)
        pool.complete(1, at: at(1))
        #expect(pool.startIfFree(3, at: at(1)) == nil)
        #expect(pool.pollAll(at: at(1)) == [.forwarded(2, 0)])
    }

    @Test func aClassCeilingHoldsForThem() {
        var settings = AdmissionSettings.fixed(4)
        var lead = PriorityClassSettings(name: "lead")
        lead.ceiling = 0.5
        settings.classes = [PriorityClassSettings(name: "gold"), lead]
        let pool = PoolDriver(settings)
        #expect(pool.startIfFree(1, class: 1, at: at(0)) == 0)
        #expect(pool.startIfFree(2, class: 1, at: at(0)) == 0)
        #expect(pool.startIfFree(3, class: 1, at: at(0)) == nil)
        #expect(pool.offer(4, at: at(0)) == .forwarded(0))
    }

    /// What is refused to them changes nothing: the same requests have the same decisions afterwards.
    @Test func aRefusalLeavesNoTrace() {
        var settings = AdmissionSettings.fixed(1)
        settings.queue.maxRequests = 0
        let plain = PoolDriver(settings, seed: 3)
        let copied = PoolDriver(settings, seed: 3)
        for pool in [plain, copied] { #expect(pool.offer(1, at: at(0)) == .forwarded(0)) }
        for id in 100...400 as ClosedRange<UInt64> {
            #expect(copied.startIfFree(id, at: at(1)) == nil)
        }
        for id in 2...20 as ClosedRange<UInt64> {
            #expect(plain.offer(id, at: at(2)) == copied.offer(id, at: at(2)))
            #expect(
                plain.lastRejection?.retryAfterMilliseconds
                    == copied.lastRejection?.retryAfterMilliseconds)
        }
    }

    @Test func noneStartsWhileThePoolDrainsOrHasNoBackend() {
        let pool = PoolDriver(.fixed(4), backends: ["a"], weights: [0])
        #expect(pool.startIfFree(1, at: at(0)) == nil)
        let other = PoolDriver(.fixed(4))
        other.controller.drain()
        #expect(other.startIfFree(1, at: at(0)) == nil)
    }
}
