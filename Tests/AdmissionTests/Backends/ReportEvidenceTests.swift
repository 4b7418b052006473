// What follows from reports of load: less, or no growth, and never more; and nothing for long where they lie.

import Testing

@testable import Admission

@Suite struct ReportEvidenceTests {
    /// Reports of one backend, a moment after the other.
    private struct Dialogue {
        var evidence = ReportEvidence()
        var now: Int64 = 1_000
        var limit = 20
        var replicas = 1
        var unitsPerRequest = 1.0

        /// Has reports come for that long that say the same, every 50 ms, with so many in flight.
        mutating func hear(
            queued: Double? = nil, use: Double? = nil, inFlight: Int = 10, for milliseconds: Int64
        ) {
            let end = now + milliseconds
            while now < end {
                now += 50
                let around = ReportEvidence.Surroundings(
                    inFlight: inFlight, unitsPerRequest: unitsPerRequest, limit: limit,
                    replicas: replicas, serviceNanoseconds: 200_000_000)
                _ = evidence.note(
                    ReportedLoad(queued: queued, cacheUse: use), around, now: at(now))
            }
        }

        /// One that has been heard for long enough.
        static func begun() -> Dialogue {
            var dialogue = Dialogue()
            dialogue.hear(queued: 0, use: 0.5, for: 10_500)
            return dialogue
        }
    }

    @Test func aQueueThatLastsLowersAndGoes() {
        var dialogue = Dialogue.begun()
        dialogue.hear(queued: 3, for: 100)
        #expect(dialogue.evidence.cap == nil)
        dialogue.hear(queued: 4, for: 50)
        // The shortest that was told of.
        #expect(dialogue.evidence.cap == 7)
        #expect(dialogue.evidence.allowed(of: 20) == 7)
        #expect(dialogue.evidence.allowed(of: 5) == 5)
        dialogue.hear(queued: 0, use: 0.9, inFlight: 7, for: 2_000)
        #expect(dialogue.evidence.cap == 7)
        dialogue.hear(queued: 0, use: 0.5, inFlight: 7, for: 200)
        #expect(dialogue.evidence.cap == 8)
        dialogue.hear(queued: 0, use: 0.5, inFlight: 7, for: 5_000)
        #expect(dialogue.evidence.cap == nil)
    }

    @Test func aQueueOfRequestsIsOneOfUnits() {
        var dialogue = Dialogue.begun()
        dialogue.unitsPerRequest = 3
        dialogue.hear(queued: 2, inFlight: 15, for: 150)
        #expect(dialogue.evidence.cap == 9)
        // Six units less, two requests less: the queue is gone by that much, and is believed.
        dialogue.hear(queued: 1, inFlight: 9, for: 150)
        #expect(dialogue.evidence.cap == 6)
    }

    @Test func aMomentsQueueSaysNothing() {
        var dialogue = Dialogue.begun()
        for _ in 0..<100 {
            dialogue.hear(queued: 2, for: 100)
            dialogue.hear(queued: 0, for: 50)
        }
        #expect(dialogue.evidence.cap == nil)
        // Nor does one while more is in flight than should be.
        dialogue.hear(queued: 2, inFlight: 21, for: 2_000)
        #expect(dialogue.evidence.cap == nil)
    }

    @Test func eachOfSeveralGatewaysTakesItsPart() {
        var dialogue = Dialogue.begun()
        dialogue.replicas = 4
        dialogue.hear(queued: 8, for: 150)
        #expect(dialogue.evidence.cap == 8)
        dialogue = .begun()
        dialogue.replicas = 4
        dialogue.hear(queued: 3, for: 1_000)
        #expect(dialogue.evidence.cap == nil)
    }

    @Test func aQueueThatStaysIsNotBelieved() {
        var dialogue = Dialogue.begun()
        dialogue.hear(queued: 1_000, for: 150)
        #expect(dialogue.evidence.cap == 5)
        #expect(dialogue.evidence.status(now: at(dialogue.now))?.isBelieved == true)
        dialogue.hear(queued: 1_000, inFlight: 5, for: 200)
        #expect(dialogue.evidence.cap == nil)
        #expect(dialogue.evidence.status(now: at(dialogue.now))?.isBelieved == false)
        dialogue.hear(queued: 1_000, for: 59_000)
        #expect(dialogue.evidence.cap == nil)
        dialogue.hear(queued: 1_000, for: 1_200)
        #expect(dialogue.evidence.cap == 5)
        // Longer the second time.
        dialogue.hear(queued: 1_000, inFlight: 5, for: 200)
        dialogue.hear(queued: 1_000, for: 119_000)
        #expect(dialogue.evidence.cap == nil)
    }

    @Test func aFullCacheHoldsGrowthForAWhile() {
        var dialogue = Dialogue.begun()
        dialogue.hear(use: 0.97, for: 100)
        #expect(dialogue.evidence.holdsGrowth)
        dialogue.hear(use: 0.9, for: 50)
        #expect(!dialogue.evidence.holdsGrowth)
        dialogue.hear(use: 1, for: 29_000)
        #expect(dialogue.evidence.holdsGrowth)
        dialogue.hear(use: 1, for: 2_000)
        #expect(!dialogue.evidence.holdsGrowth)
        dialogue.hear(use: 1, for: 200_000)
        #expect(!dialogue.evidence.holdsGrowth)
        dialogue.hear(use: 0.5, for: 50)
        dialogue.hear(use: 1, for: 50)
        #expect(dialogue.evidence.holdsGrowth)
    }

    @Test func theFirstSecondsAndOldReportsSayNothing() {
        var dialogue = Dialogue()
        dialogue.hear(queued: 5, use: 1, for: 9_900)
        #expect(dialogue.evidence.cap == nil)
        #expect(!dialogue.evidence.holdsGrowth)
        dialogue.hear(queued: 5, use: 1, for: 500)
        #expect(dialogue.evidence.cap == 5)
        #expect(dialogue.evidence.nextEnd == at(dialogue.now + 5_000))
        var expired = dialogue
        var hasExpired = expired.evidence.expire(now: at(dialogue.now + 4_999))
        #expect(!hasExpired)
        hasExpired = expired.evidence.expire(now: at(dialogue.now + 5_000))
        #expect(hasExpired)
        #expect(expired.evidence.cap == nil)
        #expect(!expired.evidence.holdsGrowth)
        // After a silence, and after broken connections, the seconds begin anew.
        expired.hear(queued: 5, use: 1, for: 9_000)
        #expect(expired.evidence.cap == nil)
        dialogue.evidence.reset()
        #expect(dialogue.evidence.cap == nil)
        dialogue.hear(queued: 5, use: 1, for: 9_000)
        #expect(dialogue.evidence.cap == nil)
    }

    /// Against whatever is reported: never above the limit, never below 1, and half of what was in flight is left.
    @Test(arguments: 0..<20)
    func nothingRaisesAndNothingStarves(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var evidence = ReportEvidence()
        var now: Int64 = 0
        var inFlight = 16
        for _ in 0..<20_000 {
            now += Int64(random.next(below: 300)) * (random.next(below: 500) == 0 ? 100 : 1)
            _ = evidence.expire(now: at(now))
            let limit = 1 + Int(random.next(below: 64))
            let before = evidence.cap
            inFlight = min(inFlight + Int(random.next(below: 8)), evidence.allowed(of: limit))
            let load = ReportedLoad(
                queued: [nil, 0, 1, 5, 1e9][Int(random.next(below: 5))],
                cacheUse: [nil, 0, 0.9, 1][Int(random.next(below: 4))])
            let around = ReportEvidence.Surroundings(
                inFlight: inFlight, limit: limit, replicas: 1 + Int(random.next(below: 3)),
                serviceNanoseconds: Int64(random.next(below: 3_000)) * 1_000_000)
            let changed = evidence.note(load, around, now: at(now))
            #expect(evidence.allowed(of: limit) <= limit, "seed \(seed)")
            #expect(evidence.allowed(of: limit) >= 1, "seed \(seed)")
            if let cap = evidence.cap, changed, cap < before ?? .max {
                #expect(2 * cap >= inFlight, "seed \(seed)")
            }
        }
    }

    @Test func theControllerSendsLessAndForgets() {
        let pool = PoolDriver(AdmissionSettings.fixed(8, queue: 0))
        var now: Int64 = 0
        for id in 0..<UInt64(8) { _ = pool.offer(id, at: at(0)) }
        // Nothing is to be learnt of 8 in flight: the reports come beside.
        while now < 10_500 {
            now += 50
            _ = pool.signal(.report(ReportedLoad(queued: now < 10_200 ? 0 : 3)), at: at(now))
        }
        #expect(pool.status()?.allowed == 5)
        #expect(pool.status()?.limit == 8)
        #expect(pool.status()?.report?.cap == 5)
        #expect(pool.offer(100, at: at(now)) == .rejected(.queueFull))
        _ = pool.controller.poll(now: at(now + 5_001))
        #expect(pool.status()?.allowed == 8)
    }
}
