// Backends that join and leave during a run.

import Foundation
import Testing

@testable import Simulator

@Suite struct MembershipTests {
    private static func holds(_ text: String) throws -> Bool {
        let scenario = try ScenarioLoader.load(text: text, file: "s.yaml")
        let run = ScenarioRun(scenario, seed: 1, withControls: false)
        return Judgement.all(scenario, [run], withControls: false).allSatisfy(\.holds)
    }

    /// Of three backends the second leaves and returns, and the third is there meanwhile.
    private static func scenario(_ expectation: String) -> String {
        """
        duration: 40s
        warm_up: 5s
        pool: {limit: 8}
        backends:
          - {name: a, base: 10ms}
          - {name: b, base: 10ms, phases: [{at: 15s, state: absent}, {at: 30s, state: serving}]}
          - {name: c, base: 10ms, state: absent, phases: [{at: 15s, state: serving}, {at: 30s, state: absent}]}
        clients: [{name: chat, rate: 100, units: 10}]
        windows:
          - {name: before, from: 5s, to: 15s}
          - {name: meanwhile, from: 17s, to: 30s}
          - {name: after, from: 32s, to: 40s}
        expect: [\(expectation)]
        """
    }

    @Test(arguments: [
        "{measure: work_share, backend: c, window: before, at_most: 0}",
        "{measure: work_share, backend: b, window: before, at_least: 0.4}",
        "{measure: work_share, backend: b, window: meanwhile, at_most: 0}",
        "{measure: work_share, backend: c, window: meanwhile, at_least: 0.4}",
        "{measure: work_share, backend: c, window: after, at_most: 0}",
        "{measure: work_share, backend: b, window: after, at_least: 0.4}",
        "{measure: failed_share, at_most: 0}", "{measure: rejected_share, at_most: 0}",
    ])
    func whoIsAbsentGetsNothing(expectation: String) throws {
        #expect(try Self.holds(Self.scenario(expectation)))
    }

    /// The negative control.
    @Test func whoIsThereGetsSomething() throws {
        let expectation = "{measure: work_share, backend: c, window: meanwhile, at_most: 0.1}"
        #expect(try !Self.holds(Self.scenario(expectation)))
    }

    /// Workers say what they take: it is never exceeded, by two gateways together neither, and it is used.
    @Test(arguments: [
        "{measure: inside_max, window: before, at_most: 8, at_least: 8}",
        "{measure: inside_max, window: after, at_most: 3, at_least: 3}",
        "{measure: work_share, backend: w, window: away, at_most: 0}",
        "{measure: failed_share, at_most: 0}",
    ])
    func workersGetWhatTheySay(expectation: String) throws {
        let text = """
            duration: 60s
            warm_up: 5s
            gateways: 2
            backends:
              - {name: w, base: 50ms, batch: 8, credits: 8, phases: [{at: 20s, state: absent}, {at: 30s, state: serving}, {at: 40s, credits: 3}]}
            clients: [{name: chat, rate: 40, units: 10}]
            windows:
              - {name: before, from: 5s, to: 20s}
              - {name: away, from: 22s, to: 30s}
              - {name: after, from: 45s, to: 60s}
            expect: [\(expectation)]
            """
        #expect(try Self.holds(text))
    }

    /// One seed of the scenario that the release build judges by twenty.
    @Test func aNewBackendBeginsNearItsSiblings() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Scenarios/f12-new-backend.yaml").path
        let scenario = try ScenarioLoader.load(path: path)
        let run = ScenarioRun(scenario, seed: 1, withControls: false)
        for judgement in Judgement.all(scenario, [run], withControls: false) {
            #expect(judgement.holds, "\(Judgement.text([judgement]))")
        }
    }
}
