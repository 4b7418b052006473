import Admission
import Testing

@Suite struct BackendTests {
    @Test func theLowestShareOfTheLimitWins() {
        var settings = AdmissionSettings.fixed(2)
        let pool = PoolDriver(settings, backends: ["a", "b"])
        // Whatever the first choice, the second request goes to the other one.
        guard case .forwarded(let first) = pool.offer(1, at: at(0)) else {
            Issue.record("an idle pool forwards")
            return
        }
        #expect(pool.offer(2, at: at(0)) == .forwarded(1 - first))
        pool.complete(1, at: at(1))
        #expect(pool.offer(3, at: at(1)) == .forwarded(first))
        settings.queue.maxRequests = 0
        #expect(pool.controller.inFlight == 2)
        #expect(pool.controller.limit == 4)
    }

    @Test func tiesFallEitherWayAndTheSeedDecides() {
        var counts = [0, 0, 0]
        for seed in 0..<300 as Range<UInt64> {
            let picks = (0..<2).map { _ in
                PoolDriver(.fixed(1), backends: ["a", "b", "c"], seed: seed).offer(1, at: at(0))
            }
            #expect(picks[0] == picks[1])
            if case .forwarded(let backend) = picks[0] { counts[backend] += 1 }
        }
        for count in counts { #expect((70...130).contains(count), "\(counts)") }
    }

    @Test func aBackendThatRefusesIsEjected() throws {
        let pool = PoolDriver(.fixed(1), backends: ["a", "b"])
        pool.controller.refused(BackendID(index: 0), now: at(0))
        let status = try #require(pool.status(0, at: at(0)))
        let until = try #require(status.unusableUntil)
        #expect(!status.isUsable)
        #expect(status.consecutiveFailures == 1)
        // One second, shortened by up to a quarter.
        #expect(until > at(749) && until <= at(1000))
        #expect(pool.offer(1, at: at(1)) == .forwarded(1))
        #expect(pool.offer(2, at: at(1)) == .parked)
        // The parked request waits for the return of `a`.
        #expect(pool.controller.nextDeadline == until)
        #expect(pool.pollAll(at: until) == [.forwarded(2, 0)])
    }

    /// The end of an ejection is no sign of health, and a connection is none either.
    @Test func aBackendIsOnTrialUntilSomethingEndedWellThere() {
        let good: [Outcome] = [
            .success, .failed(.request), .failed(.refusal), .cancelled(by: .client, in: .finished),
        ]
        let bad: [Outcome] = [
            .overload, .failed(.status), .failed(.closed), .failed(.invalid), .failed(.timeout),
            .failed(.stalled), .failed(.local), .cancelled(by: .client, in: .waiting),
        ]
        for (outcomes, isOver) in [(good, true), (bad, false)] {
            for outcome in outcomes {
                let pool = PoolDriver(.fixed(4))
                func isOnTrial(_ milliseconds: Int64) -> Bool {
                    let isOn = pool.status(0, at: at(milliseconds))?.isOnTrial == true
                    #expect(pool.hasWorkingBackend(at: at(milliseconds)) == !isOn)
                    return isOn
                }
                pool.controller.answered(BackendID(index: 0), now: at(0))
                #expect(!isOnTrial(0))
                pool.controller.refused(BackendID(index: 0), now: at(0))
                #expect(!pool.hasWorkingBackend(at: at(1)))
                for time in [1_000, 5_000, 60_000] as [Int64] { #expect(isOnTrial(time)) }
                #expect(pool.offer(1, at: at(60_000)) == .forwarded(0))
                #expect(isOnTrial(60_001))
                pool.controller.connected(BackendID(index: 0), now: at(60_002))
                #expect(isOnTrial(60_002))
                pool.complete(1, outcome, at: at(60_003))
                #expect(isOnTrial(60_003) == !isOver, "\(outcome)")
            }
        }
    }

    /// Nothing speaks for a backend that nobody has asked anything, nor for one that comes back.
    @Test func aBackendThatNothingWasHeardOfIsNotCalledWorking() {
        let pool = PoolDriver(.fixed(4), backends: ["a"])
        let backend = BackendID(index: 0)
        func isHeardOf(_ milliseconds: Int64) -> Bool {
            let isUnheard = pool.status(0, at: at(milliseconds))?.isUnheard == true
            #expect(pool.hasWorkingBackend(at: at(milliseconds)) == !isUnheard)
            #expect(pool.status(0)?.isOnTrial == false && pool.status(0)?.isUsable == true)
            return !isUnheard
        }
        #expect(!isHeardOf(0))
        #expect(pool.offer(1, at: at(1)) == .forwarded(0))
        pool.controller.connected(backend, now: at(2))
        pool.complete(1, .failed(.status), at: at(3))
        #expect(!isHeardOf(4))
        _ = pool.controller.checked(backend, .failed, CheckRules(), now: at(5))
        #expect(!isHeardOf(6))
        _ = pool.controller.checked(backend, .passed, CheckRules(), now: at(7))
        #expect(isHeardOf(8))
        for (round, keys) in [["a", "b"], ["b"], ["a"]].enumerated() {
            let time = at(10 + Int64(round))
            pool.controller.reconfigure(
                settings: .fixed(4), backends: keys, now: time)
            #expect(pool.hasWorkingBackend(at: time) == (round == 0))
        }
        #expect(pool.offer(2, at: at(20)) == .forwarded(0))
        pool.complete(2, at: at(21))
        #expect(isHeardOf(22))
        // A good check takes nothing back that requests have shown.
        pool.controller.refused(backend, now: at(30))
        _ = pool.controller.checked(backend, .passed, CheckRules(), now: at(60_000))
        #expect(pool.status(0, at: at(60_000))?.isUnheard == true)
    }

    @Test func aStreamsEventEndsATrial() {
        let pool = PoolDriver(.fixed(4))
        let backend = BackendID(index: 0)
        pool.controller.refused(backend, now: at(0))
        #expect(pool.offer(1, at: at(1_000)) == .forwarded(0))
        _ = pool.controller.progress(at: backend, units: 0, now: at(1_001))
        #expect(pool.status(0, at: at(1_001))?.isOnTrial == true)
        _ = pool.controller.progress(at: backend, units: 1, now: at(1_002))
        #expect(pool.status(0, at: at(1_002))?.isOnTrial == false)
        // What was refused again is tried again, until somebody answers who was not asked.
        pool.controller.refused(backend, now: at(1_003))
        #expect(pool.status(0, at: at(1_003))?.isOnTrial == true)
        pool.controller.answered(backend, now: at(9_000))
        #expect(pool.status(0, at: at(9_000))?.isOnTrial == false)
        #expect(pool.status(0, at: at(9_000))?.consecutiveFailures == 0)
    }

    @Test func theTimeDoublesUpToTheLongest() throws {
        var settings = AdmissionSettings.fixed(1)
        settings.ejection.base = .seconds(1)
        settings.ejection.max = .seconds(5)
        let pool = PoolDriver(settings)
        var now = at(0)
        for longest in [1.0, 2, 4, 5, 5] {
            pool.controller.refused(BackendID(index: 0), now: now)
            let until = try #require(pool.status(0, at: now)?.unusableUntil)
            let seconds = until.seconds(since: now)
            #expect(seconds > 0.749 * longest && seconds <= longest)
            // Others that were dialling at the same time do not add to it.
            pool.controller.refused(BackendID(index: 0), now: now)
            #expect(pool.status(0, at: now)?.unusableUntil == until)
            now = until
        }
        pool.controller.connected(BackendID(index: 0), now: now)
        #expect(pool.status(0, at: now)?.consecutiveFailures == 0)
        pool.controller.refused(BackendID(index: 0), now: now)
        let until = try #require(pool.status(0, at: now)?.unusableUntil)
        #expect(until.seconds(since: now) <= 1)
    }

    @Test func halfOpenTakesOneRequestAtATime() {
        let pool = PoolDriver(.fixed(4))
        pool.controller.refused(BackendID(index: 0), now: at(0))
        #expect(pool.offer(1, at: at(1000)) == .forwarded(0))
        #expect(pool.offer(2, at: at(1000)) == .parked)
        #expect(pool.poll(at: at(1000)) == nil)
        // The trial ended without saying anything: the next one may try.
        pool.complete(1, .failed(.request), at: at(1010))
        #expect(pool.pollAll(at: at(1010)) == [.forwarded(2, 0)])
        #expect(pool.offer(3, at: at(1020)) == .parked)
        #expect(pool.offer(4, at: at(1020)) == .parked)
        pool.controller.connected(BackendID(index: 0), now: at(1030))
        #expect(pool.controller.nextDeadline == at(1030))
        #expect(pool.pollAll(at: at(1030)) == [.forwarded(3, 0), .forwarded(4, 0)])
        // The end of the old trial does not disturb anything.
        pool.complete(2, .success, at: at(1040))
        #expect(pool.controller.inFlight == 2)
    }

    @Test func aTrialThatSucceedsOverAnOldConnectionCounts() {
        let pool = PoolDriver(.fixed(4))
        pool.controller.refused(BackendID(index: 0), now: at(0))
        _ = pool.offer(1, at: at(1000))
        pool.complete(1, .success, at: at(1010))
        #expect(pool.status(0, at: at(1010))?.consecutiveFailures == 0)
        #expect(pool.offer(2, at: at(1010)) == .forwarded(0))
        #expect(pool.offer(3, at: at(1010)) == .forwarded(0))
    }

    @Test func anOldTrialDoesNotEndANewOne() {
        let pool = PoolDriver(.fixed(4))
        pool.controller.refused(BackendID(index: 0), now: at(0))
        #expect(pool.offer(1, at: at(1000)) == .forwarded(0))
        pool.controller.refused(BackendID(index: 0), now: at(1001))
        #expect(pool.offer(2, at: at(3100)) == .forwarded(0))
        pool.complete(1, .failed(.request), at: at(3200))
        // Trial 2 is still in flight.
        #expect(pool.offer(3, at: at(3200)) == .parked)
        #expect(pool.poll(at: at(3200)) == nil)
    }

    /// While a model is loaded nothing has been served yet: requests wait for it, longer than they
    /// would wait for their turn.
    @Test func requestsWaitForAModelToBeLoaded() {
        var settings = AdmissionSettings.fixed(1, maxWait: .seconds(2))
        settings.queue.coldWait = .seconds(60)
        let pool = PoolDriver(settings)
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        // It cannot be connected to, and there is no other.
        #expect(pool.retry(1, at: at(1)) == .parked)
        #expect(pool.offer(2, at: at(2)) == .parked)
        #expect(pool.poll(at: at(700)) == nil)
        #expect(pool.poll(at: at(50_000)) == .forwarded(1, 0))
        pool.controller.connected(BackendID(index: 0), now: at(50_100))
        pool.complete(1, at: at(51_000))
        // Now that it has served something, an outage is an outage.
        pool.controller.refused(BackendID(index: 0), now: at(52_000))
        #expect(pool.offer(3, at: at(52_001), deadline: at(52_100)) == .rejected(.noBackend))
    }

    @Test func withEveryBackendEjectedTheReturnDecides() throws {
        var settings = AdmissionSettings.fixed(1, maxWait: .seconds(2))
        settings.ejection.base = .seconds(1)
        let pool = PoolDriver(settings, backends: ["a", "b"])
        for index in 0..<2 { pool.controller.refused(BackendID(index: index), now: at(0)) }
        #expect(!pool.hasUsableBackend(at: at(1)))
        #expect(pool.offer(1, at: at(1)) == .parked)
        #expect(pool.offer(2, at: at(1), deadline: at(500)) == .rejected(.noBackend))

        settings.ejection.base = .seconds(30)
        settings.ejection.max = .seconds(30)
        let slow = PoolDriver(settings)
        slow.controller.refused(BackendID(index: 0), now: at(0))
        #expect(slow.offer(1, at: at(0)) == .rejected(.noBackend))
        let rejection = try #require(slow.lastRejection)
        // The time to the return, 22.5 s..30 s, and up to half as much again.
        #expect((22_500...45_000).contains(rejection.retryAfterMilliseconds))
    }

    /// An outage is no measurement of what the backend can do.
    @Test func theTimeWithoutBackendsIsNotBusy() throws {
        let pool = PoolDriver(.fixed(1, maxWait: .seconds(10)))
        _ = pool.offer(1, at: at(0))
        pool.complete(1, at: at(1000))
        #expect(pool.controller.drainRate == 1)
        pool.controller.refused(BackendID(index: 0), now: at(1000))
        #expect(pool.offer(2, at: at(1000)) == .parked)
        #expect(pool.offer(3, at: at(6000)) == .parked)
        pool.controller.connected(BackendID(index: 0), now: at(6000))
        #expect(pool.controller.drainRate == 1)
    }

    @Test func withoutAnyBackendEverythingIsRefused() {
        let pool = PoolDriver(.fixed(1), backends: [])
        #expect(pool.offer(1, at: at(0)) == .rejected(.noBackend))
        #expect(!pool.hasUsableBackend(at: at(0)))
    }
}
