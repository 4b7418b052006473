// A histogram with fixed bounds: what the gateway remembers of its durations. It is made once,
// counts without allocating, and is read only when somebody scrapes the metrics.

/// Counts of observed durations by fixed upper bounds, with their sum.
package struct Histogram {
    /// Upper bounds in nanoseconds, ascending; a value equal to a bound counts below it.
    package let bounds: [Int64]
    /// Observations up to each bound and above the one before it; the last is for those above all
    /// bounds.
    package private(set) var counts: [UInt64]
    /// Sum of all observations in nanoseconds: 64 bits would wrap within weeks at 10,000 long
    /// requests at once.
    package private(set) var sumNanoseconds: UInt128 = 0

    /// Makes an empty histogram with the upper bounds `bounds`, in nanoseconds, ascending, at least
    /// one.
    package init(bounds: [Int64]) {
        precondition(!bounds.isEmpty, "a histogram without bounds")
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "bounds not ascending")
        self.bounds = bounds
        self.counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// What was counted elsewhere: `counts` up to each of the bounds and above the last, with their sum.
    init(bounds: [Int64], counts: [UInt64], sumNanoseconds: UInt128) {
        precondition(counts.count == bounds.count + 1, "counts that are not those of the bounds")
        self.bounds = bounds
        self.counts = counts
        self.sumNanoseconds = sumNanoseconds
    }

    /// Nothing, to stand in for a histogram that is taken out; it cannot count.
    static var none: Histogram { Histogram() }

    private init() {
        bounds = []
        counts = []
    }

    /// Shows every counter to `walk`.
    mutating func walk(_ walk: inout CounterWalk) {
        walk.visit(&counts)
        walk.visit(&sumNanoseconds)
    }

    /// All observations.
    package var count: UInt64 { counts.reduce(0, &+) }

    /// The value below which that share of the observations in `counts` lies, in seconds; nil where there are none.
    ///
    /// `counts` are those of a histogram of these bounds. Within a step it is interpolated, and what is above the last bound
    /// counts as that: Prometheus' `histogram_quantile`.
    package static func quantileSeconds(
        _ share: Double, of counts: [UInt64], _ bounds: [Int64]
    ) -> Double? {
        precondition(counts.count == bounds.count + 1, "counts that are not those of the bounds")
        let count = counts.reduce(0, &+)
        guard count > 0 else { return nil }
        let rank = share * Double(count)
        var below = 0.0
        for (index, bound) in bounds.enumerated() {
            let own = Double(counts[index])
            if below + own >= rank, own > 0 {
                let lower = index > 0 ? Double(bounds[index - 1]) : 0
                return (lower + (Double(bound) - lower) * (rank - below) / own) / 1e9
            }
            below += own
        }
        return Double(bounds[bounds.count - 1]) / 1e9
    }

    /// Counts one observation of `nanoseconds`; a negative one, from a clock read out of order,
    /// counts as 0.
    package mutating func observe(nanoseconds: Int64) {
        let value = max(0, nanoseconds)
        // Half of what is observed lies below the middle bound, so halving beats a walk from the
        // front; but most requests have not waited at all.
        var low = 0
        var high = value <= bounds[0] ? 0 : bounds.count
        while low < high {
            let middle = (low &+ high) &>> 1
            if bounds[middle] < value { low = middle &+ 1 } else { high = middle }
        }
        counts[low] &+= 1
        sumNanoseconds &+= UInt128(truncatingIfNeeded: value)
    }
}

extension Histogram {
    /// The bounds of vLLM's time-to-first-token histogram, 1 ms..2,560 s, so that dashboards line
    /// up.
    package static let durationBounds: [Int64] = [
        1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000, 20_000,
        40_000, 80_000, 160_000, 640_000, 2_560_000,
    ].map { $0 * 1_000_000 }

    /// The bounds for `Retry-After`, 1..60 s.
    package static let retryAfterBounds: [Int64] =
        [1, 2, 3, 5, 8, 13, 20, 30, 45, 60].map { $0 * 1_000_000_000 }
}
