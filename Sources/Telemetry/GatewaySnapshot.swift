// What is true at the moment of a scrape and is not counted anywhere: the reactor fills these in
// from the admission controllers and the connection pools, for /metrics and /status alike.

package import Admission

/// The gateway at one moment.
package struct GatewaySnapshot {
    /// The gateway's counters.
    package var metrics: GatewayMetrics
    /// Wall-clock time of this snapshot, in nanoseconds since 1970.
    package var wallNanoseconds: Int64
    /// Whether the gateway is shutting down.
    package var isDraining = false
    /// Whether workers may come in.
    package var takesWorkers = false
    /// Whether requests may come as lines.
    package var takesBulk = false
    /// The topics that requests are taken from, in the policy's order.
    package var topics: [TopicSnapshot] = []
    /// Client connections that the policy allows at once.
    package var maxConnections = 0
    /// What is alive besides connections and permits.
    package var alive = LiveObjects()
    /// For how long the gateway has run, in nanoseconds, whatever the wall clock did.
    package var uptimeNanoseconds: Int64 = 0
    /// The logs that this gateway writes, with a name each: `access`, `operational`.
    package var logs: [(name: String, statistics: LogWriter.Statistics)] = []
    /// The certificates of listeners, in the policy's order.
    package var certificates: [CertificateSnapshot] = []
    /// What operators have changed, in the order in which they did.
    package var overrides: [OverrideSnapshot] = []
    /// The pools, in the policy's order.
    package var pools: [PoolSnapshot]
    /// How routes share their requests among pools, in the policy's order.
    package var splits: [SplitSnapshot] = []
    /// Bulk requests that are being answered, the oldest first, no more than `BulkSnapshot.mostShown`.
    package var bulk: [BulkSnapshot] = []
    /// Where routes send copies of requests, in the policy's order.
    package var mirrors: [MirrorSnapshot] = []

    /// A snapshot of what `metrics` counts, taken at `wallNanoseconds` since 1970.
    package init(metrics: GatewayMetrics, wallNanoseconds: Int64, pools: [PoolSnapshot]) {
        self.metrics = metrics
        self.wallNanoseconds = wallNanoseconds
        self.pools = pools
    }

    /// Whether requests should be sent here: the gateway is not shutting down and some backend is
    /// usable.
    package var isReady: Bool { !isDraining && pools.contains { $0.isUsable } }
}

/// A certificate that a listener shows.
package struct CertificateSnapshot {
    /// Where the listener is.
    package var listener: String
    /// The certificate's first name.
    package var name: String
    /// When it ends, in seconds since 1970; nil where that cannot be told.
    package var endSeconds: Int64?

    /// A certificate called `name` of the listener at `listener`.
    package init(listener: String, name: String, endSeconds: Int64?) {
        self.listener = listener
        self.name = name
        self.endSeconds = endSeconds
    }
}

/// How one route shares its requests among pools.
package struct SplitSnapshot {
    /// The route's path.
    package var path: String
    /// Which requests go to the same pool, in words.
    package var stickiness: String
    /// Whether what one pool refuses goes to the next.
    package var spills: Bool
    /// The pools by name, with their shares in 0...1.
    package var parts: [(pool: String, share: Double)]

    /// What these say.
    package init(
        path: String, stickiness: String, spills: Bool, parts: [(pool: String, share: Double)]
    ) {
        self.path = path
        self.stickiness = stickiness
        self.spills = spills
        self.parts = parts
    }
}

/// Where one route sends copies of requests.
package struct MirrorSnapshot {
    /// The route's path.
    package var path: String
    /// The name of the pool that gets them.
    package var pool: String
    /// The share of the requests that is copied.
    package var share: Double

    /// Copies of `share` of what comes to `path`.
    package init(path: String, pool: String, share: Double) {
        self.path = path
        self.pool = pool
        self.share = share
    }
}

/// What is alive in reactors besides connections and permits: all of it ends with what it is for.
package struct LiveObjects: Equatable, Sendable {
    /// Requests being read or answered.
    package var exchanges = 0
    /// Connections to backends being made.
    package var dials = 0
    /// Wake-ups that are arranged, useless ones included; their number is bounded.
    package var timers = 0

    /// Nothing.
    package init() {}

    /// Adds what another reactor has.
    package mutating func add(_ other: LiveObjects) {
        exchanges += other.exchanges
        dials += other.dials
        timers += other.timers
    }
}

/// One pool at one moment.
package struct PoolSnapshot {
    /// The pool's counters.
    package var metrics: PoolMetrics
    /// Its workers that have a connection, and how many connections these are; nil where it takes none.
    package var workers: (workers: Int, credits: Int)?
    /// Whether bodies pass by a rate.
    package var hasByteRates = false
    /// Requests that wait in the queue.
    package var queueRequests = 0
    /// Bytes that the waiting requests hold.
    package var queueBytes = 0
    /// How long the oldest of them has waited, in nanoseconds; 0 for an empty queue.
    package var oldestWaitNanoseconds: Int64 = 0
    /// Requests that may wait at once.
    package var maxQueueRequests = 0
    /// Bytes that waiting requests may hold.
    package var maxQueueBytes = 0
    /// Permits that came free for each second of late: what a wait is predicted from.
    package var drainRatePerSecond = 0.0
    /// The longest wait that the policy allows, in seconds.
    package var maxWaitSeconds = 0.0
    /// Whether the policy itself says the limit.
    package var isLimitFixed = false
    /// How many backends are wanted, and why.
    package var wanted = WantedBackends()
    /// Whether decisions are only counted.
    package var isObserving = false
    /// What the priority classes have in flight and waiting, in the order of `metrics.classes`.
    package var classes: [ClassSnapshot] = []
    /// What the tenants that the policy names have, at most the first `mostTenants`.
    package var tenants: [TenantStatus] = []
    /// Tenants whose figures are shown.
    package static let mostTenants = 100
    /// What became of its requests of late.
    package var recent = RecentFigures()
    /// How the backends are looked up; nil where the policy names them.
    package var discovery: DiscoverySnapshot?
    /// What sending requests to where their prompts are known came to; nil where that is not done.
    package var affinity: AffinityStatus?
    /// The backends, in the order in which the pool's admission keeps them.
    package var backends: [BackendSnapshot]

    /// A snapshot of what `metrics` counts, with an empty queue.
    package init(metrics: PoolMetrics, backends: [BackendSnapshot]) {
        self.metrics = metrics
        self.backends = backends
    }

    /// Requests that have a permit, over all backends.
    package var inFlight: Int { backends.reduce(0) { $0 + $1.inFlight } }

    /// Whether at least one backend can be sent requests.
    package var isUsable: Bool { backends.contains { $0.isUsable } }
}

/// How a pool's backends are looked up.
package struct DiscoverySnapshot: Equatable, Sendable {
    /// What kind of source they come from, a word.
    package var source: String
    /// Backends in the last good answer; 0 before the first.
    package var backends = 0
    /// How many of these are said not to be ready.
    package var unready = 0
    /// Wall-clock time of the last good answer, in nanoseconds since 1970; 0 before the first.
    package var goodNanoseconds: Int64 = 0
    /// Answers that were none, or not good.
    package var errors: UInt64 = 0
    /// Times that the set of backends changed.
    package var changes: UInt64 = 0

    /// A source of that kind, of which nothing was heard yet.
    package init(source: String) { self.source = source }
}

/// One priority class at one moment.
package struct ClassSnapshot: Equatable {
    /// Requests that have a permit.
    package var inFlight: Int
    /// Requests that wait.
    package var queued: Int
    /// The shortest time to a first byte, in seconds, that the clients of any of its tenants are
    /// taken to bear; nil while nothing is assumed.
    package var patienceSeconds: Double?

    /// A class with that many requests.
    package init(inFlight: Int, queued: Int) {
        self.inFlight = inFlight
        self.queued = queued
    }
}

/// One backend at one moment.
package struct BackendSnapshot {
    /// The backend's counters.
    package var metrics: BackendMetrics
    /// Requests that it may have in flight.
    package var limit = 0
    /// Where an operator pinned its limit; nil where nobody did.
    package var pinnedLimit: Int?
    /// Requests that have a permit on it.
    package var inFlight = 0
    /// The weight that operators gave it.
    package var weight = 1
    /// What the limit rests on.
    package var evidence = LimitEvidence()
    /// Seconds for which the limit was used up.
    package var boundSeconds = 0.0
    /// Requests that have a permit although their clients have left: the backend's engine goes on.
    package var abandoned = 0
    /// Requests that have a permit and wait for their clients.
    package var waitingForClient = 0
    /// Why it is sent less than its limit; nil when nothing is held against it.
    package var suspicion: SuspicionCause?
    /// How often it was suspected, by `SuspicionCause`.
    package var suspicions = [Int](repeating: 0, count: SuspicionCause.allCases.count)
    /// Whether its checks fail.
    package var isFailingChecks = false
    /// Checks so far, by `CheckResult`, and those of them that did not count.
    package var checks = [Int](repeating: 0, count: CheckResult.allCases.count)
    package var ignoredChecks = 0
    /// What is said of it, by each source that says anything.
    package var signals: [SignalSnapshot] = []
    /// What it has reported of its load in the last five seconds, and what follows; nil for nothing.
    package var report: ReportStatus?
    /// Tokens that its cache is taken to hold; nil where its pool has no affinity.
    package var cacheTokens: Int?
    /// Whether it is not ejected after refused connections, and has served something since it was.
    package var isUsable = true
    /// Whether it may be sent requests again after an ejection, and nothing has ended well there since.
    package var isOnTrial = false
    /// Connections to it, in use or not.
    package var openConnections = 0
    /// Connections to it that no request uses.
    package var idleConnections = 0
    /// The last move of its limit, and how long ago that was, in nanoseconds; nil before the first.
    package var lastMove: (move: LastMove, ageNanoseconds: Int64)?
    /// How long it is still ejected after refused connections, in nanoseconds; nil where it is not.
    package var ejectedNanoseconds: Int64?
    /// How often its limit was moved, by direction and reason; names that stay the same from scrape
    /// to scrape.
    package var limitMoves: [LimitMoveCount] = []

    /// A snapshot of what `metrics` counts, with nothing in flight.
    package init(metrics: BackendMetrics) {
        self.metrics = metrics
    }
}

/// What one source says of a backend at one moment.
package struct SignalSnapshot {
    /// What is said, and who says it.
    package var heard: HeardSignal
    /// How long ago, in nanoseconds.
    package var ageNanoseconds: Int64
    /// How long it still counts, in nanoseconds; nil for no end.
    package var leftNanoseconds: Int64?

    /// What was `heard`, as it is at `now`.
    package init(_ heard: HeardSignal, now: Instant) {
        self.heard = heard
        ageNanoseconds = max(0, now.nanoseconds(since: heard.heardAt))
        let end = heard.signal.end
        leftNanoseconds = end < .distantFuture ? max(0, end.nanoseconds(since: now)) : nil
    }
}

/// How often a limit was moved in one direction for one reason.
package struct LimitMoveCount {
    /// Where the limit went.
    package enum Direction: String {
        case up, down
    }

    /// Where the limit went.
    package var direction: Direction
    /// Why, as a label: `[a-z_]+`.
    package var reason: String
    /// How often.
    package var count: UInt64

    /// `count` moves to `direction` because of `reason`.
    package init(_ direction: Direction, _ reason: String, count: UInt64) {
        self.direction = direction
        self.reason = reason
        self.count = count
    }
}
