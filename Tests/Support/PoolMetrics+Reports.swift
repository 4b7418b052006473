// What several reactors have counted, in the form in which one counts.

@testable import Gateway
@testable import Telemetry

extension PoolMetrics {
    /// The sum of one pool's reports.
    static func adding(_ reports: [ReactorReport.PoolReport]) -> PoolMetrics {
        PoolMetrics(
            name: "main", backends: reports[0].backends.map(\.label),
            classes: reports[0].classes.map(\.name), adding: reports)
    }
}
