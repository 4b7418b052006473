// A climb past what clients bear: at the level that is too high they leave, and no success is left to
// judge it by.

import Testing

@testable import Admission

@Suite struct KneeDeparturesTests {
    /// A backend where up to `bearable` requests succeed after 100 ms; with more inside, so many of a
    /// hundred do, and the clients of the others leave after so many seconds.
    private struct Backend {
        var bearable = 32
        var successesOfHundred = 0
        var leavingAfterSeconds = 0.5
        var knee: KneeLimit
        var meter = ConcurrencyMeter(now: Instant(nanoseconds: 0))
        var now = Instant(nanoseconds: 0)
        var moves: [LimitMove] = []

        init(initial: Int = 4) {
            var settings = KneeLimitSettings()
            settings.initial = initial
            knee = KneeLimit(settings, seed: 1, now: now)
        }

        /// Full of requests for so long.
        mutating func run(seconds: Double) {
            for step in 0..<Int(seconds * 10) {
                let count = Int(knee.limit)
                meter.set(inFlight: count, limit: count, now: now)
                now = now.advanced(byNanoseconds: 100_000_000)
                for place in 0..<count {
                    let succeeds =
                        count <= bearable || (place * 7 + step) * 37 % 100 < successesOfHundred
                    if succeeds {
                        meter.succeeded(afterSeconds: 0.1, now: now)
                        let sample = Sample(
                            latencyNanoseconds: 100_000_000, inFlight: count, now: now)
                        if let move = knee.update(sample, meter) { moves.append(move) }
                    } else {
                        meter.left(afterSeconds: leavingAfterSeconds, now: now)
                    }
                }
                if now >= knee.nextLook, let move = knee.look(meter, now: now) {
                    moves.append(move)
                }
            }
        }

        func count(_ reason: LimitMoveReason) -> Int { moves.filter { $0.reason == reason }.count }
    }

    @Test func theClimbGoesBackWhereAllLeave() {
        var backend = Backend()
        backend.run(seconds: 60)
        #expect(backend.count(.departures) >= 1)
        #expect(backend.moves.filter { $0.to > 64 }.isEmpty, "\(backend.moves)")
        #expect(backend.knee.limit <= 32 && backend.knee.limit >= 16, "\(backend.knee.limit)")
    }

    /// What begins far too high comes down step by step.
    @Test func aStartThatServesNobodyIsLeft() {
        var backend = Backend(initial: 512)
        // So that it is known how long a request usually takes.
        backend.meter.succeeded(afterSeconds: 0.1, now: backend.now)
        backend.run(seconds: 120)
        #expect(backend.count(.departures) >= 3)
        #expect(backend.knee.limit <= 48, "\(backend.knee.limit)")
    }

    /// Streams that take long beside responses in one piece do not hide that nobody waits for these any more: who
    /// leaves after the usual time to a first byte has left late.
    @Test func longStreamsHideNobodysDepartures() {
        var meter = ConcurrencyMeter(now: at(0))
        meter.set(inFlight: 10, limit: 10, now: at(0))
        for _ in 0..<10 {
            meter.succeeded(afterSeconds: 40, firstByteSeconds: 2, now: at(1))
        }
        meter.left(afterSeconds: 1, now: at(2))
        #expect(meter.boundDepartures == 1 && meter.boundLateDepartures == 0)
        meter.left(afterSeconds: 24, now: at(3))
        #expect(meter.boundDepartures == 2 && meter.boundLateDepartures == 1)
    }

    /// Who leaves before a request usually takes as long, as a flood of feigned impatience does, lowers
    /// nobody's limit; nor do those who leave late at whatever level, many as they may be.
    @Test(arguments: [
        (leaving: 0.05, successes: 40), (leaving: 0.5, successes: 60),
        (leaving: 0.5, successes: 10),
    ])
    func othersWhoLeaveSayNothing(leaving: Double, successes: Int) {
        var backend = Backend(initial: 16)
        backend.bearable = 0
        backend.successesOfHundred = successes
        backend.leavingAfterSeconds = leaving
        backend.run(seconds: 60)
        #expect(backend.count(.departures) <= 1, "\(backend.moves)")
        #expect(backend.knee.limit >= 16, "\(backend.moves)")
    }

    /// Where most leave at the level at which the climb begins, before requests usually take as long, the
    /// levels below are tried: they serve more.
    @Test(arguments: [1, 2])
    func aStartThatServesFewComesDown(slots: Int) {
        var backend = Backend()
        backend.bearable = slots
        backend.successesOfHundred = 2
        backend.leavingAfterSeconds = 0.05
        backend.run(seconds: 60)
        #expect(backend.moves.first?.to == 2, "\(backend.moves)")
        #expect(Int(backend.knee.limit) <= slots + 1, "\(backend.moves)")
    }

    /// Where not one request succeeds, those who leave have the limit looked at.
    @Test func departuresAloneLowerAControllersLimit() throws {
        var knee = KneeLimitSettings()
        knee.initial = 32
        var settings = AdmissionSettings.fixed(1, queue: 0)
        settings.limit = .knee(knee)
        settings.cancel = .stops
        let pool = PoolDriver(settings)
        // So that it is known how long a request usually takes.
        _ = pool.offer(0, at: at(0))
        pool.complete(0, at: at(100))
        var now: Int64 = 100
        var next: UInt64 = 1
        for _ in 0..<40 {
            let first = next
            while pool.offer(next, at: at(now)) == .forwarded(0) { next += 1 }
            now += 500
            for id in first..<next {
                #expect(pool.leave(id, .whole, .waiting, at: at(now)) == .close)
                pool.complete(id, .cancelled(by: .client, in: .waiting), at: at(now))
            }
            next += 1
        }
        let limit = try #require(pool.status(at: at(now))).limit
        #expect(limit < 32 && limit >= 1, "\(limit)")
    }
}
