import Admission
import Testing

@testable import Simulator

/// What backends do that fail, and that go on when nobody waits any more.
@Suite struct BackendTests {
    /// Four slots of a tenth of a second behind a limit of four, with clients that leave after 50 ms.
    private static func impatient(_ onCancel: BackendPhase.OnCancel) -> Scenario {
        var scenario = Example.slots(4, load: 0.5, limit: 4, seconds: 60)
        scenario.warmUpNanoseconds = 0
        scenario.clients[0].work.variation = 0
        scenario.clients[0].patience = Patience(.fixed(seconds: 0.05))
        scenario.clients[0].streams = false
        scenario.backends[0].phases[0].onCancel = onCancel
        scenario.admission.cancel = .stops
        return scenario
    }

    @Test func anEngineThatStopsWorksForNobody() {
        let result = Simulation.run(BackendTests.impatient(.stops), seed: 1)
        #expect(result.all.completed == 0)
        #expect(result.pool.wastedUnits == 0)
        #expect(result.pool.maxInside <= 4)
        #expect(result.all.cancelled + result.all.rejected + result.stillIn == result.attempts)
        // Each got half of its work before its client left.
        let units = result.pool.unitsDone / Double(result.all.cancelled)
        #expect((0.4...0.51).contains(units), "\(units) units a request")
    }

    @Test func anEngineThatGoesOnFinishesForNobody() {
        let scenario = BackendTests.impatient(.continues)
        let result = Simulation.run(scenario, seed: 1)
        #expect(result.all.completed == 0)
        #expect(result.all.cancelled > 1000)
        #expect(result.all.cancelled + result.all.rejected + result.stillIn == result.attempts)
        #expect(result.pool.maxInside > 4, "what is worked on takes a slot without a permit")
        let window = scenario.whole
        let waste = result.value(.wasteShare, over: window)
        #expect((0.45...0.75).contains(waste), "\(waste) wasted")
        #expect(result.value(.insideOverLimit, over: window) > 0)
    }

    /// 25 ms of the 50 that remain.
    @Test func anEngineThatNoticesLateStopsLate() {
        var scenario = BackendTests.impatient(.stops)
        scenario.backends[0].phases[0].batch = 100
        scenario.backends[0].phases[0].cancelDelayNanoseconds = 25_000_000
        scenario.admitEverything()
        let result = Simulation.run(scenario, seed: 1)
        let wasted = result.pool.wastedUnits / Double(result.all.cancelled)
        #expect(abs(wasted / 0.25 - 1) < 0.02, "\(wasted) units a request")
        let done = result.pool.unitsDone / Double(result.all.cancelled)
        #expect(abs(done / 0.75 - 1) < 0.02, "\(done) units a request")
    }

    /// A closed loop's client comes again while the engine is still at its earlier request.
    @Test func clientsGoOnWithoutTheirRequests() {
        var scenario = BackendTests.impatient(.continues)
        scenario.backends[0].phases[0].batch = 1000
        scenario.admitEverything()
        scenario.clients[0].arrivals = .closed(thinkSeconds: 0.001)
        scenario.clients[0].segments[0].value = 10
        let result = Simulation.run(scenario, seed: 1)
        // Ten clients of 51 ms each, and twice as long inside.
        let perSecond = Double(result.all.cancelled) / 60
        #expect((190...200).contains(perSecond), "\(perSecond) a second")
        #expect((19...21).contains(result.pool.maxInside), "\(result.pool.maxInside) inside")
    }

    @Test(
        arguments: [
            .status(500), .status(404), .status(429), BackendFailure(.garbage),
            BackendFailure(.close), BackendFailure(.cut),
        ] as [BackendFailure])
    func aThirdFails(failure: BackendFailure) {
        var scenario = Example.slots(16, load: 0.5, limit: 100, seconds: 60)
        scenario.admitEverything()
        scenario.backends[0].phases[0].failure = failure
        scenario.backends[0].phases[0].failure?.share = 0.3
        let result = Simulation.run(scenario, seed: 2)
        let share = result.value(.failedShare, over: scenario.whole)
        #expect(abs(share - 0.3) < 0.02, "\(share) failed")
        let isOverload = failure.kind == .status(429)
        #expect((result.pool.backendRejects > 0) == isOverload)
        let units = result.pool.unitsDone / Double(result.all.accepted)
        // Whose answer is cut got half of its work.
        let expected = failure.kind == .cut ? 0.85 : 0.7
        #expect(abs(units - expected) < 0.05, "\(units) units a request")
    }

    @Test func aFailureTakesItsTime() {
        var scenario = Example.slots(16, load: 0.5, limit: 100, seconds: 30)
        scenario.admitEverything()
        scenario.backends[0].phases[0].failure = BackendFailure(.close)
        scenario.backends[0].phases[0].failure?.afterNanoseconds = 50_000_000
        let result = Simulation.run(scenario, seed: 3)
        #expect(result.all.completed == 0)
        // 80 a second for 50 ms each.
        let mean = result.value(.inFlightMean, over: scenario.whole)
        #expect(abs(mean - 4) < 0.4, "\(mean) in flight")
    }

    /// The SDK comes again after 500, not after 404, and what a 503 tells it it waits.
    @Test func theSDKTriesAgainWhatMayBeBetter() {
        func run(_ failure: BackendFailure) -> SimulationResult {
            var scenario = Example.slots(16, load: 0.5, limit: 100, seconds: 60)
            scenario.warmUpNanoseconds = 0
            scenario.clients[0].retry = .sdk
            scenario.admitEverything()
            scenario.backends[0].phases[0].failure = failure
            return Simulation.run(scenario, seed: 4)
        }
        let notFound = run(.status(404))
        #expect(notFound.attempts == notFound.requests)
        #expect(run(.status(500)).attempts > 2 * notFound.requests)
        var unavailable = BackendFailure.status(503)
        unavailable.retryAfterNanoseconds = 120 * Example.second
        let later = run(unavailable)
        #expect(later.attempts == later.requests, "none comes again within the minute")
    }

    @Test func oneBackendsShareIsMeasured() {
        var scenario = Example.slots(16, load: 0.5, limit: 16, seconds: 60)
        var other = scenario.backends[0]
        other.name = "b"
        other.phases[0].availability = .refusing
        scenario.backends.append(other)
        let result = Simulation.run(scenario, seed: 5)
        let window = scenario.whole
        #expect(result.value(.workShare, over: window, backend: 0) == 1)
        #expect(result.value(.throughput, over: window, backend: 1) == 0)
        #expect(
            result.value(.throughput, over: window, backend: 0)
                == result.value(.throughput, over: window))
    }

    /// Holds after `Retry-After` once left a deadline that had passed with nothing to do.
    ///
    /// It makes `serve` turn without waiting, and stops the simulator.
    @Test(arguments: 1...5) func holdsEndWithoutWakingInVain(seed: UInt64) {
        var scenario = Example.slots(16, load: 1.2, limit: 16, seconds: 60)
        scenario.admission.limit = .knee(KneeLimitSettings())
        var failure = BackendFailure.status(503)
        failure.share = 0.05
        failure.retryAfterNanoseconds = 2 * Example.second
        scenario.backends[0].phases[0].failure = failure
        let result = Simulation.run(scenario, seed: seed)
        #expect(result.all.failed > 10)
        #expect(result.all.completed > 100)
    }
}
