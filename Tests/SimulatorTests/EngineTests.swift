import Admission
import Foundation
import Testing

@testable import Simulator

/// Scenarios that the tests of this module share.
enum Example {
    static let second: Int64 = 1_000_000_000

    /// For tests of hundreds of thousands of requests, with which a sanitizer takes half an hour.
    static var isFast: ConditionTrait {
        .enabled(
            if: ProcessInfo.processInfo.environment["PENSTOCK_SANITIZER"] == nil,
            "a sanitizer takes too long")
    }

    /// A server of section 0 of the design: 20 ms + 0.5 ms n, 256 at once, 200 units a request.
    static func batched(load: Double, limit: LimitSettings, seconds: Int64) -> Scenario {
        var phase = BackendPhase()
        phase.baseSeconds = 0.02
        phase.perRequestSeconds = 0.0005
        phase.batch = 256
        let best = 256 / phase.secondsPerUnit(running: 256)
        var group = ClientGroup(name: "all", rate: load * best / 200)
        group.work.mean = 200
        group.work.variation = 0.8
        var scenario = Scenario(
            name: "batched", durationNanoseconds: seconds * second,
            backends: [BackendModel(name: "a", phase: phase)], clients: [group])
        scenario.admission.limit = limit
        scenario.admission.queue.maxRequests = 0
        scenario.warmUpNanoseconds = seconds * second / 2
        return scenario
    }

    /// As many slots that take a tenth of a second, asked for `load` times what they can do.
    static func slots(_ count: Int, load: Double, limit: Int, seconds: Int64) -> Scenario {
        var phase = BackendPhase()
        phase.baseSeconds = 0.1
        phase.batch = count
        var group = ClientGroup(name: "all", rate: load * Double(count) * 10)
        group.work.variation = 0.5
        var scenario = Scenario(
            name: "slots", durationNanoseconds: seconds * second,
            backends: [BackendModel(name: "a", phase: phase)], clients: [group])
        scenario.admission.limit = .fixed(FixedLimitSettings(limit: limit))
        scenario.warmUpNanoseconds = 5 * second
        return scenario
    }
}

extension Scenario {
    /// Lets every request through at once and closes when its client leaves, so that nothing but
    /// clients and backends is seen.
    mutating func admitEverything() {
        admission.mode = .observe
        admission.cancel = .stops
    }
}

extension SimulationResult {
    var wholeStart: Int64 { cells[0].startNanoseconds }
    var wholeEnd: Int64 { cells[cells.count - 1].endNanoseconds }
    var pool: CellMeasures { pool(from: wholeStart, to: wholeEnd) }
    var all: GroupMeasures { clients(from: wholeStart, to: wholeEnd) }
}

@Suite struct EngineTests {
    /// Twice the load that the full batch can do, nothing set, one seed each.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func kneeUsesABatchedServer(seed: UInt64) {
        var scenario = Example.batched(load: 2, limit: .knee(KneeLimitSettings()), seconds: 600)
        scenario.clients[0].streams = true
        let pool = Simulation.run(scenario, seed: seed).pool
        let best = 256 / scenario.backends[0].phases[0].secondsPerUnit(running: 256)
        let share = pool.unitsDone / pool.seconds / best
        #expect(share >= 0.92, "\(share), seed \(seed)")
        #expect(pool.maxLimit <= 400, "\(pool.maxLimit), seed \(seed)")
    }

    @Test(arguments: [8, 64, 256])
    func throughputFollowsTheCurve(limit: Int) {
        let scenario = Example.batched(
            load: 3, limit: .fixed(FixedLimitSettings(limit: limit)), seconds: 1200)
        let result = Simulation.run(scenario, seed: 1)
        let expected =
            Double(limit) / scenario.backends[0].phases[0].secondsPerUnit(running: limit)
        let found = result.pool.unitsDone / result.pool.seconds
        // Under three times the load a slot stays empty for a third of an interarrival time.
        #expect(abs(found / expected - 1) < 0.03, "\(found) instead of \(expected)")
    }

    @Test func fixedSlotsDoWhatTheyCan() {
        let result = Simulation.run(
            Example.slots(32, load: 2, limit: 64, seconds: 120), seed: 2)
        let perSecond = Double(result.all.completed) / result.pool.seconds
        #expect(abs(perSecond / 320 - 1) < 0.02, "\(perSecond) a second")
    }

    /// M/M/1 processor sharing: the mean time in the system is s / (1 - rho), for any work.
    @Test func processorSharingHasItsMean() {
        var phase = BackendPhase()
        phase.baseSeconds = 0
        phase.perRequestSeconds = 0.01
        var group = ClientGroup(name: "all", rate: 50)
        group.work.variation = 0.5
        var scenario = Scenario(
            name: "sharing", durationNanoseconds: 4000 * Example.second,
            backends: [BackendModel(name: "a", phase: phase)], clients: [group])
        scenario.admission.limit = .fixed(FixedLimitSettings(limit: 10_000))
        scenario.warmUpNanoseconds = 100 * Example.second
        let mean = Simulation.run(scenario, seed: 3).all.total.meanSeconds
        #expect(abs(mean / 0.02 - 1) < 0.03, "\(mean) s")
    }

    /// Deterministic work behind one slot, M/D/1: the mean wait is rho s / (2 (1 - rho)).
    @Test func theGatewaysQueueHasItsMean() {
        var scenario = Example.slots(1, load: 0.5, limit: 1, seconds: 20_000)
        scenario.clients[0].work.variation = 0
        scenario.admission.queue.maxWait = .seconds(3600)
        let all = Simulation.run(scenario, seed: 4).all
        #expect(abs(all.wait.meanSeconds / 0.05 - 1) < 0.05, "\(all.wait.meanSeconds) s")
        #expect(all.rejected == 0)
    }

    @Test func theSameSeedGivesTheSameRun() {
        let scenario = Example.batched(
            load: 2, limit: .gradient(GradientLimitSettings()), seconds: 200)
        let first = Simulation.run(scenario, seed: 5)
        #expect(first == Simulation.run(scenario, seed: 5))
        #expect(first.trace != Simulation.run(scenario, seed: 6).trace)
    }

    @Test(Example.isFast) func manyRequestsTakeLittleTime() {
        let scenario = Example.slots(32, load: 2, limit: 32, seconds: 600)
        let clock = ContinuousClock()
        var requests = 0
        let time = clock.measure { requests = Simulation.run(scenario, seed: 7).requests }
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
        #expect(requests > 300_000)
        #expect(seconds < 60, "\(Double(requests) / seconds) requests a second")
    }
}
