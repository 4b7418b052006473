// Durations counted in buckets that are at most 3.2 % wide, so quantiles are right to that.

/// A histogram of durations from 1 ns on.
package struct LogHistogram: Equatable, Sendable {
    /// Buckets for each doubling.
    private static let bucketsPerOctave = 32
    private var counts: [UInt32] = []
    /// Durations counted.
    package private(set) var count = 0
    private var sum = 0.0

    /// An empty histogram.
    package init() {}

    /// Counts a duration; one below 1 ns counts as 1 ns.
    mutating func record(_ nanoseconds: Int64) {
        if counts.isEmpty { counts = [UInt32](repeating: 0, count: 64 * Self.bucketsPerOctave) }
        let value = max(1, nanoseconds)
        let exponent = 63 - value.leadingZeroBitCount
        let fraction =
            exponent >= 5 ? (value >> (exponent - 5)) & 31 : (value << (5 - exponent)) & 31
        counts[exponent * Self.bucketsPerOctave + Int(fraction)] += 1
        count += 1
        sum += Double(value)
    }

    /// Adds what another one counted.
    mutating func add(_ other: LogHistogram) {
        guard other.count > 0 else { return }
        if counts.isEmpty { counts = [UInt32](repeating: 0, count: other.counts.count) }
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        sum += other.sum
    }

    /// Mean in seconds; 0 when nothing was counted.
    package var meanSeconds: Double { count == 0 ? 0 : sum / Double(count) * 1e-9 }

    /// The quantile in seconds, as the middle of its bucket; 0 when nothing was counted.
    package func quantileSeconds(_ quantile: Double) -> Double {
        guard count > 0 else { return 0 }
        let rank = max(1, Int((quantile * Double(count)).rounded(.up)))
        var seen = 0
        for index in counts.indices where counts[index] > 0 {
            seen += Int(counts[index])
            guard seen >= rank else { continue }
            let octave = Double(
                sign: .plus, exponent: index / Self.bucketsPerOctave, significand: 1)
            let position = Double(index % Self.bucketsPerOctave) + 0.5
            return octave * (1 + position / Double(Self.bucketsPerOctave)) * 1e-9
        }
        return 0
    }
}
