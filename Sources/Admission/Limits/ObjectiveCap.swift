// The cap that a latency objective puts on a limit. Latencies are counted in buckets whose bounds
// grow by 1/32 of an octave; a quantile is interpolated within its bucket. Only requests count that
// began under the cap that is judged. Where responses are streamed and it is the time of a unit
// that matters, the mean time of all running requests' units tells sooner; how far the quantile
// lies from that mean is learnt when the quantile is known.

/// The highest limit at which a quantile of latencies stays below its target.
struct ObjectiveCap: Sendable {
    private static let bucketsAnOctave = 32.0
    private static let bucketCount = 1280
    private static let leastSamples = 10.0
    /// ln 2.
    private static let octave = 0.693_147_180_559_945_3
    /// The shortest latency told apart, in seconds.
    private static let shortest = 1e-6
    /// What the cap aims at, and below which there is room, as shares of the target.
    private static let aim = 0.985
    private static let room = 0.97
    private static let largestGrowth = 1.5
    private static let largestCut = 0.5
    private static let earlySeconds = 2.0

    private let objective: LatencyObjective
    private let targetSeconds: Double
    private var buckets = [Int32](repeating: 0, count: bucketCount)
    private var count = 0.0
    private var changedAt: Instant
    private var meterThen: ConcurrencyMeter?
    /// The quantile over the mean, of a unit's time.
    private var spread = 1.0
    /// The highest limit allowed; infinite until the objective was missed once.
    private(set) var cap = Double.infinity

    init(_ objective: LatencyObjective, now: Instant) {
        self.objective = objective
        targetSeconds = objective.target.inSeconds
        changedAt = now
    }

    /// Counts one finished request, unless it began before the cap was last judged.
    mutating func add(_ sample: Sample) {
        guard sample.now.nanoseconds(since: changedAt) >= sample.latencyNanoseconds else { return }
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

    /// Judges what was counted since the last time, at that limit in force; whether the cap changed.
    mutating func judge(limit: Double, _ meter: ConcurrencyMeter, now: Instant) -> Bool {
        guard let before = meterThen else {
            meterThen = meter
            return false
        }
        let elapsed = now.seconds(since: changedAt)
        let boundSeconds = meter.boundSeconds - before.boundSeconds
        let isBound = boundSeconds > elapsed / 2
        let units = meter.boundUnits - before.boundUnits
        let requestSeconds = meter.boundRequestSeconds - before.boundRequestSeconds
        let mean = units > 0 ? requestSeconds / units : 0
        if count >= max(Self.leastSamples, 1 / (1 - objective.quantile)),
            elapsed >= 1.5 * meter.serviceSeconds
        {
            let latency = quantile
            if objective.measure == .unit, mean > 0 { spread = min(max(latency / mean, 1), 4) }
            return settle(latency, limit: limit, isBound: isBound, meter, now: now)
        }
        // What running requests' units take is known at once.
        guard objective.measure == .unit, isBound, units >= 200, boundSeconds >= Self.earlySeconds
        else { return false }
        let latency = spread * mean
        guard latency > 1.02 * targetSeconds || latency < 0.9 * targetSeconds else { return false }
        return settle(latency, limit: limit, isBound: isBound, meter, now: now)
    }

    private mutating func settle(
        _ latency: Double, limit: Double, isBound: Bool, _ meter: ConcurrencyMeter, now: Instant
    ) -> Bool {
        for index in buckets.indices { buckets[index] = 0 }
        count = 0
        changedAt = now
        meterThen = meter
        let factor = Self.aim * targetSeconds / latency
        if latency > targetSeconds {
            cap = max(1, min(cap, limit) * max(Self.largestCut, factor))
            return true
        }
        guard latency < Self.room * targetSeconds, isBound, cap.isFinite else { return false }
        cap = max(cap, limit) * min(Self.largestGrowth, factor)
        return true
    }

    private var quantile: Double {
        let wanted = objective.quantile * count
        var below = 0.0
        for (index, held) in buckets.enumerated() where held > 0 {
            let next = below + Double(held)
            if next >= wanted {
                let position = Double(index) + (wanted - below) / Double(held)
                return Self.shortest
                    * exponential(min(20, position / Self.bucketsAnOctave * Self.octave))
            }
            below = next
        }
        return 0
    }
}
