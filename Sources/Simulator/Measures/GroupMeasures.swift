// What happened to the requests of one group of clients in one stretch of time.

import Admission

/// Counts and durations of one group of clients.
///
/// An attempt that is tried again counts each time.
package struct GroupMeasures: Equatable, Sendable {
    /// Attempts that came to the gateway.
    package var offered = 0
    /// Attempts that a backend was asked for.
    package var accepted = 0
    /// Attempts that were answered whole.
    package var completed = 0
    /// Those of them that were answered before their deadline.
    package var inDeadline = 0
    /// Attempts that the client gave up.
    package var cancelled = 0
    /// Attempts that a backend failed: 429, 5xx, time-out.
    package var failed = 0
    /// Attempts that the gateway refused, by reason.
    package var rejectedByReason = [Int](repeating: 0, count: Reason.allCases.count)
    /// Attempts that the gateway refused after more than a quarter of what their clients bear.
    package var refusedLate = 0
    /// Units of work of the attempts that were answered before their deadline.
    package var goodUnits = 0.0
    /// Costs of the attempts that were answered before their deadline.
    package var goodCost = 0.0
    /// Costs of the attempts that were offered.
    package var offeredCost = 0.0
    /// From the offer to the backend, of accepted attempts.
    package var wait = LogHistogram()
    /// From the first attempt to the response's end.
    package var total = LogHistogram()
    /// From the first attempt to the response's first unit.
    package var firstByte = LogHistogram()
    /// Seconds for which answered attempts had their slots.
    package var slotSeconds = 0.0
    /// Tokens of the prompts that backends read or knew, and how many of them they knew.
    package var promptTokens = 0
    package var cachedTokens = 0
    /// From the backend's begin to the end, over units.
    package var perUnit = LogHistogram()

    /// Attempts that the gateway refused.
    package var rejected: Int { rejectedByReason.reduce(0, +) }

    /// Adds what another group or stretch of time had.
    mutating func add(_ other: GroupMeasures) {
        offered += other.offered
        accepted += other.accepted
        completed += other.completed
        inDeadline += other.inDeadline
        cancelled += other.cancelled
        failed += other.failed
        for index in rejectedByReason.indices {
            rejectedByReason[index] += other.rejectedByReason[index]
        }
        refusedLate += other.refusedLate
        goodUnits += other.goodUnits
        goodCost += other.goodCost
        offeredCost += other.offeredCost
        wait.add(other.wait)
        total.add(other.total)
        perUnit.add(other.perUnit)
        firstByte.add(other.firstByte)
        slotSeconds += other.slotSeconds
        promptTokens += other.promptTokens
        cachedTokens += other.cachedTokens
    }
}
