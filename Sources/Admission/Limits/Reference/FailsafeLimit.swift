// The adaptive limiter of failsafe-go (adaptivelimiter/adaptive_limiter.go).

/// Vegas on a high quantile of latency, with correlations between load, throughput and latency.
///
/// Fifty responses for each decision, and a step of the logarithm of the limit: a server with a few
/// responses a second takes minutes for every step.
struct FailsafeLimit: Sendable {
    private static let leastSamples = 50
    private static let mostSamples = 4_096
    private static let history = 50
    private static let leastVariation = 0.01

    private(set) var limit = 20.0
    private var samples: [Int64] = []
    private var windowStart: Instant?
    private var leastLatency = Double.infinity
    private var maxInFlight = 0
    private var recent: [Double] = []
    private var smoothed = 0.0
    private var baseline = 0.0
    private var decisions = 0
    private var loads: [Double] = []
    private var rates: [Double] = []
    private var latencies: [Double] = []

    mutating func update(_ sample: Sample) {
        if sample.isDropped { return }
        if windowStart == nil { windowStart = sample.now }
        if samples.count < Self.mostSamples { samples.append(sample.latencyNanoseconds) }
        leastLatency = min(leastLatency, Double(sample.latencyNanoseconds))
        maxInFlight = max(maxInFlight, sample.inFlight)
        guard let start = windowStart, samples.count >= Self.leastSamples else { return }
        let needed = min(max(2 * leastLatency, 1e9), 30e9)
        guard Double(sample.now.nanoseconds(since: start)) >= needed else { return }
        samples.sort()
        judge(Double(samples[(samples.count - 1) * 9 / 10]))
        samples.removeAll(keepingCapacity: true)
        windowStart = sample.now
        leastLatency = .infinity
        maxInFlight = 0
    }

    private mutating func judge(_ latency: Double) {
        Self.push(latency, to: &recent, most: 5)
        let median = recent.sorted()[recent.count / 2]
        smoothed = decisions == 0 ? median : smoothed + (median - smoothed) / 3
        let weight = decisions < 10 ? 1 / Double(decisions + 1) : 2.0 / 11
        baseline += weight * (smoothed - baseline)
        decisions += 1
        let load = Double(maxInFlight)
        let rate = load / smoothed
        Self.push(load, to: &loads, most: Self.history)
        Self.push(rate, to: &rates, most: Self.history)
        Self.push(smoothed, to: &latencies, most: Self.history)
        let step = max(1, naturalLogarithm(limit) / 2.302_585_092_994_046)
        let queue = (limit * (1 - baseline / smoothed)).rounded(.up)
        if queue > 6 * step || (load >= limit && isOverloaded) {
            limit -= step
        } else if queue < 3 * step {
            limit += step
        }
        limit = min(max(limit, 1), 200, max(1, 5 * load))
    }

    /// Whether throughput stays behind while load or latency rises.
    private var isOverloaded: Bool {
        let throughput = Self.correlation(loads, rates)
        if throughput < 0 { return true }
        let latency = Self.correlation(loads, latencies)
        return latency > 0.5 && (throughput < 0.3 || Self.variation(rates) < 0.2)
    }

    private static func push(_ value: Double, to values: inout [Double], most: Int) {
        if values.count == most { values.removeFirst() }
        values.append(value)
    }

    private static func mean(_ values: [Double]) -> Double {
        values.reduce(0, +) / Double(max(values.count, 1))
    }

    private static func variation(_ values: [Double]) -> Double {
        let center = mean(values)
        let square = values.reduce(0) { $0 + ($1 - center) * ($1 - center) }
        return center == 0 ? 0 : (square / Double(values.count)).squareRoot() / center
    }

    /// Pearson's correlation; 0 while one of the two hardly varies.
    private static func correlation(_ first: [Double], _ second: [Double]) -> Double {
        guard variation(first) >= leastVariation, variation(second) >= leastVariation else {
            return 0
        }
        let (one, two) = (mean(first), mean(second))
        var product = 0.0
        var squares = (0.0, 0.0)
        for index in first.indices {
            product += (first[index] - one) * (second[index] - two)
            squares.0 += (first[index] - one) * (first[index] - one)
            squares.1 += (second[index] - two) * (second[index] - two)
        }
        return product / (squares.0 * squares.1).squareRoot()
    }
}
