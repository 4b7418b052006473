// One row of the controller's table of backends.

/// What the controller keeps about one backend.
struct Backend: Sendable {
    /// The name that the policy knows it by; empty for a row that is free.
    var key: String
    /// False once the backend was taken out of the policy: it gets nothing new and drains.
    var isPresent = true
    /// Permits granted and not yet spent.
    var inFlight = 0
    var limiter: Limiter
    /// `limiter.limit`, kept at hand for the choice of a backend.
    var limit: Int
    /// What the limit's algorithm looks back on.
    var meter: ConcurrencyMeter
    var ejection = Ejection()
    /// What it had in flight when it last said overload, and until when it gets no more than that.
    private var refusedAbove = Int.max
    private(set) var refusesUntil = Instant(nanoseconds: .min / 2)
    /// Moves of the limit by `LimitMoveReason`, upwards and downwards.
    var movesUp = [Int](repeating: 0, count: LimitMoveReason.allCases.count)
    var movesDown = [Int](repeating: 0, count: LimitMoveReason.allCases.count)

    init(key: String, limiter: Limiter, now: Instant) {
        self.key = key
        self.limiter = limiter
        limit = limiter.limit
        meter = ConcurrencyMeter(now: now)
    }

    /// Whether the row may be given to another backend.
    var isVacant: Bool { !isPresent && inFlight == 0 }

    /// Units of the limit that one request may take at most: half of it, so that one wide request
    /// does not have to wait for all others to end.
    var widest: Int { max(1, limit / 2) }

    /// The widest request that may go there at `now`: 0 for none, `Int.max` for any.
    func room(now: Instant) -> Int {
        guard isPresent, inFlight < limit, !hasEnough(now: now), ejection.allowsRequest(now: now)
        else { return 0 }
        let free = limit - inFlight
        return free >= widest ? .max : free
    }

    /// Notes an answer that said overload.
    ///
    /// For a service time, a second at most, what is in flight is enough. A place that is given back after a millisecond is not room for another request.
    mutating func noteOverload(now: Instant) {
        let seconds = min(meter.serviceSeconds, Self.longestRefusalSeconds)
        refusedAbove = max(1, inFlight)
        refusesUntil = now.advanced(byNanoseconds: Int64(seconds * 1e9))
    }

    /// Whether it has as much in flight as when it last said overload, just now.
    func hasEnough(now: Instant) -> Bool { inFlight >= refusedAbove && now < refusesUntil }

    private static let longestRefusalSeconds = 1.0

    /// Whether it counts towards the pool's capacity: present, and no refusal outstanding.
    var isProven: Bool { isPresent && ejection.isProven }
}
