// Weights of backends: how they share what is in flight while all have room, and what a weight of 0 is.

import Testing

@testable import Admission

@Suite struct WeightTests {
    /// Requests at each backend after so many of `count` requests that one after the other begin, of which `inFlight` run
    /// at a time, the oldest ending first.
    private static func starts(
        _ pool: PoolDriver, count: UInt64, inFlight: UInt64, backends: Int
    ) -> [Int] {
        var starts = [Int](repeating: 0, count: backends)
        for id in 1...count {
            if id > inFlight { pool.complete(id - inFlight, at: at(Int64(id))) }
            if case .forwarded(let backend) = pool.offer(id, at: at(Int64(id))) {
                starts[backend] += 1
            }
        }
        for id in (count - inFlight + 1)...count { pool.complete(id, at: at(Int64(count) + 1)) }
        return starts
    }

    /// One at a time goes by chance, 12 at a time by what is in flight, both in the ratio of the weights.
    @Test(arguments: [1, 12] as [UInt64]) func sharesAreThoseOfTheWeights(inFlight: UInt64) {
        for seed in 1...5 as ClosedRange<UInt64> {
            let pool = PoolDriver(
                .fixed(100), backends: ["a", "b", "c"], weights: [3, 1, 2], seed: seed)
            let starts = Self.starts(pool, count: 6_000, inFlight: inFlight, backends: 3)
            for (count, share) in zip(starts, [3_000.0, 1_000, 2_000]) {
                // Five standard deviations of the binomial distribution are 193 at most.
                #expect(abs(Double(count) - share) < 195, "seed \(seed): \(starts)")
            }
        }
    }

    /// Without weights, or with equal ones, the same requests go to the same backends.
    @Test func equalWeightsAreNone() {
        let plain = PoolDriver(.fixed(10), backends: ["a", "b"], seed: 7)
        let ones = PoolDriver(.fixed(10), backends: ["a", "b"], weights: [1, 1], seed: 7)
        for id in 1...12 as ClosedRange<UInt64> {
            #expect(plain.offer(id, at: at(0)) == ones.offer(id, at: at(0)))
        }
        let halves = Self.starts(
            PoolDriver(.fixed(100), backends: ["a", "b"], weights: [5, 5]), count: 2_000,
            inFlight: 1, backends: 2)
        #expect(abs(halves[0] - 1_000) < 112, "\(halves)")
    }

    @Test func aLimitIsNeverExceededForAWeight() {
        let pool = PoolDriver(.fixed(2), backends: ["a", "b"], weights: [1_000, 1])
        var counts = [0, 0]
        for id in 1...4 as ClosedRange<UInt64> {
            if case .forwarded(let backend) = pool.offer(id, at: at(0)) { counts[backend] += 1 }
        }
        #expect(counts == [2, 2])
        #expect(pool.offer(5, at: at(0)) == .parked)
    }

    @Test func zeroIsADrainAndSaysSo() throws {
        let pool = PoolDriver(.fixed(4), backends: ["a", "b"], weights: [0, 1])
        for id in 1...4 as ClosedRange<UInt64> {
            #expect(pool.offer(id, at: at(0)) == .forwarded(1))
        }
        #expect(pool.offer(5, at: at(0)) == .parked)
        let heard = pool.controller.signals(of: BackendID(index: 0), now: at(0))
        #expect(heard.map(\.source) == [.weight] && heard.map(\.signal.state) == [.drain])
        #expect(pool.status(0)?.isUsable == false)
        // What is taken back elsewhere does not take this back, and it does not end.
        _ = pool.controller.signal(
            BackendID(index: 0), .said(BackendSignal(), by: .push), now: at(1))
        #expect(pool.pollAll(at: at(7_200_000)) == [.rejected(5, .queueTimeout)])
        #expect(pool.offer(6, at: at(7_200_000)) == .parked)
        // Another weight does, and what waits starts.
        pool.controller.replaceBackends(["a", "b"], weights: [2, 0], now: at(7_200_001))
        #expect(pool.pollAll(at: at(7_200_001)) == [.forwarded(6, 0)])
        #expect(pool.controller.signals(of: BackendID(index: 0), now: at(7_200_001)).isEmpty)
        // What runs at the other one goes on.
        #expect(pool.status(1)?.inFlight == 4)
        #expect(pool.offer(7, at: at(7_200_001)) == .forwarded(0))
    }

    @Test func aPoolOfZerosHasNoBackend() {
        var settings = AdmissionSettings.fixed(4)
        settings.queue.coldWait = .zero
        let pool = PoolDriver(settings, backends: ["a", "b"], weights: [0, 0])
        #expect(pool.offer(1, at: at(0)) == .rejected(.noBackend))
        #expect(!pool.hasUsableBackend(at: at(0)))
        pool.controller.reconfigure(
            settings: settings, backends: ["a", "b"], weights: [0, 1], now: at(1))
        #expect(pool.offer(2, at: at(1)) == .forwarded(1))
    }

    /// Who comes back has the weight that it comes back with.
    @Test func whoComesBackHasItsNewWeight() {
        let pool = PoolDriver(.fixed(4), backends: ["a", "b"], weights: [0, 1])
        pool.controller.replaceBackends(["b"], weights: [1], now: at(1))
        pool.controller.replaceBackends(["b", "a"], weights: [0, 1], now: at(2))
        #expect(pool.offer(1, at: at(3)) == .forwarded(0))
    }
}
