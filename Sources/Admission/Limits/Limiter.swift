// The limit algorithms behind one face. A closed set: neither allocation nor witness table, and the
// compiler finds every place that has to know a new one.
//
// `knee`, the default, stands beside the others and not in a case of its own: what an enumeration or
// an optional holds is copied out to be looked at, and its state is more than a kilobyte.

/// One backend's limit and the algorithm that moves it.
struct Limiter: Sendable {
    /// Whether `knee` is in force, or else `simple`.
    private var usesKnee: Bool
    private var knee: KneeLimit
    private var simple: SimpleLimiter

    /// Starts from the settings' initial limit; what is left to chance follows from `seed`.
    init(_ settings: LimitSettings, seed: UInt64, now: Instant) {
        simple = SimpleLimiter(settings, seed: seed, now: now)
        if case .knee(let settings) = settings {
            usesKnee = true
            knee = KneeLimit(settings, seed: seed, now: now)
        } else {
            usesKnee = false
            knee = KneeLimit(KneeLimitSettings(), seed: seed, now: now)
        }
    }

    /// The limit with its fraction, at least 1.
    var exact: Double { usesKnee ? knee.limit : simple.exact }

    /// What the limit rests on.
    var evidence: LimitEvidence { usesKnee ? knee.evidence : LimitEvidence() }

    /// Requests that may be in flight, at least 1.
    var limit: Int { max(1, Int(exact)) }

    /// Learns from one finished request; the move it led to, if any.
    mutating func update(_ sample: Sample, _ meter: ConcurrencyMeter) -> LimitMove? {
        usesKnee ? knee.update(sample, meter) : simple.update(sample)
    }

    /// Before it, neither progress nor the passing of time can move the limit.
    @inline(__always) var nextLook: Instant { usesKnee ? knee.nextLook : .distantFuture }

    /// Judges progress and the passing of time; the move it led to, if any.
    mutating func look(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        usesKnee ? knee.look(meter, now: now) : nil
    }

    /// A request was given up in the queue while nothing was ever heard of the backend; the move it led to, if any.
    mutating func growUnheard(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        usesKnee ? knee.growUnheard(meter, now: now) : nil
    }

    /// The limit is in force again after a time in which less was allowed.
    mutating func resume(now: Instant) { if usesKnee { knee.resume(now: now) } }

    /// Whether overload responses are known to be as frequent at half of the limit.
    var isRefusedAtAnyLimit: Bool { usesKnee && knee.dropShares.areIndependent(of: knee.limit) }

    /// Whether a limit is found by measuring what a backend gets done.
    var isKnee: Bool { usesKnee }

    /// Whether a limit has been found by measuring it.
    var isKnown: Bool { usesKnee && knee.isKnown }

    /// The limit that was found by measuring it; nil while none is.
    var found: Double? { usesKnee ? knee.found : nil }

    /// What another process may begin with at once; nil while the limit is only on its way.
    var inForce: Double? { usesKnee ? knee.inForce : nil }

    /// Whether a limit is approached that is not the backend's own yet.
    var isApproaching: Bool { usesKnee && knee.phase == .approach }

    /// Begins below `target`, which others of the kind were found to have, and approaches it; the move, if any.
    mutating func begin(towards target: Double, now: Instant) -> LimitMove? {
        usesKnee ? knee.begin(towards: target, now: now) : nil
    }

    /// Begins below a limit that an earlier process found, and climbs to it; the move, if any.
    mutating func begin(remembering found: Double, now: Instant) -> LimitMove? {
        usesKnee ? knee.begin(remembering: found, now: now) : nil
    }

    /// Begins at a limit that another process has had in force until now; the move, if any.
    mutating func begin(takingOver limit: Double, now: Instant) -> LimitMove? {
        usesKnee ? knee.begin(takingOver: limit, now: now) : nil
    }

    /// Approaches nothing any more, and finds out alone.
    mutating func endApproach(now: Instant) { if usesKnee { knee.endApproach(now: now) } }

    /// Nothing comes from the backend any more, and its clients have left for that; the move it led to, if any.
    mutating func retreat(now: Instant) -> LimitMove? { usesKnee ? knee.retreat(now: now) : nil }

    /// The backend is found to refuse all that it gets, whatever the limit; the move it led to, if any.
    mutating func undoCut(now: Instant) -> LimitMove? { usesKnee ? knee.undoCut(now: now) : nil }

    /// Takes over new settings; what was learnt is kept, within the new bounds, if the algorithm
    /// stays.
    mutating func reconfigure(
        _ settings: LimitSettings, seed: UInt64, now: Instant
    ) -> LimitMove? {
        let before = exact
        if usesKnee, case .knee(let settings) = settings {
            knee.reconfigure(settings, now: now)
        } else if usesKnee || !simple.reconfigure(settings) {
            self = Limiter(settings, seed: seed, now: now)
        }
        return before == exact ? nil : LimitMove(from: before, to: exact, reason: .settings)
    }
}
