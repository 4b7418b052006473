// Vector's adaptive request concurrency (src/sinks/util/adaptive_concurrency/controller.rs).

/// One more for each round trip that was no slower than usual, a tenth less when one was much
/// slower.
struct VectorARC: Sendable {
    private static let weight = 0.4
    private static let deviations = 2.5

    private(set) var limit = 1
    private var mean = 0.0
    private var variance = 0.0
    private var hasMean = false
    private var nextUpdate: Instant?
    private var sum = 0.0
    private var count = 0
    private var reachedLimit = false
    private var sawBackPressure = false

    mutating func update(_ sample: Sample) {
        if sample.inFlight >= limit { reachedLimit = true }
        if sample.isDropped {
            sawBackPressure = true
        } else {
            sum += Double(sample.latencyNanoseconds)
            count += 1
        }
        guard let due = nextUpdate else {
            nextUpdate = sample.now.advanced(byNanoseconds: sample.latencyNanoseconds)
            return
        }
        guard sample.now >= due, count > 0 || sawBackPressure else { return }
        judge(now: sample.now)
    }

    private mutating func judge(now: Instant) {
        let current = count > 0 ? sum / Double(count) : mean
        if hasMean {
            let threshold = mean + Self.deviations * variance.squareRoot()
            if reachedLimit, !sawBackPressure, current <= mean {
                limit = min(limit + 1, 200)
            } else if sawBackPressure || current >= threshold {
                limit = max(1, Int(Double(limit) * 0.9))
            }
            let distance = current - mean
            mean += Self.weight * distance
            variance = (1 - Self.weight) * (variance + Self.weight * distance * distance)
        } else {
            hasMean = true
            mean = current
        }
        sum = 0
        count = 0
        reachedLimit = false
        sawBackPressure = false
        nextUpdate = now.advanced(byNanoseconds: Int64(mean))
    }
}
