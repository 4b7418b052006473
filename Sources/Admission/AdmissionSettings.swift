// What an operator can set about admission. The defaults stand in the declarations and nowhere
// else.

/// How each backend's limit is found, and what may wait.
package struct AdmissionSettings: Equatable, Sendable {
    /// The algorithm that moves each backend's limit.
    package var limit = LimitSettings.gradient(GradientLimitSettings())
    /// The bounds of the pool's queue.
    package var queue = QueueSettings()
    /// How backends that refuse connections are left out.
    package var ejection = EjectionSettings()

    /// The defaults.
    package init() {}
}

/// One of the limit algorithms, with its settings.
package enum LimitSettings: Equatable, Sendable {
    case fixed(FixedLimitSettings)
    case aimd(AIMDLimitSettings)
    case gradient(GradientLimitSettings)
}

/// A limit that never moves.
package struct FixedLimitSettings: Equatable, Sendable {
    /// Requests a backend may have in flight, 1..100,000; there is no default.
    package var limit: Int

    /// A limit of `limit` requests.
    package init(limit: Int) { self.limit = limit }
}

/// Additive increase, multiplicative decrease (Netflix concurrency-limits' AIMDLimit).
package struct AIMDLimitSettings: Equatable, Sendable {
    /// Limit to start from, between `min` and `max`.
    package var initial = 20
    /// Lowest limit, 1..100,000.
    package var min = 1
    /// Highest limit, `min`..100,000.
    package var max = 200
    /// Factor at a drop, .5 up to but not including 1.
    package var backoff = 0.9
    /// An answer that takes longer counts as a drop.
    package var timeout = Duration.seconds(5)

    /// The defaults.
    package init() {}
}

/// Netflix concurrency-limits' Gradient2, with its known flaws put right.
package struct GradientLimitSettings: Equatable, Sendable {
    /// Limit to start from, between `min` and `max`.
    package var initial = 20
    /// Lowest limit, 1..100,000.
    package var min = 1
    /// Highest limit, `min`..100,000.
    package var max = 200
    /// How many times the long-term latency counts as normal, 1...10.
    package var tolerance = 1.5
    /// Share of a new estimate that is taken over at each update, above 0, at most 1.
    package var smoothing = 0.2
    /// Windows of samples over which the long-term latency is averaged, 10..100,000.
    package var longWindow = 600
    /// Requests by which an update aims above the limit while latency is normal, 0..1,000; 0 acts
    /// as 1.
    ///
    /// `smoothing * queueSize` is the step of growth.
    package var queueSize = 4
    /// Factor at a drop, .5 up to but not including 1.
    package var backoff = 0.9

    /// The defaults.
    package init() {}
}

/// The bounds of a pool's queue.
package struct QueueSettings: Equatable, Sendable {
    /// Requests that may wait at once, 0..1,000,000; 0 rejects whatever cannot start at once.
    package var maxRequests = 256
    /// Bytes that waiting requests may hold in the gateway's memory, 0..64 GiB.
    package var maxBytes = 64 << 20
    /// Longest wait, 0..1 h.
    package var maxWait = Duration.seconds(2)

    /// The defaults.
    package init() {}
}

/// How a backend that refuses connections is left out: `base` after the first refusal, twice as
/// long after each further one, up to `max`, each time shortened by up to a quarter at random.
package struct EjectionSettings: Equatable, Sendable {
    /// Time after the first refusal, 10 ms..1 h.
    package var base = Duration.seconds(1)
    /// Longest time, `base`..1 h.
    package var max = Duration.seconds(30)

    /// The defaults.
    package init() {}
}
