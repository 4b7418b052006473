// A scenario with one seed, and everything that its expectations compare it with.

import Admission

/// The runs that a scenario is judged by, all with the same seed.
package struct ScenarioRun: Sendable {
    /// The scenario's own.
    package let result: SimulationResult
    /// One for each variant.
    package private(set) var variants: [SimulationResult] = []
    /// What fixed limits come to; nil when no expectation asks.
    package let oracle: Oracle?
    /// What comes of the limits that expectations must fail with, by their names.
    private var controls: [String: SimulationResult] = [:]

    /// Runs `scenario`, what it is compared with, and, if asked for, what must fail.
    package init(_ scenario: Scenario, seed: UInt64, withControls: Bool = true) {
        result = Simulation.run(scenario, seed: seed)
        variants = scenario.variants.map { Simulation.run($0.scenario, seed: seed) }
        let needsOracle = scenario.expectations.contains { $0.standard == .oracle }
        oracle = needsOracle ? Oracle(scenario, seed: seed) : nil
        guard withControls else { return }
        for name in scenario.expectations.flatMap(\.failsWith) where controls[name] == nil {
            if let index = scenario.variantIndex(name) {
                controls[name] = variants[index]
            } else if let limit = LimitSettings(simulatorName: name) {
                var other = scenario
                other.admission.limit = limit
                controls[name] = Simulation.run(other, seed: seed)
            }
        }
    }

    /// What an expectation's bounds are held against.
    ///
    /// With `control` it is what comes of that limit or variant instead.
    func value(
        _ expectation: Expectation, of scenario: Scenario, control: String? = nil
    ) -> Double {
        let window = scenario.window(named: expectation.window)
        let group = scenario.clients.firstIndex { $0.name == expectation.clients }
        let backend = scenario.backends.firstIndex { $0.name == expectation.backend }
        func measured(_ result: SimulationResult) -> Double {
            result.value(expectation.measure, over: window, group: group, backend: backend)
        }
        let own = expectation.variant.flatMap(scenario.variantIndex).map { variants[$0] } ?? result
        let value = measured(control.flatMap { controls[$0] } ?? own)
        switch expectation.standard {
        case .one:
            return value
        case .oracle:
            let best = oracle?.value(expectation.measure, over: window, group: group) ?? 0
            return share(value, of: best)
        case .knee:
            let knee = scenario.kneeConcurrency(atNanoseconds: window.startNanoseconds)
            return value / Double(knee)
        case .capacity:
            let subject = control ?? expectation.variant
            let run = subject.flatMap(scenario.variantIndex).map { scenario.variants[$0].scenario }
            return share(
                value, of: (run ?? scenario).capacity(atNanoseconds: window.startNanoseconds))
        case .variant(let name):
            return share(value, of: scenario.variantIndex(name).map { measured(variants[$0]) } ?? 0)
        case .eachOther:
            let all = [value] + variants.map(measured)
            return share(all.max() ?? 0, of: all.min() ?? 0)
        }
    }

    private func share(_ value: Double, of standard: Double) -> Double {
        standard == 0 ? (value == 0 ? 1 : .infinity) : value / standard
    }
}
