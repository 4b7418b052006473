// What the best fixed limit would have reached, found by trying: the standard that algorithms are
// held to. Nobody types a number in.

import Admission

/// The same scenario under many fixed limits.
package struct Oracle: Sendable {
    /// One fixed limit and what it came to.
    package struct Run: Sendable {
        /// Requests that each backend could have in flight.
        package var limit: Int
        /// What the run came to.
        package var result: SimulationResult
    }

    /// The runs by limit, lowest first.
    package private(set) var runs: [Run] = []
    private let scenario: Scenario
    private let seed: UInt64

    /// Tries fixed limits at `seed`, closer to one another around the best of each window.
    package init(_ scenario: Scenario, seed: UInt64) {
        self.scenario = scenario
        self.seed = seed
        let batches = scenario.backends.flatMap { $0.phases.map(\.batch) }
        let most = min(4096, 2 * (batches.max() ?? 4096).clamped(to: 1...2048))
        var exact = 1.0
        while Int(exact) <= most {
            attempt(Int(exact))
            exact *= 1.414_213_562_373_095
        }
        let windows = [scenario.whole] + scenario.windows
        for step in [1.189_207, 1.090_508, 1.044_274] {
            for window in windows {
                let limit = Double(best(over: window).limit)
                attempt(max(1, Int(limit / step)))
                attempt(min(most, Int((limit * step).rounded(.up))))
            }
        }
    }

    private mutating func attempt(_ limit: Int) {
        guard !runs.contains(where: { $0.limit == limit }) else { return }
        var fixed = scenario
        fixed.admission.limit = .fixed(FixedLimitSettings(limit: limit))
        runs.append(Run(limit: limit, result: Simulation.run(fixed, seed: seed)))
        runs.sort { $0.limit < $1.limit }
    }

    /// The highest goodput over `window`, in units a second.
    package func highestGoodput(over window: Scenario.Window) -> Double {
        runs.reduce(0) { max($0, $1.result.value(.goodput, over: window)) }
    }

    /// The run with the lowest limit that reaches 99.5 % of the highest goodput over `window`.
    ///
    /// Above the knee many limits are as good as one another; the lowest has the best latencies.
    package func best(over window: Scenario.Window) -> Run {
        let enough = 0.995 * highestGoodput(over: window)
        return runs.first { $0.result.value(.goodput, over: window) >= enough } ?? runs[0]
    }

    /// What `measure` may be compared with: the highest of any limit for rates of work, else the
    /// best run's value.
    package func value(
        _ measure: Measure, over window: Scenario.Window, group: Int? = nil
    ) -> Double {
        switch measure {
        case .throughput, .goodput, .completed:
            runs.reduce(0) { max($0, $1.result.value(measure, over: window, group: group)) }
        default:
            best(over: window).result.value(measure, over: window, group: group)
        }
    }
}

extension Int {
    fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}
