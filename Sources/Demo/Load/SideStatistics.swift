// What the clients of one side saw. Only clients count here: what a server believes to have served
// is of no use to those who had left.

package import Admission

/// Counters of one side, from the beginning of the run.
package struct SideStatistics: Equatable, Sendable {
    /// Requests of clients that came for the first time.
    package var arrived = 0
    /// Requests of clients that came back after a refusal.
    package var cameBack = 0
    /// Requests whose whole response came within the client's patience.
    package var inTime = 0
    /// Those of them that had been refused once before.
    package var inTimeAfterRetry = 0
    /// Requests whose client lost its patience and left.
    package var gaveUp = 0
    /// Requests that ended in any other way, such as a broken connection.
    package var failed = 0
    /// Time from the request to the end of its response, of those that came in time.
    package var latency = LatencyHistogram()
    /// Time from the request to its refusal.
    package var refusalLatency = LatencyHistogram()

    private var refusals = [Int](repeating: 0, count: Reason.allCases.count)

    /// Counters at 0.
    package init() {}

    /// Counts a refusal.
    package mutating func countRefused(_ reason: Reason, afterSeconds seconds: Double) {
        refusals[Int(reason.rawValue)] += 1
        refusalLatency.add(seconds: seconds)
    }

    /// Requests that were refused.
    package var refused: Int { refusals.reduce(0, +) }

    /// Requests that were refused for `reason`.
    package func refused(_ reason: Reason) -> Int { refusals[Int(reason.rawValue)] }

    /// What was counted here and not yet in `earlier`, an older state of the same counters.
    package func since(_ earlier: SideStatistics) -> SideStatistics {
        var difference = self
        difference.arrived -= earlier.arrived
        difference.cameBack -= earlier.cameBack
        difference.inTime -= earlier.inTime
        difference.inTimeAfterRetry -= earlier.inTimeAfterRetry
        difference.gaveUp -= earlier.gaveUp
        difference.failed -= earlier.failed
        difference.latency = latency.since(earlier.latency)
        difference.refusalLatency = refusalLatency.since(earlier.refusalLatency)
        for index in refusals.indices { difference.refusals[index] -= earlier.refusals[index] }
        return difference
    }
}
