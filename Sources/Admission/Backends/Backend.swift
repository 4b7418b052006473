// One row of the controller's table of backends.

/// What the controller keeps about one backend.
struct Backend: Sendable {
    /// The name that the policy knows it by; empty for a row that is free.
    var key: String
    /// False once the backend has left the pool: it gets nothing new and drains.
    var isPresent = true
    /// When it has left; nil while it is present.
    var leftAt: Instant?
    /// Whether it is said not to be ready where the backends are looked up; what follows is a signal.
    var isUnready = false
    /// Units of permits granted and not yet spent, and how many permits these are.
    var inFlight = 0
    var requestsInFlight = 0
    /// How many requests a worker takes, those in flight included; nil for a backend that is dialled.
    ///
    /// Nothing is learnt of it: the worker says it, and counts every request, also one that waits for its client.
    private(set) var credits: Int?
    /// How many of these wait for their client, and belong to clients that have left.
    var waitingForClient = 0
    var abandoned = 0
    var limiter: Limiter
    /// `limiter.limit`, kept at hand: what its limit has learnt.
    var limit: Int
    /// What it may have in flight now: `limit`, as far as signals and suspicion allow.
    private(set) var allowed: Int
    /// What its share of the requests goes by, from 1: what it may have in flight, but no less than
    /// the backends' mean while its limit has not been tried of late; times `configuredWeight`.
    var weight: Int
    /// The weight that operators gave it, from 1; one of 0 is a signal, and counts as 1 here.
    var configuredWeight = 1
    /// Units that are kept free for work that may go on after its connection was closed, and until
    /// when each.
    private(set) var keptFree = 0
    /// Those of them that another process of this gateway has in flight, which takes no more.
    private var heldElsewhere = 0
    private var freeAgain: [(at: Instant, seats: Int)] = []
    /// Whether it is trusted with its whole limit, as far as that was last worked out.
    private(set) var isTrusted = true
    /// Whether signals leave less than the limit, a backend's request to hold apart.
    private(set) var isLimited = false
    /// Whether its reports leave less than the limit: that is to the limit as if nobody wanted more.
    private(set) var isCapped = false
    /// Whether less than the limit was in force when that was last worked out.
    private var wasReduced = false
    /// Whether it got nothing new when that was last worked out, and when its cache counts as lost for that.
    private var wasClosed = false
    private var cacheLostAt = Instant.distantFuture
    /// For how long a backend may get nothing new until what it was sent before is taken for forgotten.
    private static let cacheNanoseconds: Int64 = 60_000_000_000
    /// What its limit's way up to that of its siblings is judged by; nil while there is no such way.
    var warmth: WarmStart?
    /// What the limit's algorithm looks back on.
    var meter: ConcurrencyMeter
    /// What it had done while it was full when the pool's demand was last learnt from it.
    var fullMark = FullMark()
    var ejection = Ejection()
    var suspicion = Suspicion()
    var signals = SignalState()
    var reports = ReportEvidence()
    var checks = CheckRecord()
    /// What is known of closed connections, by `RequestKind`.
    var cancels = [CancelLearning](repeating: CancelLearning(), count: RequestKind.allCases.count)
    /// What it had in flight when it last said overload, and until when it gets no more than that.
    private(set) var refusedAbove = Int.max
    private(set) var refusesUntil = Instant(nanoseconds: .min / 2)
    /// Moves of the limit by `LimitMoveReason`, upwards and downwards.
    var movesUp = [Int](repeating: 0, count: LimitMoveReason.allCases.count)
    var movesDown = [Int](repeating: 0, count: LimitMoveReason.allCases.count)
    /// The last of them; nil before the first.
    var lastMove: LastMove?
    /// How often it was suspected, by `SuspicionCause`.
    var suspicions = [Int](repeating: 0, count: SuspicionCause.allCases.count)
    /// What was last noted of why it is suspected; nil where it was noted as trusted, or not at all.
    var notedCause: SuspicionCause?
    /// What was last noted of what signals come to.
    var notedSignal = BackendSignal.State.ready

    init(key: String, limiter: Limiter, now: Instant) {
        self.key = key
        self.limiter = limiter
        limit = limiter.limit
        allowed = limit
        weight = limit
        meter = ConcurrencyMeter(now: now)
    }

    /// Whether the row may be given to another backend.
    @inline(__always) var isVacant: Bool { !isPresent && inFlight == 0 }

    /// Units of the limit that one request may take at most: half of it, so that one wide request
    /// does not have to wait for all others to end.
    @inline(__always) var widest: Int { max(1, allowed / 2) }

    /// Units that a request in flight takes on average, from 1.
    var unitsPerRequest: Double {
        requestsInFlight > 0 ? Double(inFlight) / Double(requestsInFlight) : 1
    }

    /// Whether it may be sent requests at all, at least on trial and later.
    @inline(__always) func isUsable(now: Instant) -> Bool {
        isPresent && signals.takesNew && !ejection.isEjected(now: now)
    }

    /// Whether it was ejected, or its connections broke, and nothing has ended well there since.
    var isOnTrial: Bool { ejection.isOnTrial || suspicion.isUnheard }

    /// What it may have in flight at `now`.
    @inline(__always) func allowed(now: Instant) -> Int {
        let most = suspicion.allowed(of: reports.allowed(of: signals.allowed(of: limit, now: now)))
        return credits.map { min($0, most) } ?? most
    }

    /// Whether a worker takes one more; true for what is no worker.
    @inline(__always) var hasCredit: Bool { credits.map { inFlight < $0 } ?? true }

    /// A worker takes so many requests, from 0, those in flight included.
    mutating func setCredits(_ credits: Int, now: Instant) {
        self.credits = credits
        limiter = Limiter(.fixed(FixedLimitSettings(limit: max(1, credits))), seed: 0, now: now)
        limit = limiter.limit
    }

    /// Works out anew what it may have in flight.
    mutating func refreshAllowed(now: Instant) {
        allowed = allowed(now: now)
        if signals.takesNew == wasClosed {
            wasClosed.toggle()
            cacheLostAt =
                wasClosed ? now.advanced(byNanoseconds: Self.cacheNanoseconds) : .distantFuture
        }
        isTrusted = suspicion.isTrusted
        isLimited = signals.state == .limited && signals.said(of: limit) < limit
        let wasCapped = isCapped
        isCapped = reports.allowed(of: limit) < limit
        let isReduced = !isTrusted || isLimited || now < signals.heldUntil
        // Requests that ran while fewer did are faster than the level makes them.
        if wasReduced && !isReduced || wasCapped != isCapped { limiter.resume(now: now) }
        wasReduced = isReduced
    }

    /// When `allowed` changes by itself, or silence has lasted too long; the distant future for
    /// never.
    @inline(__always) func nextChange(now: Instant) -> Instant {
        var next = min(
            silenceDeadline, suspicion.nextStepAt, min(signals.nextEnd, reports.nextEnd))
        if signals.heldUntil > now { next = min(next, signals.heldUntil) }
        for kept in freeAgain { next = min(next, kept.at) }
        return min(next, cacheLostAt)
    }

    /// Whether it has got nothing new for so long that its cache counts as lost; true once.
    mutating func losesCache(now: Instant) -> Bool {
        guard cacheLostAt <= now else { return false }
        cacheLostAt = .distantFuture
        return true
    }

    /// Keeps units of the limit free for work that may go on until then.
    mutating func keepFree(_ seats: Int, until instant: Instant) {
        keptFree += seats
        freeAgain.append((instant, seats))
    }

    /// Gives away what was kept free until `now`.
    mutating func releaseKeptFree(now: Instant) {
        guard keptFree > 0 else { return }
        freeAgain.removeAll { $0.at <= now }
        keptFree = freeAgain.reduce(heldElsewhere) { $0 + $1.seats }
    }

    /// Keeps as many units free as another process of this gateway has in flight there.
    mutating func holdElsewhere(_ units: Int) {
        keptFree += units - heldElsewhere
        heldElsewhere = units
    }

    /// When nothing will have moved for too long although somebody waits for it.
    @inline(__always) var silenceDeadline: Instant {
        guard meter.awaited > 0, meter.successes > 0, !suspicion.isSuspected else {
            return .distantFuture
        }
        let seconds = max(Self.leastSilenceSeconds, 3 * meter.longServiceSeconds)
        return meter.lastSignOfLife.advanced(byNanoseconds: Int64(min(seconds, 1e9) * 1e9))
    }

    private static let leastSilenceSeconds = 5.0

    /// Whether its limit was used up in the last seconds, so that it says something.
    @inline(__always) func isLimitTried(now: Instant) -> Bool {
        guard let last = meter.lastBoundAt else { return false }
        return now.nanoseconds(since: last) < Self.triedNanoseconds
    }

    private static let triedNanoseconds: Int64 = 5_000_000_000

    /// Notes a response that said overload.
    ///
    /// For a service time, a second at most, what is in flight is enough. A slot that is released
    /// after a millisecond is not room for another request.
    mutating func noteOverload(counted: Int, now: Instant) {
        let seconds = min(meter.serviceSeconds, Self.longestRefusalSeconds)
        refusedAbove = max(1, counted)
        refusesUntil = now.advanced(byNanoseconds: Int64(seconds * 1e9))
    }

    private static let longestRefusalSeconds = 1.0
}
