// Whether a scenario's expectations hold, over its seeds.

/// One expectation and what was found.
package struct Judgement: Sendable {
    /// What comes of the expectation where it must not hold.
    package struct Control: Sendable {
        /// The limit or the variant.
        package var name: String
        /// The values by seed.
        package var values: [Double]
    }

    /// What was expected.
    package var expectation: Expectation
    /// The values by seed, over the standard's where the expectation has one.
    package var values: [Double]
    /// Where it must not hold; empty when that was not run.
    package var controls: [Control] = []

    /// Judges every expectation of `scenario` by runs of it, one for each seed.
    package static func all(
        _ scenario: Scenario, _ runs: [ScenarioRun], withControls: Bool = true
    ) -> [Judgement] {
        scenario.expectations.map { expectation in
            var judgement = Judgement(
                expectation: expectation, values: runs.map { $0.value(expectation, of: scenario) })
            if withControls {
                judgement.controls = expectation.failsWith.map { name in
                    Control(
                        name: name,
                        values: runs.map { $0.value(expectation, of: scenario, control: name) })
                }
            }
            return judgement
        }
    }

    /// Lowest value that counts: with five seeds or more the very lowest is left out.
    package var low: Double { Judgement.low(values) }
    /// Highest value that counts: with five seeds or more the very highest is left out.
    package var high: Double { Judgement.high(values) }

    /// Whether what counts is within the bounds, and what must fail does.
    package var holds: Bool { isWithin(values) && controlsThatHold.isEmpty }

    /// With what it holds although it must not, at the median of the seeds.
    package var controlsThatHold: [String] {
        controls.filter { isWithin([Judgement.median($0.values)]) }.map(\.name)
    }

    private func isWithin(_ values: [Double]) -> Bool {
        if let least = expectation.atLeast, !(Judgement.low(values) >= least) { return false }
        if let most = expectation.atMost, !(Judgement.high(values) <= most) { return false }
        return true
    }

    /// The middle of the values.
    package static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    /// Lowest of the values that count.
    package static func low(_ values: [Double]) -> Double {
        values.sorted()[values.count >= 5 ? 1 : 0]
    }

    /// Highest of the values that count.
    package static func high(_ values: [Double]) -> Double {
        values.sorted(by: >)[values.count >= 5 ? 1 : 0]
    }
}
