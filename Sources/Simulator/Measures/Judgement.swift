// Whether a scenario's expectations hold, over its seeds.

/// One expectation and what was found.
package struct Judgement: Sendable {
    /// What was expected.
    package var expectation: Expectation
    /// The values by seed, over the oracle's where the expectation says so.
    package var values: [Double]

    /// Judges every expectation of `scenario` by runs of it; `oracles` has one for each run, or is
    /// empty when no expectation needs one.
    package static func all(
        _ scenario: Scenario, results: [SimulationResult], oracles: [Oracle]
    ) -> [Judgement] {
        scenario.expectations.map { expectation in
            let window = scenario.window(named: expectation.window)
            let group = scenario.clients.firstIndex { $0.name == expectation.clients }
            let values = results.indices.map { index in
                let measure = expectation.measure
                let value = results[index].value(measure, over: window, group: group)
                guard expectation.isRelativeToOracle else { return value }
                let standard = oracles[index].value(measure, over: window, group: group)
                return standard == 0 ? (value == 0 ? 1 : .infinity) : value / standard
            }
            return Judgement(expectation: expectation, values: values)
        }
    }

    /// Lowest value that counts: with five seeds or more the very lowest is left out.
    package var low: Double { values.sorted()[values.count >= 5 ? 1 : 0] }
    /// Highest value that counts: with five seeds or more the very highest is left out.
    package var high: Double { values.sorted(by: >)[values.count >= 5 ? 1 : 0] }

    /// Whether what counts is within the bounds.
    package var holds: Bool {
        if let least = expectation.atLeast, low < least { return false }
        if let most = expectation.atMost, high > most { return false }
        return true
    }
}
