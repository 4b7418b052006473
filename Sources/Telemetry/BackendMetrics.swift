// What the gateway has counted of one backend. Requests hold the object itself, so that a reload,
// which renumbers backends, cannot make them count for another one. It belongs to the reactor's
// thread.

package import Admission

/// Counters of one backend of one pool.
package final class BackendMetrics {
    /// The backend's URL as the operator wrote it.
    package let label: String
    /// `pool="…",backend="…"`, ready to be written.
    let labels: String

    /// Connections that became ready to use.
    package var connectionsOpened: UInt64 = 0
    /// Requests that went out on a connection that was open already.
    package var connectionsReused: UInt64 = 0
    /// Times that the backend was ejected after refused connections.
    package var ejections: UInt64 = 0
    /// Responses with fields about the backend that could not be read.
    package var unreadableSignals: UInt64 = 0
    /// Load reports of the backend that were read, and those that could not be.
    package var reports: UInt64 = 0
    package var unreadableReports: UInt64 = 0

    /// Time from the permit to the first byte of its responses.
    package private(set) var firstByte = Histogram(bounds: Histogram.durationBounds)

    private var agentPolls = [UInt64](repeating: 0, count: AgentPollResult.allCases.count)
    private var outcomes = [UInt64](repeating: 0, count: Outcome.named.count)
    private var failures = [UInt64](repeating: 0, count: Reason.allCases.count)

    /// Makes zeroed counters for the backend `label` of the pool whose labels are `poolLabels`.
    init(label: String, poolLabels: String) {
        self.label = label
        self.labels = "\(poolLabels),backend=\"\(escapedLabel(label))\""
    }

    /// Shows every counter to `walk`.
    func walk(_ walk: inout CounterWalk) {
        walk.visit(&connectionsOpened)
        walk.visit(&connectionsReused)
        walk.visit(&ejections)
        walk.visit(&unreadableSignals)
        walk.visit(&reports)
        walk.visit(&unreadableReports)
        walk.visit(&agentPolls)
        walk.visit(&failures)
        walk.visit(&outcomes)
        firstByte.walk(&walk)
    }

    /// Counts a question to the backend's agent.
    package func countAgentPoll(_ result: AgentPollResult) {
        agentPolls[Int(result.rawValue)] &+= 1
    }

    /// How many questions to the backend's agent ended so.
    package func agentPolls(_ result: AgentPollResult) -> UInt64 {
        agentPolls[Int(result.rawValue)]
    }

    /// Counts the time from the permit to the first byte of a response.
    package func observeFirstByte(nanoseconds: Int64) {
        firstByte.observe(nanoseconds: nanoseconds)
    }

    /// Counts what became of a request at the backend.
    package func count(_ outcome: Outcome) { outcomes[outcome.index] &+= 1 }

    /// How many requests came to an outcome of that name.
    package func count(of outcome: Outcome) -> UInt64 { outcomes[outcome.index] }

    /// Counts a connection that could not be made: `connectFailed`, `connectTimeout`, `tlsFailed`
    /// or `exhausted`.
    package func countConnectionFailed(_ reason: Reason) {
        failures[Int(reason.rawValue)] &+= 1
    }

    /// How many connections failed for `reason`.
    package func connectionsFailed(_ reason: Reason) -> UInt64 {
        failures[Int(reason.rawValue)]
    }
}
