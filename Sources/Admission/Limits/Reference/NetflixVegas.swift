// VegasLimit as Netflix concurrency-limits ships it (limit/VegasLimit.java).

/// Estimates the queue as limit times (1 - least latency / latency), and keeps it small.
///
/// The least latency is forgotten every so many samples and then is whatever comes next, under load
/// or not.
struct NetflixVegas: Sendable {
    private(set) var limit = 20
    private var least = 0.0
    private var probes = 0
    private var jitter: Double
    private var random: SplitMix64

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        jitter = 0.5 + 0.5 * random.nextUnit()
    }

    mutating func update(_ sample: Sample) {
        let latency = Double(sample.latencyNanoseconds)
        probes += 1
        if Double(probes) >= jitter * 30 * Double(limit) {
            jitter = 0.5 + 0.5 * random.nextUnit()
            probes = 0
            least = latency
            return
        }
        guard least > 0, latency >= least else {
            least = latency
            return
        }
        limit = min(max(next(sample, latency), 1), 1000)
    }

    private func next(_ sample: Sample, _ latency: Double) -> Int {
        let step = max(1, Int(naturalLogarithm(Double(limit)) / 2.302_585_092_994_046))
        if sample.isDropped { return limit - step }
        if 2 * sample.inFlight < limit { return limit }
        let queue = Int((Double(limit) * (1 - least / latency)).rounded(.up))
        if queue <= step { return limit + 6 * step }
        if queue < 3 * step { return limit + step }
        if queue > 6 * step { return limit - step }
        return limit
    }
}
