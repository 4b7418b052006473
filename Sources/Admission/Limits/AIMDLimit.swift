// Additive increase, multiplicative decrease, after Netflix concurrency-limits' AIMDLimit, with
// three changes:
//
// - One decrease per congestion episode. The original multiplies once per dropped sample, so that a
//   cohort of 64 responses of 503 takes a limit of 100 to 1. Here a drop opens a hold of max(1 s,
//   mean latency): that long the requests still end that were granted before the cut, and they have
//   nothing to say about the new limit. AIBrix #2452 measured the difference: 128 collapsed to
//   single digits, cut once it held.
// - No increase in the hold, for the same reason.
// - Growth only while the limit binds: +1 when the request was granted the last slot of the
//   *present* limit. The original asks for half, so its limit rises to its maximum on a pool that
//   is half used. As the bar rises with the limit, the next step waits for a response to a request
//   granted at the new one: about one step per latency, which is the additive increase of Chiu and
//   Jain (1989).

/// +1 while the limit binds and responses come in time; times `backoff` at a drop or a late
/// response.
struct AIMDLimit: Sendable {
    private static let shortestHoldNanoseconds: Int64 = 1_000_000_000
    private static let latencyWeight = 0.1

    private var settings: AIMDLimitSettings
    private var timeoutNanoseconds: Int64
    /// The limit with its fraction.
    private(set) var limit: Double
    private var meanLatency = 0.0
    private var holdUntil: Instant?

    init(_ settings: AIMDLimitSettings) {
        self.settings = settings
        timeoutNanoseconds = settings.timeout.wholeNanoseconds
        limit = settings.clamp(Double(settings.initial))
    }

    /// Takes over new settings and brings the limit within their bounds.
    mutating func reconfigure(_ settings: AIMDLimitSettings) {
        self.settings = settings
        timeoutNanoseconds = settings.timeout.wholeNanoseconds
        limit = settings.clamp(limit)
    }

    /// Learns from one finished request; the move it led to, if any.
    mutating func update(_ sample: Sample) -> LimitMove? {
        let isLate = sample.latencyNanoseconds > timeoutNanoseconds
        if !sample.isDropped {
            let latency = Double(sample.latencyNanoseconds)
            meanLatency += meanLatency == 0 ? latency : Self.latencyWeight * (latency - meanLatency)
        }
        if let holdUntil, sample.now < holdUntil { return nil }
        if sample.isDropped || isLate {
            // A late response is one of many that are still on their way and will be as late.
            let late = isLate && !sample.isDropped ? sample.latencyNanoseconds : 0
            let hold = max(Self.shortestHoldNanoseconds, Int64(meanLatency), late)
            holdUntil = sample.now.advanced(byNanoseconds: hold)
            return move(to: limit * settings.backoff, sample.isDropped ? .drop : .timeout)
        }
        guard sample.inFlight >= Int(limit) else { return nil }
        return move(to: limit + 1, .growth)
    }

    private mutating func move(to target: Double, _ reason: LimitMoveReason) -> LimitMove? {
        let from = limit
        limit = settings.clamp(target)
        return from == limit ? nil : LimitMove(from: from, to: limit, reason: reason)
    }
}

extension AIMDLimitSettings {
    fileprivate func clamp(_ limit: Double) -> Double {
        Swift.max(1, Swift.min(Swift.max(limit, Double(min)), Double(max)))
    }
}
