import Testing

@testable import Admission

@Suite struct KneeLimitTests {
    private static let seeds: [UInt64] = [1, 2, 3, 4, 5]

    private func server(
        streams: Bool = true, initial: Int = 4, seed: UInt64,
        _ change: (inout KneeLimitSettings) -> Void = { _ in }
    ) -> BatchServer {
        var settings = KneeLimitSettings()
        settings.initial = initial
        change(&settings)
        // The knee at an elasticity of 0.15 is a / b (1 / 0.15 - 1) = 113.
        return BatchServer(
            .knee(settings), base: 0.004, each: 0.0002, meanUnits: 20, streams: streams, seed: seed)
    }

    /// Of the throughput that a limit of 113 gives.
    private func share(_ throughput: Double) -> Double {
        throughput / (113 / (0.004 + 0.0002 * 113))
    }

    @Test(arguments: seeds, [true, false])
    func findsTheKnee(seed: UInt64, streams: Bool) {
        let server = server(streams: streams, seed: seed)
        defer { server.stop() }
        // The ends of requests tell less than their progress, and later.
        server.run(seconds: streams ? 60 : 240)
        var limits: [Double] = []
        let throughput = server.run(seconds: 60) { limits.append(Double($0)) }
        let mean = limits.reduce(0, +) / Double(limits.count)
        let share = share(throughput)
        #expect(share >= (streams ? 0.95 : 0.9), "\(share), limit \(mean), seed \(seed)")
        #expect(mean <= 1.4 * 113, "limit \(mean), seed \(seed)")
    }

    @Test(arguments: [1, 2, 16, 64, 256, 1024])
    func findsItFromAnywhere(initial: Int) {
        let server = server(initial: initial, seed: 7)
        defer { server.stop() }
        server.run(seconds: 300)
        var limits: [Double] = []
        server.run(seconds: 60) { limits.append(Double($0)) }
        let mean = limits.reduce(0, +) / Double(limits.count)
        #expect(mean >= 0.75 * 113 && mean <= 1.3 * 113, "\(mean) from \(initial)")
    }

    @Test(arguments: seeds)
    func staysAtACliff(seed: UInt64) {
        let server = server(seed: seed)
        defer { server.stop() }
        server.cliff = 64
        server.run(seconds: 60)
        let best = 64 / (0.004 + 0.0002 * 64)
        let throughput = server.run(seconds: 120)
        #expect(throughput >= 0.88 * best, "\(throughput / best), seed \(seed)")
    }

    @Test func isPreservedWhileItDoesNotBind() {
        let server = server(seed: 3)
        defer { server.stop() }
        server.run(seconds: 60)
        let learnt = server.limit
        // Less than 0.9 of the limit is in flight once the first few have ended. The level that was
        // being measured is given up for the centre after a minute.
        server.run(seconds: 90, demand: 10)
        let quiet = server.limit
        server.run(seconds: 400, demand: 10) { #expect($0 == quiet) }
        #expect(abs(Double(quiet - learnt)) <= 0.35 * Double(learnt), "\(learnt), then \(quiet)")
    }

    @Test func returnsInStepsAfterTenMinutesUnused() {
        let server = server(seed: 3)
        defer { server.stop() }
        server.run(seconds: 60)
        let learnt = server.limit
        server.run(seconds: 700, demand: 10)
        #expect(server.limit <= learnt / 2, "\(learnt), then \(server.limit)")
        #expect(server.moves(.stale) > 0)
        server.run(seconds: 10)
        #expect(Double(server.limit) >= 0.7 * Double(learnt), "\(learnt), then \(server.limit)")
    }

    @Test func aCohortOfDropsIsOneCut() {
        let server = server(seed: 5)
        defer { server.stop() }
        server.run(seconds: 60)
        let learnt = server.limit
        server.dropAll()
        #expect(server.moves(.drop) == 1)
        #expect(Double(server.limit) >= 0.7 * Double(learnt), "\(learnt), then \(server.limit)")
    }

    @Test func silenceBringsItDownAndLifeBack() {
        let server = server(seed: 5)
        defer { server.stop() }
        server.run(seconds: 60)
        let learnt = server.limit
        server.isSilent = true
        server.run(seconds: 60)
        #expect(server.limit <= 4, "\(server.limit)")
        #expect(server.suspicions(.silence) == 1)
        server.isSilent = false
        server.run(seconds: 30)
        #expect(Double(server.limit) >= 0.6 * Double(learnt), "\(learnt), then \(server.limit)")
    }

    /// A unit at n requests takes 4 ms + n 0.2 ms: 12 ms are kept up to 40.
    @Test func keepsAnObjective() {
        let server = server(seed: 5) { settings in
            settings.objective = LatencyObjective(measure: .unit, target: .milliseconds(12))
        }
        defer { server.stop() }
        server.run(seconds: 120)
        var limits: [Double] = []
        server.run(seconds: 60) { limits.append(Double($0)) }
        let mean = limits.reduce(0, +) / Double(limits.count)
        #expect(mean >= 28 && mean <= 46, "\(mean)")
        #expect(server.moves(.objective) > 0)
    }

    @Test func neverExceedsTheDeclaredMaximum() {
        let server = server(seed: 5) { $0.max = 50 }
        defer { server.stop() }
        server.run(seconds: 60) { #expect($0 <= 50) }
        #expect(server.limit >= 40, "\(server.limit)")
    }

    @Test func severalGatewaysStopLater() {
        var settings = KneeLimitSettings()
        settings.replicas = 4
        let limit = KneeLimit(settings, seed: 1, now: Instant(nanoseconds: 0))
        #expect(abs(limit.wantedElasticity - 0.7875) < 1e-9)
    }

    @Test func logarithmAndExponentialAreExact() {
        #expect(abs(naturalLogarithm(10) - 2.302_585_092_994_046) < 1e-12)
        #expect(abs(naturalLogarithm(1e-6) + 13.815_510_557_964_274) < 1e-11)
        #expect(naturalLogarithm(1) == 0)
        #expect(abs(exponential(1) - 2.718_281_828_459_045) < 1e-12)
        #expect(abs(exponential(-0.35) - 0.704_688_089_718_713_4) < 1e-12)
        for power in stride(from: -19.0, through: 19, by: 0.37) {
            #expect(abs(naturalLogarithm(exponential(power)) - power) < 1e-9, "\(power)")
        }
    }
}
