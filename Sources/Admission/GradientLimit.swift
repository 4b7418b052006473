// Netflix concurrency-limits' Gradient2Limit with its known flaws put right. With `short` the mean latency of
// a window of samples, `long` the latency that counts as usual and L the limit:
//
//     r      = tolerance * long / short
//     r >= 1 : target = L + max(queueSize, 1)                         only if the limit binds
//     r <  1 : target = clamp(L r + queueSize, L / 2 ... L)           only if the limit is half used
//     L     += smoothing * (target - L)
//
// On a backend with c slots this settles where in-flight = tolerance * c + queueSize. What differs from the
// original, and the issue in Netflix/concurrency-limits or elsewhere that asks for it:
//
// - `min` is 1 by default, not 20.
// - Drops count: times `backoff`, once per hold of max(1 s, latency), not per sample; no move in the hold.
// - Below r = 1 the queue term may soften a cut but never turns it into growth (PR #134: at a gradient of
//   about .8 the original climbs without end).
// - Growth only if some request was granted the last slot of the present limit; the original asks for half.
//   A cut still asks for half: latency that rises far below the limit is not the limit's doing.
// - A window takes at least 10 samples and lasts at least twice their latency (.1 s..1 s); if samples are few
//   it waits for more. The original throws such windows away, so at 3 requests a second it never moves.
// - After a cut the next one waits for one latency, until requests granted since then can be seen.
// - `long` follows a higher latency only from windows in which less than half of the limit was used:
//   latency measured under our own load must not become usual ("baseline poisoning", OpenSearch #22312;
//   #165). A backend that became slower for other reasons is told apart by the cut: if halving the limit did
//   not lower the latency by a quarter, it was not queueing; the cut is undone and that latency is usual now.
// - When `long` is more than twice `short` it decays by 5 % a window, as in the original.

/// Moves the limit by the ratio of usual to present latency.
struct GradientLimit: Sendable {
    private static let shortestHoldNanoseconds: Int64 = 1_000_000_000
    /// Windows averaged plainly before the exponential mean takes over, as in ExpAvgMeasurement.
    private static let warmupWindows = 10
    /// A cut is judged when the limit is down to this share of where it began.
    private static let futileLimitShare = 0.5
    /// A cut was no use if more than this share of the latency is left.
    private static let futileLatencyShare = 0.75

    private var settings: GradientLimitSettings
    /// The limit with its fraction.
    private(set) var limit: Double
    /// The latency that counts as usual, in nanoseconds; 0 before the first window.
    private(set) var usualLatency = 0.0
    private var windows = 0
    private var window = SampleWindow()
    private var holdUntil: Instant?
    /// Where the present run of cuts began.
    private var cutStart: (limit: Double, latency: Double)?

    init(_ settings: GradientLimitSettings) {
        self.settings = settings
        limit = settings.clamp(Double(settings.initial))
    }

    /// Takes over new settings and brings the limit within their bounds.
    mutating func reconfigure(_ settings: GradientLimitSettings) {
        self.settings = settings
        limit = settings.clamp(limit)
        cutStart = nil
    }

    /// Learns from one finished request; the move it led to, if any.
    mutating func update(_ sample: Sample) -> LimitMove? {
        if sample.isDropped { return drop(sample) }
        window.add(sample)
        guard window.isComplete(now: sample.now) else { return nil }
        let complete = window
        window = SampleWindow()
        return close(complete, now: sample.now)
    }

    private mutating func drop(_ sample: Sample) -> LimitMove? {
        guard !isHolding(sample.now) else { return nil }
        hold(from: sample.now, latency: usualLatency, atLeast: Self.shortestHoldNanoseconds)
        cutStart = nil
        return move(to: limit * settings.backoff, .drop)
    }

    private mutating func close(_ window: SampleWindow, now: Instant) -> LimitMove? {
        let short = window.meanLatency
        let isHalfUsed = 2 * Double(window.maxInFlight) >= limit
        learn(short, mayRise: !isHalfUsed)
        guard !isHolding(now) else { return nil }
        let ratio = settings.tolerance * usualLatency / short
        if ratio >= 1 {
            guard window.maxInFlight >= Int(limit) else { return nil }
            return grow()
        }
        guard isHalfUsed else { return nil }
        return cut(ratio: ratio, short: short, now: now)
    }

    private mutating func learn(_ short: Double, mayRise: Bool) {
        windows += 1
        if windows <= Self.warmupWindows {
            // The first windows are all there is to go by, whatever the load was.
            usualLatency += (short - usualLatency) / Double(windows)
            return
        }
        if short < usualLatency || mayRise {
            usualLatency += (short - usualLatency) * 2 / Double(settings.longWindow + 1)
        }
        if usualLatency > 2 * short { usualLatency *= 0.95 }
    }

    private mutating func grow() -> LimitMove? {
        let step = settings.smoothing * Double(Swift.max(settings.queueSize, 1))
        let result = move(to: limit + step, .growth)
        if let cutStart, limit >= cutStart.limit { self.cutStart = nil }
        return result
    }

    private mutating func cut(ratio: Double, short: Double, now: Instant) -> LimitMove? {
        let start = cutStart ?? (limit, short)
        cutStart = start
        if limit <= start.limit * Self.futileLimitShare {
            cutStart = nil
            if short > start.latency * Self.futileLatencyShare {
                usualLatency = short
                return move(to: start.limit, .futileCut)
            }
        }
        let target = limit * ratio + Double(settings.queueSize)
        let bounded = Swift.min(Swift.max(target, limit / 2), limit)
        hold(from: now, latency: short, atLeast: 0)
        return move(to: limit + settings.smoothing * (bounded - limit), .gradient)
    }

    private func isHolding(_ now: Instant) -> Bool {
        if let holdUntil { now < holdUntil } else { false }
    }

    private mutating func hold(from now: Instant, latency: Double, atLeast shortest: Int64) {
        holdUntil = now.advanced(byNanoseconds: Swift.max(shortest, Int64(latency)))
    }

    private mutating func move(to target: Double, _ reason: LimitMoveReason) -> LimitMove? {
        let from = limit
        limit = settings.clamp(target)
        return from == limit ? nil : LimitMove(from: from, to: limit, reason: reason)
    }
}

extension GradientLimitSettings {
    fileprivate func clamp(_ limit: Double) -> Double {
        Swift.max(1, Swift.min(Swift.max(limit, Double(min)), Double(max)))
    }
}
