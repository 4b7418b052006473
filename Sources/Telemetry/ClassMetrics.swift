// What one priority class of a pool has counted since the gateway started. It belongs to the
// reactor's thread.

package import Admission

/// Counters of one priority class.
package final class ClassMetrics {
    /// The class's name.
    package let name: String
    /// Whether the class gets only what nobody else wants.
    package internal(set) var isSlack = false
    /// `class="…"`, ready to be written.
    let label: String

    /// Kept because `allCases` makes an array each time.
    private let reasonCount = Reason.allCases.count
    private var decisions = [UInt64](
        repeating: 0, count: PoolMetrics.Decision.allCases.count * Reason.allCases.count)
    private var observed = [UInt64](
        repeating: 0, count: PoolMetrics.Observation.allCases.count * Reason.allCases.count)

    /// Makes zeroed counters of the class `name`.
    package init(name: String) {
        self.name = name
        label = "class=\"\(escapedLabel(name))\""
    }

    /// How often `decision` was taken for `reason`.
    package func count(of decision: PoolMetrics.Decision, _ reason: Reason) -> UInt64 {
        decisions[Int(decision.rawValue) &* reasonCount &+ Int(reason.rawValue)]
    }

    /// How often `observation` would have been the decision, for `reason`.
    package func count(of observation: PoolMetrics.Observation, _ reason: Reason) -> UInt64 {
        observed[Int(observation.rawValue) &* reasonCount &+ Int(reason.rawValue)]
    }

    /// Shows every counter to `walk`.
    func walk(_ walk: inout CounterWalk) {
        walk.visit(&decisions)
        walk.visit(&observed)
    }

    /// Counts a decision.
    func count(_ decision: PoolMetrics.Decision, _ reason: Reason) {
        decisions[Int(decision.rawValue) &* reasonCount &+ Int(reason.rawValue)] &+= 1
    }

    /// Counts what would have been decided.
    func count(_ observation: PoolMetrics.Observation, _ reason: Reason) {
        observed[Int(observation.rawValue) &* reasonCount &+ Int(reason.rawValue)] &+= 1
    }
}
