// A start before a backend of which nothing is heard for long.

import Testing

@testable import Admission

@Suite struct KneeUnheardTests {
    /// So many slots, each of which takes ten seconds for a request, and more requests than find room.
    private struct Backend {
        let slots: Int
        var knee: KneeLimit
        var meter = ConcurrencyMeter(now: Instant(nanoseconds: 0))
        var now = Instant(nanoseconds: 0)
        /// When requests that run were granted and will end.
        private var running: [(since: Instant, end: Instant)] = []
        private var freeAt: [Instant] = []
        /// The limit at each step of a tenth of a second.
        private(set) var limits: [Int] = []

        init(slots: Int, initial: Int = 4) {
            self.slots = slots
            var settings = KneeLimitSettings()
            settings.initial = initial
            knee = KneeLimit(settings, seed: 1, now: now)
        }

        /// Lets time pass in which at most so many are in flight; `gaveUp` says whether one in the queue gives up at each step.
        mutating func run(seconds: Double, demand: Int = .max, gaveUp: Bool = true) {
            for _ in 0..<Int(seconds * 10) {
                let due = running.filter { $0.end <= now }
                running.removeAll { $0.end <= now }
                for request in due {
                    let age = now.nanoseconds(since: request.since)
                    meter.succeeded(afterSeconds: Double(age) / 1e9, now: now)
                    _ = knee.update(
                        Sample(latencyNanoseconds: age, inFlight: running.count, now: now), meter)
                }
                while running.count < min(Int(knee.limit), demand) { begin() }
                meter.set(inFlight: running.count, limit: Int(knee.limit), now: now)
                if gaveUp { _ = knee.growUnheard(meter, now: now) }
                limits.append(Int(knee.limit))
                now = now.advanced(byNanoseconds: 100_000_000)
                meter.advance(to: now)
            }
        }

        private mutating func begin() {
            freeAt = freeAt.filter { $0 > now }.sorted()
            let start = freeAt.count < slots ? now : freeAt[freeAt.count - slots]
            // A hundredth of the time apart, so that it is known how they scatter.
            let more = Int64(running.count % 3) * 100_000_000
            let end = start.advanced(byNanoseconds: 10_000_000_000 + more)
            freeAt.append(end)
            running.append((now, end))
        }
    }

    @Test func itGrowsByHalvesOfASecondAndNoFurtherThanThirtyTwo() {
        var backend = Backend(slots: 100)
        backend.run(seconds: 10)
        let limits = backend.limits
        #expect(limits[0] == 4 && limits[4] == 4)
        #expect(limits[6] == 8 && limits[12] == 16 && limits[18] == 32)
        #expect(limits.max() == 32)
    }

    @Test func whereNobodyWaitsInVainOrTheLimitIsNotUsedItStays() {
        var backend = Backend(slots: 100)
        backend.run(seconds: 10, gaveUp: false)
        #expect(backend.limits.max() == 4)
        backend = Backend(slots: 100)
        backend.run(seconds: 10, demand: 3)
        #expect(backend.limits.max() == 4)
    }

    /// A response, a part of one, a refusal or a client that leaves tells something.
    @Test func whateverIsHeardEndsIt() {
        let heard: [(inout ConcurrencyMeter, Instant) -> Void] = [
            { $0.succeeded(afterSeconds: 1, now: $1) }, { $0.moved(now: $1) },
            { $0.progress(units: 1, now: $1) }, { meter, _ in meter.dropped() },
            { $0.left(afterSeconds: 1, now: $1) },
        ]
        for hear in heard {
            var backend = Backend(slots: 100)
            hear(&backend.meter, backend.now)
            backend.run(seconds: 9)
            #expect(backend.limits.max() == 4)
        }
    }

    /// Those that came later took no longer than the first four: there is room for many more.
    @Test func whereThereIsRoomItGoesOn() {
        var backend = Backend(slots: 200)
        backend.run(seconds: 13)
        #expect(backend.knee.limit == 128, "\(backend.knee.limit)")
    }

    /// It ends within a time, whatever the load does: one slot would take four minutes for most of 32 requests.
    @Test(arguments: [Int.max, 36, 1])
    func oneThatCannotBeJudgedIsTakenBack(demand: Int) {
        var backend = Backend(slots: 1)
        backend.run(seconds: 5)
        #expect(backend.knee.limit == 32)
        backend.run(seconds: 100, demand: demand)
        #expect(backend.knee.growth == nil)
        #expect(backend.knee.limit <= 4 && backend.knee.center <= 4)
    }

    /// Nothing that is heard, for as long as anybody waits: what a black hole takes is bounded again.
    @Test func beforeABlackHoleItIsTakenBack() {
        var backend = Backend(slots: 1)
        backend.run(seconds: 3)
        #expect(backend.knee.limit == 32)
        let end = backend.now.advanced(byNanoseconds: 70_000_000_000)
        #expect(backend.knee.look(backend.meter, now: end)?.to == 4)
    }

    /// The load never uses it up, and all took as long as the first: there is room, and nothing speaks against it.
    @Test func whereItIsNotUsedUpAndDidNoHarmItStays() {
        var backend = Backend(slots: 100)
        backend.run(seconds: 60, demand: 20)
        #expect(backend.knee.growth == nil && backend.knee.limit == 32)
        #expect(backend.knee.center == 32 && backend.knee.phase == .climb)
    }

    /// What says overload at a raised limit lowers that one, and not the one before.
    @Test func overloadCutsWhatIsInForce() {
        var backend = Backend(slots: 100)
        backend.run(seconds: 5)
        let move = backend.knee.cut(now: backend.now)
        #expect(backend.knee.growth == nil)
        #expect(backend.knee.center > 30 && (move?.to ?? 32) > 24)
    }

    @Test func withAnObjectiveItDoesNotGrow() {
        var settings = KneeLimitSettings()
        settings.objective = LatencyObjective(measure: .unit, target: .seconds(2))
        var knee = KneeLimit(settings, seed: 1, now: Instant(nanoseconds: 0))
        var meter = ConcurrencyMeter(now: Instant(nanoseconds: 0))
        meter.set(inFlight: 4, limit: 4, now: Instant(nanoseconds: 0))
        #expect(knee.growUnheard(meter, now: Instant(nanoseconds: 2_000_000_000)) == nil)
    }

    /// Those that came later waited for the first ones.
    @Test(arguments: [(1, 4), (2, 4), (4, 4), (8, 8)])
    func whereTheyHadToWaitItReturns(slots: Int, expected: Int) {
        var backend = Backend(slots: slots)
        backend.run(seconds: 5)
        // Before one slot, most of 32 requests of ten seconds have ended after four minutes.
        for _ in 0..<300 where backend.knee.growth != nil { backend.run(seconds: 1) }
        #expect(backend.limits.max() == 32 && backend.knee.growth == nil)
        let found = Int(backend.knee.limit)
        #expect(abs(found - expected) <= 1, "\(found) for \(slots)")
    }
}
