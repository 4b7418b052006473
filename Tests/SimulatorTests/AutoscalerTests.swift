// When replicas are started and stopped.

import Testing

@testable import Simulator

@Suite struct AutoscalerTests {
    private func scaler(
        _ signal: Autoscale.Signal = .wanted, _ change: (inout Autoscale) -> Void = { _ in }
    ) -> Autoscaler {
        var rule = Autoscale()
        rule.signal = signal
        change(&rule)
        return Autoscaler(rule)
    }

    /// Decides each quarter of a minute by the values, all replicas serving; the numbers that are asked for.
    private func replicas(_ scaler: inout Autoscaler, _ values: [Double]) -> [Int] {
        var found: [Int] = []
        for (index, value) in values.enumerated() {
            _ = scaler.decide(
                value: value, ready: scaler.replicas, now: Int64(index) * 15_000_000_000)
            found.append(scaler.replicas)
        }
        return found
    }

    @Test func aNumberForEachIsRoundedUpWithinWhatIsAllowed() {
        var scaler = scaler { $0.most = 9 }
        // Four more, then twice as many, then the most.
        #expect(replicas(&scaler, [3.2, 4.1, 40, 40]) == [4, 4, 8, 9])
    }

    @Test func whatIsNearlyRightChangesNothing() {
        var scaler = scaler {
            $0.least = 10; $0.most = 20
        }
        #expect(replicas(&scaler, [10.9, 9.1, 11.1]) == [10, 10, 12])
    }

    @Test func fewerHaveToBeEnoughForAWhile() {
        var scaler = scaler { $0.downAfterNanoseconds = 30_000_000_000 }
        #expect(replicas(&scaler, [5, 2, 3, 2, 2, 2, 1]) == [5, 5, 5, 3, 3, 2, 2])
    }

    /// Those that are started already do not serve yet, and are not multiplied.
    @Test func aRatioMultipliesThoseThatServe() {
        var scaler = scaler(.saturation) { $0.least = 4 }
        _ = scaler.decide(value: 1, ready: 4, now: 0)
        #expect(scaler.replicas == 6)
        _ = scaler.decide(value: 1, ready: 4, now: 15_000_000_000)
        #expect(scaler.replicas == 6)
        _ = scaler.decide(value: 1, ready: 6, now: 30_000_000_000)
        #expect(scaler.replicas == 9)
    }

    @Test func othersHaveTargetsOfTheirOwn() {
        var waiting = scaler(.waiting)
        #expect(replicas(&waiting, [5, 11]) == [1, 3])
        var inFlight = scaler(.inFlight) { $0.target = 20 }
        #expect(replicas(&inFlight, [41]) == [3])
    }
}

@Suite struct ReplicasTests {
    private static func text(_ expectation: String, every: String = "1s") -> String {
        """
        duration: 60s
        warm_up: 5s
        pool: {limit: 4, queue: {max_wait: 500ms}}
        backends: [{name: engine, base: 100ms, batch: 4}]
        autoscale: {start_up: 5s, min: 1, max: 5, every: \(every), down_after: 5s, signal: wanted}
        clients: [{name: chat, rate: 3, units: 5, streams: false, phases: [{at: 20s, rate: 20}, {at: 40s, rate: 3}]}]
        windows:
          - {name: before, from: 10s, to: 20s}
          - {name: crowd, from: 33s, to: 40s}
          - {name: after, from: 55s, to: 60s}
        expect: [\(expectation)]
        """
    }

    private static func holds(_ expectation: String) throws -> Bool {
        let scenario = try ScenarioLoader.load(text: text(expectation), file: "s.yaml")
        let run = ScenarioRun(scenario, seed: 1, withControls: false)
        return Judgement.all(scenario, [run], withControls: false).allSatisfy(\.holds)
    }

    @Test(arguments: [
        "{measure: ready_max, window: before, at_most: 2}",
        "{measure: ready_min, window: crowd, at_least: 3}",
        "{measure: replicas_max, at_least: 3, at_most: 5}",
        "{measure: ready_max, window: after, at_most: 2}",
        "{measure: replicas_min, window: after, at_least: 1}",
        "{measure: replica_changes, at_least: 2, at_most: 12}",
        "{measure: work_share, backend: engine, window: crowd, at_most: 0.6}",
        "{measure: failed_share, at_most: 0}",
    ])
    func replicasFollowDemand(expectation: String) throws {
        #expect(try Self.holds(expectation))
    }

    /// The negative control.
    @Test func oneReplicaIsNotEnough() throws {
        #expect(try !Self.holds("{measure: ready_max, window: crowd, at_most: 1}"))
    }

    @Test func theSameSeedGivesTheSameRun() throws {
        let scenario = try ScenarioLoader.load(
            text: Self.text("{measure: jain, at_most: 1}"), file: "s.yaml")
        #expect(Simulation.run(scenario, seed: 3) == Simulation.run(scenario, seed: 3))
        let result = Simulation.run(scenario, seed: 3)
        #expect(SimulationSummary.text(scenario, result).contains("serving"))
        #expect(SimulationPage.html(scenario, result, []).contains("Replicas"))
        #expect(result.samples.contains { $0.replicas > $0.ready })
    }

    @Test(arguments: [
        ("{min: 3, max: 2}", "autoscale.max: is below min"),
        ("{signal: load}", "autoscale.signal: "), ("{every: 1ms}", "autoscale.every: "),
        ("{target: 0}", "autoscale.target: "), ("{grow: 2}", "autoscale.grow: is not known"),
    ])
    func faultsSayWhereTheyAre(rule: String, expected: String) {
        let text = Self.text("{measure: jain, at_most: 1}")
        let line = text.split(separator: "\n").first { $0.hasPrefix("autoscale") } ?? ""
        let wrong = text.replacing(line, with: "autoscale: \(rule)")
        #expect { try ScenarioLoader.load(text: wrong, file: "s.yaml") } throws: { error in
            "\(error)".contains(expected)
        }
    }

    @Test func onlyOneBackendIsReplicated() {
        let text = Self.text("{measure: jain, at_most: 1}").replacing(
            "batch: 4}]", with: "batch: 4}, {base: 1s}]")
        #expect { try ScenarioLoader.load(text: text, file: "s.yaml") } throws: { error in
            "\(error)".contains("there are several backends")
        }
    }
}
