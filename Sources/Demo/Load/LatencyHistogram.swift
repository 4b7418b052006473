// Latencies of a run of any length in fixed memory, fine enough for percentiles: neighbouring
// buckets differ by 5 %.

internal import Glibc

/// Counts of latencies from 100 µs to more than an hour.
package struct LatencyHistogram: Equatable, Sendable {
    private static let lowest = 1e-4
    private static let growth = log(1.05)
    private static let buckets = 360

    private var counts = [Int](repeating: 0, count: buckets)
    /// Latencies counted.
    package private(set) var count = 0

    /// An empty histogram.
    package init() {}

    /// Counts a latency.
    package mutating func add(seconds: Double) {
        let position = log(max(seconds, LatencyHistogram.lowest) / LatencyHistogram.lowest)
        counts[min(Int(position / LatencyHistogram.growth), LatencyHistogram.buckets - 1)] += 1
        count += 1
    }

    /// The latency in seconds that a share of `quantile`, 0...1, does not exceed, within 5 %; nil
    /// without any.
    package func quantile(_ quantile: Double) -> Double? {
        guard count > 0 else { return nil }
        let rank = Int((quantile * Double(count)).rounded(.up))
        var seen = 0
        for (index, bucket) in counts.enumerated() where bucket > 0 {
            seen += bucket
            if seen >= rank {
                // The middle of the bucket, by ratio.
                return LatencyHistogram.lowest
                    * exp((Double(index) + 0.5) * LatencyHistogram.growth)
            }
        }
        return nil
    }

    /// What was counted here and not yet in `earlier`, an older state of the same histogram.
    package func since(_ earlier: LatencyHistogram) -> LatencyHistogram {
        var difference = self
        difference.count -= earlier.count
        for index in counts.indices { difference.counts[index] -= earlier.counts[index] }
        return difference
    }
}
