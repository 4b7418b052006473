// The gradient controller of Envoy's adaptive concurrency filter with the settings of its
// documentation (source/extensions/filters/http/adaptive_concurrency/controller/gradient_controller.cc).

/// Compares the median latency of tenths of a second with one measured at a limit of 3.
///
/// That measurement waits for 50 responses, during which nearly everything is refused: with
/// responses of some seconds it takes longer than the minute until the next one is due.
struct EnvoyGradient: Sendable {
    private static let leastLimit = 3
    private static let probeSamples = 50
    private static let updateNanoseconds: Int64 = 100_000_000
    private static let probeIntervalNanoseconds = 60e9
    /// Samples of one window that are kept; the median of the first is as good as that of all.
    private static let mostSamples = 4_096

    private(set) var limit = leastLimit
    private var saved = leastLimit
    private var isProbing = true
    private var epoch: Instant
    private var leastLatency: Int64 = 0
    private var samples: [Int64] = []
    private var nextUpdate: Instant
    private var nextProbe: Instant
    private var lowWindows = 0
    private var random: SplitMix64

    init(seed: UInt64, now: Instant) {
        random = SplitMix64(seed: seed)
        epoch = now
        nextUpdate = now
        nextProbe = now
    }

    mutating func update(_ sample: Sample) {
        if !isProbing, sample.now >= nextProbe { beginProbe(sample.now) }
        // Responses of requests that were under way before the limit was pinned say nothing.
        let start = sample.now.advanced(byNanoseconds: -sample.latencyNanoseconds)
        if start < epoch { return }
        if !sample.isDropped, samples.count < Self.mostSamples {
            samples.append(sample.latencyNanoseconds)
        }
        if isProbing {
            if samples.count >= Self.probeSamples { endProbe(sample.now) }
        } else if sample.now >= nextUpdate, !samples.isEmpty {
            judge(sample.now)
        }
    }

    private mutating func takeMedian() -> Int64 {
        samples.sort()
        let median = samples[samples.count / 2]
        samples.removeAll(keepingCapacity: true)
        return median
    }

    private mutating func beginProbe(_ now: Instant) {
        isProbing = true
        saved = limit
        limit = Self.leastLimit
        epoch = now
        samples.removeAll(keepingCapacity: true)
    }

    private mutating func endProbe(_ now: Instant) {
        isProbing = false
        leastLatency = takeMedian()
        limit = saved
        lowWindows = 0
        let wait = Self.probeIntervalNanoseconds * (1 + 0.15 * random.nextUnit())
        nextProbe = now.advanced(byNanoseconds: Int64(wait))
        nextUpdate = now.advanced(byNanoseconds: Self.updateNanoseconds)
    }

    private mutating func judge(_ now: Instant) {
        let median = Double(takeMedian())
        let gradient = min(max(Double(leastLatency) * 1.25 / max(median, 1), 0.5), 2)
        let aim = gradient * Double(limit)
        limit = min(max(Int(aim + aim.squareRoot()), Self.leastLimit), 1000)
        nextUpdate = now.advanced(byNanoseconds: Self.updateNanoseconds)
        lowWindows = limit == Self.leastLimit ? lowWindows + 1 : 0
        if lowWindows >= 5 { beginProbe(now) }
    }
}
