// Samples gathered until there are enough of them to say something.

/// A stretch of samples of one backend.
struct SampleWindow: Sendable {
    /// Samples that a mean needs (WindowedLimit of Netflix concurrency-limits asks for as many).
    private static let leastSamples = 10
    private static let shortest = 100_000_000.0
    private static let longest = 1_000_000_000.0

    private var start: Instant?
    private var count = 0
    private var latencySum = 0.0
    /// Most requests in flight at the grant of any of the samples.
    private(set) var maxInFlight = 0

    /// Mean latency in nanoseconds.
    var meanLatency: Double { count == 0 ? 0 : latencySum / Double(count) }

    /// Takes in one sample.
    mutating func add(_ sample: Sample) {
        if start == nil { start = sample.now }
        count += 1
        latencySum += Double(sample.latencyNanoseconds)
        maxInFlight = max(maxInFlight, sample.inFlight)
    }

    /// Whether there are enough samples, over twice their latency but at least 0.1 s and at most 1
    /// s.
    func isComplete(now: Instant) -> Bool {
        guard let start, count >= Self.leastSamples else { return false }
        let needed = min(max(2 * meanLatency, Self.shortest), Self.longest)
        return Double(now.nanoseconds(since: start)) >= needed
    }
}
