// Netflix concurrency-limits' VegasLimit as SimpleLimiter runs it, one sample a response: the part of
// the limit that the latency above its minimum accounts for is taken for a queue, and the limit
// moves so that this queue stays between 3 and 6 times log10 of the limit. Batching looks like such
// a queue; an operator who chooses it should know that.

/// The estimated queue within bounds that grow with the logarithm of the limit.
struct VegasLimit: Sendable {
    private var settings: VegasLimitSettings
    /// The limit with its fraction.
    private(set) var limit: Double
    /// Shortest latency since the last probe, in nanoseconds; 0 before the first sample.
    private var shortestLatency = 0.0
    private var samplesSinceProbe = 0
    private var probeJitter: Double
    private var random: SplitMix64

    init(_ settings: VegasLimitSettings, seed: UInt64) {
        self.settings = settings
        limit = settings.clamp(Double(settings.initial))
        random = SplitMix64(seed: seed)
        probeJitter = 0.5 + 0.5 * random.nextUnit()
    }

    /// Takes over new settings and brings the limit within their bounds.
    mutating func reconfigure(_ settings: VegasLimitSettings) {
        self.settings = settings
        limit = settings.clamp(limit)
    }

    /// Learns from one finished request; the move it led to, if any.
    mutating func update(_ sample: Sample) -> LimitMove? {
        let latency = Double(sample.latencyNanoseconds)
        samplesSinceProbe += 1
        let interval = probeJitter * Double(settings.probeMultiplier) * limit
        if Double(samplesSinceProbe) >= interval {
            samplesSinceProbe = 0
            probeJitter = 0.5 + 0.5 * random.nextUnit()
            shortestLatency = latency
            return nil
        }
        if shortestLatency == 0 || latency < shortestLatency {
            shortestLatency = latency
            return nil
        }
        return adjust(latency: latency, sample)
    }

    private mutating func adjust(latency: Double, _ sample: Sample) -> LimitMove? {
        let step = Double(max(1, log10Floor(limit)))
        if sample.isDropped { return move(to: limit - step, .drop) }
        guard Double(sample.inFlight) * 2 >= limit else { return nil }
        let queue = (limit * (1 - shortestLatency / latency)).rounded(.up)
        if queue <= step { return move(to: limit + 6 * step, .growth) }
        if queue < 3 * step { return move(to: limit + step, .growth) }
        return queue > 6 * step ? move(to: limit - step, .gradient) : nil
    }

    private mutating func move(to target: Double, _ reason: LimitMoveReason) -> LimitMove? {
        let from = limit
        limit = settings.clamp((1 - settings.smoothing) * from + settings.smoothing * target)
        return from == limit ? nil : LimitMove(from: from, to: limit, reason: reason)
    }
}

/// The whole part of the decimal logarithm of a number from 1.
private func log10Floor(_ number: Double) -> Int {
    var power = 0
    var rest = number
    while rest >= 10 {
        rest /= 10
        power += 1
    }
    return power
}

extension VegasLimitSettings {
    fileprivate func clamp(_ limit: Double) -> Double {
        Swift.max(1, Swift.min(Swift.max(limit, Double(min)), Double(max)))
    }
}
