// What one run came to, and how windows of it are summed up.

package import Admission

/// The outcome of one run.
package struct SimulationResult: Equatable, Sendable {
    /// The seed that it follows from.
    package var seed: UInt64
    /// A hash over all events and decisions; the same scenario and seed give the same.
    package var trace: UInt64
    /// Requests that clients made, attempts that were tried again counted once.
    package var requests = 0
    /// Attempts over the whole run, warm-up included.
    package var attempts = 0
    /// Attempts that were still in the gateway when the run ended.
    package var stillIn = 0
    /// Stretches of time, in order; the borders of all windows are borders of these.
    package var cells: [CellMeasures]
    /// For each stretch, one for each group of clients.
    package var groups: [GroupMeasures]
    /// Groups of clients.
    package var groupCount: Int
    /// The time series.
    package var samples: [SamplePoint] = []
    /// What affinity came to over the whole run, at the first gateway.
    package var affinity = AffinityCounts()
    /// How often the limits were moved, by reason.
    package var limitMoves = [Int](repeating: 0, count: LimitMoveReason.allCases.count)

    /// What the pool did between two times, which are borders of windows or phases.
    package func pool(from start: Int64, to end: Int64) -> CellMeasures {
        var sum = CellMeasures(
            startNanoseconds: start, endNanoseconds: end,
            backends: cells.first?.backendUnits.count ?? 0)
        for cell in cells where cell.startNanoseconds >= start && cell.endNanoseconds <= end {
            sum.add(cell)
        }
        return sum
    }

    /// What happened to the requests of the groups that `isIncluded` names by their index.
    package func clients(
        from start: Int64, to end: Int64, where isIncluded: (Int) -> Bool = { _ in true }
    ) -> GroupMeasures {
        var sum = GroupMeasures()
        for (index, cell) in cells.enumerated()
        where cell.startNanoseconds >= start && cell.endNanoseconds <= end {
            for group in 0..<groupCount where isIncluded(group) {
                sum.add(groups[index * groupCount + group])
            }
        }
        return sum
    }
}
