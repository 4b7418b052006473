import Admission
import Testing

@testable import Simulator

@Suite struct ClientTests {
    @Test(
        arguments: [
            (0, 1500, Int64(1_500_000_000)), (1, 120_000, 120_000_000_000), (0, 120_001, nil),
            (2, 1500, nil), (2, nil, nil),
        ] as [(Int, Int?, Int64?)])
    func theSDKSleepsWhatTheServerSays(attempt: Int, milliseconds: Int?, expected: Int64?) {
        var random = SplitMix64(seed: 1)
        let delay = SDKRetry.delayNanoseconds(
            attempt: attempt, retryAfterMilliseconds: milliseconds, random: &random)
        #expect(delay == expected)
    }

    @Test(arguments: [(0, 0.5), (1, 1.0)], [nil, 0] as [Int?])
    func theSDKBacksOffByItself(step: (attempt: Int, seconds: Double), milliseconds: Int?) throws {
        var random = SplitMix64(seed: 2)
        for _ in 0..<1000 {
            let delay = try #require(
                SDKRetry.delayNanoseconds(
                    attempt: step.attempt, retryAfterMilliseconds: milliseconds, random: &random))
            #expect((0.75 * step.seconds...step.seconds).contains(Double(delay) * 1e-9))
        }
    }

    /// Everything at once: what came is accounted for, to the last attempt.
    @Test(arguments: 1...20)
    func nothingIsLost(seed: UInt64) {
        var scenario = Example.slots(8, load: 1.5, limit: 8, seconds: 60)
        scenario.warmUpNanoseconds = 0
        scenario.admission.queue.maxRequests = 5
        scenario.firstByteTimeoutNanoseconds = 2 * Example.second
        scenario.clients[0].retry = .sdk
        scenario.clients[0].patience = Patience(.exponential(meanSeconds: 0.3))
        scenario.clients[0].deadlineSeconds = 1
        scenario.clients[0].streams = seed % 2 == 0
        scenario.clients[0].returnSeconds = seed % 3 == 0 ? nil : 0.1
        scenario.clients[0].readingSeconds = 0.2
        scenario.clients[0].isBuffered = seed % 5 == 0
        var loop = ClientGroup(name: "loop", rate: 20)
        loop.arrivals = .closed(thinkSeconds: 0.2)
        loop.segments.append(.init(startNanoseconds: 30 * Example.second, value: 5))
        loop.patience = Patience(.logNormal(medianSeconds: 0.3, sigma: 0.5))
        scenario.clients.append(loop)
        var uploads = ClientGroup(name: "uploads", rate: 2)
        uploads.sendingSeconds = 0.5
        uploads.sends = seed % 2 == 0 ? .before : .after
        scenario.clients.append(uploads)
        var phase = scenario.backends[0].phases[0]
        let states: [BackendPhase.Availability] = [.silent, .refusing, .serving]
        for (index, state) in states.enumerated() {
            phase.startNanoseconds = Int64(10 * (index + 1)) * Example.second
            phase.availability = state
            phase.errorShare = 0.1
            phase.failAtStart = 3
            phase.requestsPerSecond = 70
            phase.onCancel = (Int(seed) + index) % 2 == 0 ? .stops : .continues
            phase.cancelDelayNanoseconds = seed % 3 == 1 ? 25_000_000 : 0
            phase.failure = [BackendFailure(.cut), BackendFailure(.close), nil][index]
            phase.failure?.share = 0.2
            scenario.backends[0].phases.append(phase)
        }
        scenario.backends.append(BackendModel(name: "b", phase: scenario.backends[0].phases[0]))
        let result = Simulation.run(scenario, seed: seed)
        let all = result.all
        let ended = all.completed + all.rejected + all.cancelled + all.failed
        #expect(all.offered == result.attempts)
        #expect(all.offered == ended + result.stillIn, "seed \(seed)")
        #expect(all.rejected > 0)
        #expect(all.cancelled > 0)
        #expect(all.completed > 1000)
        #expect(result.attempts > result.requests)
    }

    @Test func aClosedLoopKeepsItsClients() {
        var scenario = Example.slots(4, load: 0, limit: 100, seconds: 200)
        scenario.clients[0].arrivals = .closed(thinkSeconds: 0.4)
        scenario.clients[0].segments[0].value = 10
        scenario.clients[0].work.variation = 0
        let result = Simulation.run(scenario, seed: 3)
        // Ten clients cannot be more than ten, and four slots cannot do more than forty a second.
        #expect(result.pool.maxInFlight <= 10)
        let perSecond = Double(result.all.completed) / result.pool.seconds
        #expect((17...20.5).contains(perSecond), "\(perSecond) a second")
    }

    /// Clients that do not think and are refused at once ask again a moment later, and time goes on.
    @Test func aClosedLoopWithoutPausesEnds() {
        var scenario = Example.slots(4, load: 0, limit: 4, seconds: 20)
        scenario.clients[0].arrivals = .closed(thinkSeconds: 0)
        scenario.clients[0].segments[0].value = 10
        scenario.admission.queue.maxRequests = 0
        let result = Simulation.run(scenario, seed: 3)
        #expect(result.all.rejected > 1_000)
        #expect(result.attempts <= 10 * 10_000 * 20)
        let perSecond = Double(result.all.completed) / result.pool.seconds
        #expect((30...45).contains(perSecond), "\(perSecond) a second")
    }

    @Test func aBlackHoleEndsByTheTimeout() {
        var scenario = Example.slots(4, load: 2, limit: 8, seconds: 30)
        scenario.backends[0].phases[0].availability = .silent
        scenario.admitEverything()
        scenario.firstByteTimeoutNanoseconds = 3 * Example.second
        let all = Simulation.run(scenario, seed: 4).all
        #expect(all.completed == 0)
        // Eighty a second came, and all of them failed three seconds later.
        let perSecond = Double(all.failed) / 25
        #expect(abs(perSecond / 80 - 1) < 0.1, "\(perSecond) failed a second")
    }

    @Test func fastRefusalsKeepToTheRate() {
        var scenario = Example.slots(1000, load: 0.02, limit: 2000, seconds: 60)
        scenario.backends[0].phases[0].requestsPerSecond = 100
        let result = Simulation.run(scenario, seed: 5)
        let perSecond = Double(result.all.completed) / result.pool.seconds
        #expect((97...102).contains(perSecond), "\(perSecond) a second")
        #expect(result.pool.backendRejects > 4000)
    }
}
