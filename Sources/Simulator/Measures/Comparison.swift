// The same scenario under every limit there is, beside the best fixed one.

import Admission

/// What each limit comes to in one scenario.
package struct Comparison: Sendable {
    /// One limit.
    package struct Row: Sendable {
        /// The limit's name, or `best fixed, N`.
        package var name: String
        /// Mean of the limit over time.
        package var meanLimit: Double
        /// Units of work a second.
        package var throughput: Double
        /// The same over the best fixed limit's.
        package var shareOfBest: Double
        /// Seconds a unit that 99 of 100 responses keep below.
        package var unitHigh: Double
        /// Attempts refused over attempts offered.
        package var rejectedShare: Double
    }

    /// The scenario's name.
    package var name: String
    /// The best fixed limit first, then `LimitSettings.simulatorNames` in their order.
    package private(set) var rows: [Row] = []

    /// Runs `scenario` with every limit and `seeds`, one at least; figures are means over the seeds.
    package init(_ scenario: Scenario, seeds: [UInt64]) {
        name = scenario.name
        let oracles = seeds.map { Oracle(scenario, seed: $0) }
        let whole = scenario.whole
        let bests = oracles.map { $0.best(over: whole) }
        let highest = oracles.map { $0.value(.throughput, over: whole) }
        let middle = bests.map(\.limit).sorted()[bests.count / 2]
        rows.append(
            Comparison.row("best fixed, \(middle)", bests.map(\.result), highest, over: whole))
        for name in LimitSettings.simulatorNames {
            guard let limit = LimitSettings(simulatorName: name) else { continue }
            var tried = scenario
            tried.admission.limit = limit
            let results = seeds.map { Simulation.run(tried, seed: $0) }
            rows.append(Comparison.row(name, results, highest, over: whole))
        }
    }

    private static func row(
        _ name: String, _ results: [SimulationResult], _ highest: [Double],
        over window: Scenario.Window
    ) -> Row {
        func mean(_ measure: Measure) -> Double {
            let sum = results.reduce(0) { $0 + $1.value(measure, over: window) }
            return sum / Double(results.count)
        }
        let throughput = mean(.throughput)
        let best = highest.reduce(0, +) / Double(highest.count)
        return Row(
            name: name, meanLimit: mean(.limitMean), throughput: throughput,
            shareOfBest: best == 0 ? 0 : throughput / best, unitHigh: mean(.unitHigh),
            rejectedShare: mean(.rejectedShare))
    }

    /// A table in Markdown.
    package var markdown: String {
        var text = "| \(name) | mean limit | units/s | of the best | p99 a unit | refused |\n"
        text += "|---|---:|---:|---:|---:|---:|\n"
        for row in rows {
            text +=
                "| \(row.name) | \(Figure.short(row.meanLimit)) "
                + "| \(Figure.short(row.throughput)) "
                + "| \(Figure.fixed(row.shareOfBest, decimals: 2)) "
                + "| \(Figure.seconds(row.unitHigh)) "
                + "| \(Figure.fixed(100 * row.rejectedShare, decimals: 1)) % |\n"
        }
        return text
    }
}
