// The `auto` concurrency limiter of Apache brpc (src/brpc/policy/auto_concurrency_limiter.cpp).

/// Little's law from the highest rate and the least latency seen.
///
/// Every half minute the limit is halved for two seconds to learn the least latency again. Where an
/// response takes longer than that, what is learnt is the latency under load, and the limit runs
/// away.
struct BrpcAuto: Sendable {
    private static let leastSamples = 100
    private static let mostSamples = 500
    private static let windowNanoseconds: Int64 = 1_000_000_000
    private static let pauseNanoseconds: Int64 = 2_000_000_000
    private static let explore = 0.4

    private(set) var limit = 40
    private var leastLatency = 0.0
    private var peakRate = 0.0
    private var windowStart: Instant?
    private var successes = 0
    private var successSum = 0.0
    private var failureSum = 0.0
    private var failures = 0
    private var remeasureAt: Instant?
    private var pauseEnds: Instant?
    private var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func update(_ sample: Sample) {
        guard let start = windowStart else {
            windowStart = sample.now
            remeasureAt = nextRemeasure(sample.now)
            add(sample)
            return
        }
        if let pause = pauseEnds {
            guard sample.now >= pause else { return }
            pauseEnds = nil
            leastLatency = 0
            reset(sample.now)
            return
        }
        add(sample)
        let elapsed = sample.now.nanoseconds(since: start)
        if successes + failures < Self.leastSamples {
            if elapsed >= Self.windowNanoseconds { reset(sample.now) }
            return
        }
        guard elapsed >= Self.windowNanoseconds || successes + failures >= Self.mostSamples else {
            return
        }
        judge(sample.now, seconds: max(Double(elapsed) / 1e9, 1e-9))
        reset(sample.now)
    }

    private mutating func add(_ sample: Sample) {
        if sample.isDropped {
            failures += 1
            failureSum += Double(sample.latencyNanoseconds)
        } else {
            successes += 1
            successSum += Double(sample.latencyNanoseconds)
        }
    }

    private mutating func reset(_ now: Instant) {
        windowStart = now
        successes = 0
        failures = 0
        successSum = 0
        failureSum = 0
    }

    private mutating func nextRemeasure(_ now: Instant) -> Instant {
        now.advanced(byNanoseconds: Int64((25 + 25 * random.nextUnit()) * 1e9))
    }

    private mutating func judge(_ now: Instant, seconds: Double) {
        guard successes > 0 else {
            limit = max(40, limit / 2)
            return
        }
        let mean = (successSum + failureSum) / Double(successes)
        let rate = Double(successes) / seconds
        peakRate = rate >= peakRate ? rate : peakRate + 0.01 * (rate - peakRate)
        if leastLatency == 0 {
            leastLatency = mean
        } else if mean < leastLatency {
            leastLatency += 0.1 * (mean - leastLatency)
        }
        let noLoad = leastLatency / 1e9 * peakRate
        if let due = remeasureAt, now >= due {
            remeasureAt = nextRemeasure(now)
            pauseEnds = now.advanced(byNanoseconds: Self.pauseNanoseconds)
            limit = max(40, Int((noLoad / 2).rounded(.up)))
            return
        }
        let ratio = mean / leastLatency
        let aim = ratio < 1 + Self.explore ? noLoad * (2 + Self.explore - ratio) : noLoad
        limit = min(max(Int(aim.rounded(.up)), 40), 100_000)
    }
}
