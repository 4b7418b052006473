// What an operator can set about admission. The defaults stand in the declarations and nowhere
// else.

/// How each backend's limit is found, and what may wait.
package struct AdmissionSettings: Equatable, Sendable {
    /// The algorithm that moves each backend's limit.
    package var limit = LimitSettings.knee(KneeLimitSettings())
    /// The bounds and the order of the pool's queue.
    package var queue = QueueSettings()
    /// The priority classes, highest first; at least one.
    package var classes = [PriorityClassSettings(name: "default")]
    /// What is known of tenants that the policy names.
    package var tenants: [TenantSettings] = []
    /// What holds for every tenant that the policy does not name.
    package var otherTenants = TenantSettings(name: "")
    /// What tenants share.
    package var sharing = SharingMeasure.time
    /// Whether decisions are carried out or only counted.
    package var mode = AdmissionMode.enforce
    /// How backends that refuse connections are ejected.
    package var ejection = EjectionSettings()
    /// What engines do when a client leaves.
    package var cancel = CancelRule.auto
    /// How it is remembered where prompts are known; nil for not at all.
    package var affinity: AffinitySettings?
    /// How much is tried again at another backend.
    package var retry = RetrySettings()
    /// Whether backends come while the gateway serves, so that there may be none at first.
    package var discoversBackends = false
    /// Whether workers come and go: without one, requests wait as while models are loaded, whatever was served before.
    package var takesWorkers = false

    /// The defaults.
    package init() {}
}

/// One of the limit algorithms, with its settings.
package enum LimitSettings: Equatable, Sendable {
    case fixed(FixedLimitSettings)
    case aimd(AIMDLimitSettings)
    case gradient(GradientLimitSettings)
    case vegas(VegasLimitSettings)
    case knee(KneeLimitSettings)
    /// Another project's, to compare with; no policy can say it.
    case reference(ReferenceLimit)

    /// Gateways that share the backends, from 1.
    var replicas: Int { if case .knee(let knee) = self { knee.replicas } else { 1 } }
}

/// What tenants share while they want more than there is.
package enum SharingMeasure: String, CaseIterable, Sendable {
    /// The time for which requests take slots of the limit.
    ///
    /// A request counts as a usual one until it ends, and then as what it was.
    case time
    /// The number of requests.
    case requests
    /// The tokens of prompts and responses.
    ///
    /// A request counts as `Ticket.tokens` says until it ends, and then as what it came to.
    case tokens
}

/// Whether decisions are carried out or only counted.
package enum AdmissionMode: String, CaseIterable, Sendable {
    /// What cannot start waits or is refused.
    case enforce
    /// Everything is decided and counted, and every request starts at once all the same.
    case observe
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
    /// Factor at a drop, 0.5 up to but not including 1.
    package var backoff = 0.9
    /// A response that takes longer counts as a drop.
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
    /// Factor at a drop, 0.5 up to but not including 1.
    package var backoff = 0.9

    /// The defaults.
    package init() {}
}

/// Netflix concurrency-limits' VegasLimit, by its field names and defaults.
package struct VegasLimitSettings: Equatable, Sendable {
    /// Limit to start from, between `min` and `max`.
    package var initial = 20
    /// Lowest limit, 1..100,000.
    package var min = 1
    /// Highest limit, `min`..100,000.
    package var max = 1000
    /// Share of a new estimate that is taken over at each update, above 0, at most 1.
    package var smoothing = 1.0
    /// The baseline latency is measured anew after about this many times the limit samples, 1..1,000.
    package var probeMultiplier = 30

    /// The defaults.
    package init() {}
}

/// Penstock's own algorithm: raises the limit while more concurrency still buys throughput.
package struct KneeLimitSettings: Equatable, Sendable {
    /// Limit to start from, between `min` and `max`.
    package var initial = 4
    /// Lowest limit, 1..100,000.
    package var min = 1
    /// Highest limit, `min`..100,000: the most that the backend is declared to take.
    package var max = 10_000
    /// Elasticity of throughput at which growth stops, 0.02...0.5.
    ///
    /// At 0.15, growth stops where 10 % more concurrency buys less than 1.5 % more throughput.
    package var elasticity = 0.15
    /// Gateways of the same policy that share the backends, 1..1,000.
    package var replicas = 1
    /// What has to be added to an `Instant`'s nanoseconds to get those since 1970, by which gateways
    /// that share backends agree on when to measure; no setting of a policy.
    package var epochNanoseconds: Int64 = 0
    /// The latency that must be kept; nil for none.
    package var objective: LatencyObjective?

    /// The defaults.
    package init() {}
}

/// A latency that a quantile of the requests must stay below.
package struct LatencyObjective: Equatable, Sendable {
    /// What is measured.
    package enum Measure: String, CaseIterable, Sendable {
        /// From the grant to the response's first byte.
        case firstByte = "first_byte"
        /// From the grant to the response's end.
        case total
        /// The response's duration over its units of progress (events, else bytes).
        case unit
    }

    /// What is measured.
    package var measure: Measure
    /// The quantile, 0.5...0.99.
    package var quantile = 0.9
    /// What the quantile must stay below, 1 µs..1 h.
    package var target: Duration

    /// An objective for `measure`.
    package init(measure: Measure, target: Duration) {
        self.measure = measure
        self.target = target
    }
}

/// One priority class.
package struct PriorityClassSettings: Equatable, Sendable {
    /// Its name, as requests claim it and metrics show it.
    package var name: String
    /// Share of the sum of limits that this class and the lower ones may have in flight, above 0,
    /// at most 1; the highest class's is 1.
    package var ceiling = 1.0
    /// Whether it runs only in room that nobody else wants: it has no guaranteed start, gives way to all others, and
    /// counts neither among refusals nor as demand.
    ///
    /// Only the lowest classes may be so.
    package var isSlack = false

    /// A class that may use the whole limit.
    package init(name: String) { self.name = name }
}

/// What one tenant may claim.
package struct TenantSettings: Equatable, Sendable {
    /// Its name, as requests claim it.
    package var name: String
    /// Its share against other tenants' while all want more, 0.01..1,000.
    package var weight = 1.0
    /// Index of the highest class that its requests may be in, from 0.
    package var highestClass = 0
    /// Requests that it may have in flight, 1..100,000; nil for no bound of its own.
    package var maxInFlight: Int?
    /// Requests of it that may wait, 0..1,000,000; nil for no bound of its own.
    package var maxQueued: Int?
    /// Requests that it may make a minute, 1..1,000,000,000; nil for no bound of its own.
    package var requestsPerMinute: Int?
    /// Tokens that it may use a minute, 1..1,000,000,000,000; nil for no bound of its own.
    package var tokensPerMinute: Int?
    /// Bytes of bodies a second in the pool; what is nil has no bound of its own.
    package var byteRates = ByteRateSettings()

    /// A tenant with the defaults.
    package init(name: String) { self.name = name }

    /// Whether it may use only so much a minute.
    package var hasQuota: Bool { requestsPerMinute != nil || tokensPerMinute != nil }
}

/// What happens when the queue is full.
package enum OverflowRule: String, CaseIterable, Sendable {
    /// The new request is refused.
    case rejectNew = "reject-new"
    /// The oldest request of the lowest class that is not above the new one's gives way.
    case dropOldest = "drop-oldest"
    /// The newest request of the lowest class gives way if that class is below the new one's.
    case dropLowest = "drop-lowest"
}

/// The bounds and the order of a pool's queue.
package struct QueueSettings: Equatable, Sendable {
    /// Requests that may wait at once, 0..1,000,000; 0 rejects whatever cannot start at once.
    package var maxRequests = 256
    /// Bytes that waiting requests may hold in the gateway's memory, 0..64 GiB.
    package var maxBytes = 64 << 20
    /// Longest wait, 0..1 h.
    package var maxWait = Duration.seconds(2)
    /// Longest wait while models are loaded, 0..1 h; `maxWait` if that is longer.
    ///
    /// That is while no backend has served anything yet and none can be connected to. At 0 such
    /// times are no different from an outage.
    package var coldWait = Duration.zero
    /// What happens when the queue is full.
    package var overflow = OverflowRule.dropLowest
    /// While a lower class waits, at least one in this many grants goes to it, 2..1,000.
    package var starvationBound = 16
    /// Flows that tenants which the policy does not name are hashed into, 1..65,536.
    package var hashedFlows = 256

    /// The defaults.
    package init() {}
}

/// How a backend that refuses connections is ejected: `base` after the first refusal, twice as
/// long after each further one, up to `max`, each time shortened by up to a quarter at random.
package struct EjectionSettings: Equatable, Sendable {
    /// Time after the first refusal, 10 ms..1 h.
    package var base = Duration.seconds(1)
    /// Longest time, `base`..1 h.
    ///
    /// A trial that is refused costs nothing where others can take the request.
    package var max = Duration.seconds(4)

    /// The defaults.
    package init() {}
}
