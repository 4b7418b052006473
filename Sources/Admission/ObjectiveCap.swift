// The cap that a latency objective puts on a limit. Latencies are counted in buckets whose bounds
// grow by an eighth of an octave; a quantile is interpolated within its bucket.

/// The highest limit at which a quantile of latencies stays below its target.
struct ObjectiveCap: Sendable {
    private static let bucketsAnOctave = 8.0
    private static let bucketCount = 320
    private static let leastSamples = 10
    /// ln 2.
    private static let octave = 0.693_147_180_559_945_3
    /// The shortest latency told apart, in seconds.
    private static let shortest = 1e-6

    private let objective: LatencyObjective
    private let targetSeconds: Double
    private var buckets = [Int32](repeating: 0, count: bucketCount)
    private var count = 0
    /// The highest limit allowed; infinite until the objective was missed once.
    private(set) var cap = Double.infinity

    init(_ objective: LatencyObjective) {
        self.objective = objective
        targetSeconds = objective.target.inSeconds
    }

    /// Counts one finished request.
    mutating func add(_ sample: Sample) {
        let nanoseconds: Double
        switch objective.measure {
        case .total: nanoseconds = Double(sample.latencyNanoseconds)
        case .firstByte: nanoseconds = Double(sample.firstByteNanoseconds)
        case .unit: nanoseconds = Double(sample.latencyNanoseconds) / Double(max(1, sample.units))
        }
        let octaves = naturalLogarithm(max(1, nanoseconds / 1e9 / Self.shortest)) / Self.octave
        let bucket = min(Self.bucketCount - 1, Int(octaves * Self.bucketsAnOctave))
        buckets[bucket] += 1
        count += 1
    }

    /// Judges what was counted since the last time, at that limit in force.
    ///
    /// Whether the cap was changed.
    mutating func judge(limit: Double, isBound: Bool) -> Bool {
        guard count >= Self.leastSamples else { return false }
        let latency = quantile
        forget()
        if latency > targetSeconds {
            cap = max(1, min(cap, limit) * max(0.7, targetSeconds / latency))
            return true
        }
        guard latency < 0.95 * targetSeconds, isBound, cap.isFinite else { return false }
        cap = max(cap, limit) * 1.08
        return true
    }

    /// Forgets what was counted: it was not measured at one level.
    mutating func forget() {
        guard count > 0 else { return }
        for index in buckets.indices { buckets[index] = 0 }
        count = 0
    }

    private var quantile: Double {
        let wanted = objective.quantile * Double(count)
        var below = 0.0
        for (index, held) in buckets.enumerated() where held > 0 {
            let next = below + Double(held)
            if next >= wanted {
                let place = Double(index) + (wanted - below) / Double(held)
                return Self.shortest
                    * exponential(
                        min(20, place / Self.bucketsAnOctave * Self.octave))
            }
            below = next
        }
        return 0
    }
}
