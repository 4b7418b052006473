import Admission
import Testing

@testable import Simulator

/// Clients that leave, that come again, that send and read slowly.
@Suite struct PatienceTests {
    /// A backend that does nothing, so that all clients leave when their patience ends.
    private static func silent(_ patience: Patience, _ change: (inout Scenario) -> Void = { _ in })
        -> (Scenario, SimulationResult)
    {
        var scenario = Example.slots(10_000, load: 0.001, limit: 100_000, seconds: 600)
        scenario.warmUpNanoseconds = 100 * Example.second
        scenario.backends[0].phases[0].availability = .silent
        scenario.clients[0].patience = patience
        scenario.admitEverything()
        change(&scenario)
        return (scenario, Simulation.run(scenario, seed: 1))
    }

    /// By Little's law what is in flight is the rate times the mean patience.
    @Test(
        arguments: [
            (.fixed(seconds: 1), 1), (.exponential(meanSeconds: 2), 2),
            // e to half of the variance is the mean of a log-normal time over its median.
            (.logNormal(medianSeconds: 1, sigma: 0.5), 1.1331),
        ] as [(Patience.Distribution, Double)])
    func theMeanIsRight(distribution: Patience.Distribution, mean: Double) {
        let (scenario, result) = PatienceTests.silent(Patience(distribution))
        let found =
            result.value(.inFlightMean, over: scenario.whole)
            / result.value(.offered, over: scenario.whole)
        #expect(abs(found / mean - 1) < 0.015, "\(found) s")
    }

    /// Of those who find the service at the median of what they bear, half are served.
    @Test(
        arguments: [
            (.logNormal(medianSeconds: 1, sigma: 0.5), 1), (.exponential(meanSeconds: 1), 0.6931),
        ] as [(Patience.Distribution, Double)])
    func theMedianIsRight(distribution: Patience.Distribution, median: Double) {
        var scenario = Example.slots(10_000, load: 0.004, limit: 100_000, seconds: 60)
        scenario.backends[0].phases[0].baseSeconds = median
        scenario.clients[0].work.variation = 0
        scenario.clients[0].patience = Patience(distribution)
        scenario.admitEverything()
        let result = Simulation.run(scenario, seed: 2)
        let (served, left) = (result.all.completed, result.all.cancelled)
        let share = Double(served) / Double(served + left)
        #expect(abs(share - 0.5) < 0.015, "\(share) served")
    }

    @Test func whoGotTheFirstUnitStays() {
        var scenario = Example.slots(100, load: 0.5, limit: 100, seconds: 60)
        scenario.clients[0].work.mean = 20
        scenario.clients[0].work.variation = 0.1
        scenario.clients[0].segments[0].value = 10
        scenario.admitEverything()
        scenario.clients[0].patience = Patience(.fixed(seconds: 0.5))
        #expect(Simulation.run(scenario, seed: 3).all.completed == 0)
        scenario.clients[0].patience?.until = .first
        let all = Simulation.run(scenario, seed: 3).all
        #expect(all.completed > 400)
        #expect(all.cancelled == 0)
    }

    /// Each of them makes three attempts, a second and the patience apart.
    @Test func whoLeftComesAgain() {
        let (_, result) = PatienceTests.silent(Patience(.fixed(seconds: 1))) {
            $0.warmUpNanoseconds = 0
            $0.clients[0].returnSeconds = 1
            $0.clients[0].segments.append(
                .init(startNanoseconds: 500 * Example.second, value: 0))
        }
        #expect(result.attempts == 3 * result.requests)
        #expect(result.all.cancelled == result.attempts)
    }

    /// The first backend fails at once, the second one does nothing: whoever is sent there leaves when
    /// its patience ends, counted from its offer.
    @Test func anotherTryLeavesPatienceAsItIs() {
        var scenario = Example.slots(100, load: 0, limit: 100, seconds: 20)
        scenario.warmUpNanoseconds = 0
        scenario.clients[0].segments[0].value = 20
        scenario.clients[0].streams = false
        scenario.clients[0].patience = Patience(.fixed(seconds: 1))
        var silent = scenario.backends[0]
        silent.name = "b"
        silent.phases[0].availability = .silent
        scenario.backends[0].phases[0].failure = .status(500)
        scenario.backends.append(silent)
        let result = Simulation.run(scenario, seed: 7)
        #expect(result.all.completed == 0)
        #expect(result.all.cancelled > 20)
        // Nobody stays longer than a second: no more than came within the last one.
        #expect(result.stillIn <= 35, "\(result.stillIn) still in")
    }

    /// A refusal at once has cost nobody a quarter of what he bears, one at the end has.
    @Test(arguments: [(0, 0.0), (1000, 1.0)])
    func whoWaitedInVainIsCounted(slots: Int, expected: Double) {
        var scenario = Example.slots(1, load: 0.5, limit: 1, seconds: 60)
        scenario.backends[0].phases[0].availability = .silent
        scenario.admission.queue.maxRequests = slots
        scenario.admission.queue.maxWait = .milliseconds(500)
        scenario.clients[0].patience = Patience(.fixed(seconds: 1))
        let result = Simulation.run(scenario, seed: 4)
        #expect(result.all.rejected > 100)
        #expect(result.value(.refusedWaitedShare, over: scenario.whole) == expected)
    }

    enum Slowness: CaseIterable {
        case sendsThrough, sendsBefore, readsFromBackend, readsFromGateway, readsUnits

        func slow(_ group: inout ClientGroup) {
            switch self {
            case .sendsThrough: group.sendingSeconds = 5
            case .sendsBefore:
                group.sendingSeconds = 5
                group.sends = .before
            case .readsFromBackend:
                group.readingSeconds = 5
                group.isBuffered = false
            case .readsFromGateway: group.readingSeconds = 5
            case .readsUnits:
                group.readUnitsPerSecond = 0.5
                group.isBuffered = false
            }
        }

        /// For how long a permit is held by a request whose work takes 100 ms.
        var heldSeconds: Double {
            switch self {
            case .sendsThrough, .readsFromBackend: 5.1
            case .sendsBefore, .readsFromGateway: 0.1
            case .readsUnits: 2
            }
        }
    }

    /// A slow client holds its permit, but no slot in the engine; not when the gateway takes its
    /// time for it.
    @Test(arguments: Slowness.allCases)
    func slowClientsHoldPermits(slowness: Slowness) {
        var scenario = Example.slots(16, load: 0, limit: 1000, seconds: 300)
        scenario.warmUpNanoseconds = 20 * Example.second
        scenario.clients[0].segments[0].value = 10
        scenario.clients[0].work.variation = 0
        scenario.admitEverything()
        slowness.slow(&scenario.clients[0])
        let result = Simulation.run(scenario, seed: 5)
        let held =
            result.value(.inFlightMean, over: scenario.whole)
            / result.value(.offered, over: scenario.whole)
        #expect(abs(held / slowness.heldSeconds - 1) < 0.03, "\(held) s")
        #expect(result.pool.maxInside <= 10)
        #expect(result.value(.unitHigh, over: scenario.whole) < 0.11)
    }

    /// The whole of the crowd waits for the time that it was told, and nothing is at work.
    @Test func idleTimeWhileClientsWaitIsMeasured() {
        var scenario = Example.slots(4, load: 0, limit: 4, seconds: 40)
        scenario.warmUpNanoseconds = 0
        scenario.clients[0].segments = [.init(startNanoseconds: 0, value: 0)]
        let nobody = Simulation.run(scenario, seed: 6)
        #expect(nobody.value(.idleSeconds, over: scenario.whole) == 0)
        scenario.clients[0].retry = .sdkWithConstant(milliseconds: 10_000)
        scenario.clients[0].segments = [
            .init(startNanoseconds: 0, value: 1000), .init(startNanoseconds: 100_000_000, value: 0),
        ]
        scenario.admission.queue.maxRequests = 0
        let idle = Simulation.run(scenario, seed: 6).value(.idleSeconds, over: scenario.whole)
        #expect((18...20).contains(idle), "\(idle) s")
    }
}
