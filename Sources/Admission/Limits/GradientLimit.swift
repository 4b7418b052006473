// Netflix concurrency-limits' Gradient2Limit with its known flaws put right. With `short` the mean
// latency of a window of samples, `long` the latency that counts as usual and L the limit:
//
//     r      = tolerance * long / short
//     r >= 1 : target = L + max(queueSize, 1)      only if the limit binds
//     r <  1 : target = L * max(r, 1/2)            only if the limit is at least half used
//     L     += smoothing * (target - L)
//
// On a backend with c slots this settles about tolerance * c. What differs from the original, and
// the issue (of Netflix/concurrency-limits where no other project is named) that asks for it:
//
// - `min` is 1 by default, not 20.
// - Drops count: times `backoff`, once per hold of max(1 s, latency), not per sample; no move in
//   the hold.
// - The queue term is for growth only. The original adds it to cuts too, and at a gradient of about
//   0.8 it climbs without end (PR #134).
// - Growth only if some request was granted the last slot of the *present* limit, so that each step
//   waits for evidence from the one before; the original asks for half, and rises to its maximum on
//   a pool that is half used. A cut still asks for half: latency that rises far below the limit is
//   not the limit's doing.
// - A window takes at least 10 samples and lasts at least twice their latency (0.1 s..1 s); if
//   samples are few it waits for more. The original throws such windows away: at 3 requests a
//   second it never moves.
// - After a cut the next one waits for one latency, until requests granted since then have ended.
// - `long` follows a higher latency only from windows with less than half of the limit in use, or
//   at `min`: latency under our own load must not become usual (#165; "baseline poisoning",
//   OpenSearch #22312). This holds from the second window on, where the original takes the first
//   ten as they come.
// - So a backend that has become slower for other reasons has to be told apart, and the cut itself
//   does it: if halving the limit did not lower the latency by a quarter, it was not queueing. The
//   cut is undone and that latency is usual from now on.
// - When `long` is more than twice `short` it decays by 5 % a window, as in the original.

/// Moves the limit by the ratio of usual to present latency.
struct GradientLimit: Sendable {
    private static let shortestDropHold = 1e9
    private static let lowestGradient = 0.5
    /// Windows with the weight of a plain mean before the exponential one takes over, as in the
    /// original.
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
        let latency = Swift.max(usualLatency, window.meanLatency)
        hold(from: sample.now, nanoseconds: Swift.max(Self.shortestDropHold, latency))
        cutStart = nil
        return move(to: limit * settings.backoff, .drop)
    }

    private mutating func close(_ window: SampleWindow, now: Instant) -> LimitMove? {
        let short = window.meanLatency
        let isHalfUsed = 2 * Double(window.maxInFlight) >= limit
        learn(short, mayRise: !isHalfUsed || limit <= Double(settings.min))
        guard !isHolding(now) else { return nil }
        let ratio = settings.tolerance * usualLatency / short
        if ratio >= 1 {
            return window.maxInFlight >= Int(limit) ? grow() : nil
        }
        return isHalfUsed ? cut(ratio: ratio, short: short, now: now) : nil
    }

    private mutating func learn(_ short: Double, mayRise: Bool) {
        windows += 1
        let weight =
            windows <= Self.warmupWindows
            ? 1 / Double(windows) : 2 / Double(settings.longWindow + 1)
        if windows == 1 || short < usualLatency || mayRise {
            usualLatency += weight * (short - usualLatency)
        }
        if usualLatency > 2 * short { usualLatency *= 0.95 }
    }

    private mutating func grow() -> LimitMove? {
        let step = settings.smoothing * Double(Swift.max(settings.queueSize, 1))
        let result = move(to: limit + step, .growth)
        if let start = cutStart, limit >= start.limit { cutStart = nil }
        return result
    }

    private mutating func cut(ratio: Double, short: Double, now: Instant) -> LimitMove? {
        if let start = cutStart, limit <= start.limit * Self.futileLimitShare {
            guard short <= start.latency * Self.futileLatencyShare else {
                cutStart = nil
                usualLatency = short
                return move(to: start.limit, .futileCut)
            }
            cutStart = (limit, short)
        }
        cutStart = cutStart ?? (limit, short)
        hold(from: now, nanoseconds: short)
        let target = limit * Swift.max(ratio, Self.lowestGradient)
        return move(to: limit + settings.smoothing * (target - limit), .gradient)
    }

    private func isHolding(_ now: Instant) -> Bool {
        if let holdUntil { now < holdUntil } else { false }
    }

    private mutating func hold(from now: Instant, nanoseconds: Double) {
        holdUntil = now.advanced(byNanoseconds: Int64(nanoseconds))
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
