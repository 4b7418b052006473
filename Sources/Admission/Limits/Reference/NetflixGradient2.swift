// Gradient2Limit behind WindowedLimit, as Netflix concurrency-limits ships them
// (concurrency-limits-core, limit/Gradient2Limit.java and limit/WindowedLimit.java).

/// Compares a short mean of latencies with a long one.
///
/// Drops are not looked at. Windows last one second, and one with fewer than ten samples is thrown
/// away: a server that responses three requests a second never moves it.
struct NetflixGradient2: Sendable {
    private static let windowNanoseconds: Int64 = 1_000_000_000
    private static let leastSamples = 10
    private static let leastLatency: Int64 = 100_000
    private static let longWindow = 600.0
    private static let warmUp = 10

    private(set) var limit = 20.0
    private var nextUpdate: Instant?
    private var count = 0
    private var sum = 0.0
    private var maxInFlight = 0
    private var long = 0.0
    private var longCount = 0

    mutating func update(_ sample: Sample) {
        guard sample.latencyNanoseconds >= Self.leastLatency else { return }
        count += 1
        sum += Double(sample.latencyNanoseconds)
        maxInFlight = max(maxInFlight, sample.inFlight)
        guard let due = nextUpdate else {
            nextUpdate = sample.now.advanced(byNanoseconds: Self.windowNanoseconds)
            return
        }
        guard sample.now > due else { return }
        if count >= Self.leastSamples { judge(sum / Double(count)) }
        nextUpdate = sample.now.advanced(byNanoseconds: Self.windowNanoseconds)
        count = 0
        sum = 0
        maxInFlight = 0
    }

    private mutating func judge(_ short: Double) {
        if longCount < Self.warmUp {
            long = (long * Double(longCount) + short) / Double(longCount + 1)
            longCount += 1
        } else {
            long += 2 / (Self.longWindow + 1) * (short - long)
        }
        let usual = long
        if usual / short > 2 { long *= 0.95 }
        guard Double(maxInFlight) >= limit / 2 else { return }
        let gradient = min(max(1.5 * usual / short, 0.5), 1)
        limit = min(max(0.8 * limit + 0.2 * (limit * gradient + 4), 20), 200)
    }
}
