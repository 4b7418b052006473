// The limit algorithms behind one face. A closed set: an enum costs no allocation and no witness
// table, and the compiler finds every place that has to know a new one.

/// One backend's limit and the algorithm that moves it.
enum Limiter: Sendable {
    case fixed(FixedLimit)
    case aimd(AIMDLimit)
    case gradient(GradientLimit)
    case vegas(VegasLimit)
    case knee(KneeLimit)
    /// Of another project; boxed, so that the others do not grow.
    indirect case reference(ReferenceLimiter)

    /// Starts from the settings' initial limit; what is left to chance follows from `seed`.
    init(_ settings: LimitSettings, seed: UInt64, now: Instant) {
        switch settings {
        case .fixed(let settings): self = .fixed(FixedLimit(settings))
        case .aimd(let settings): self = .aimd(AIMDLimit(settings))
        case .gradient(let settings): self = .gradient(GradientLimit(settings))
        case .vegas(let settings): self = .vegas(VegasLimit(settings, seed: seed))
        case .knee(let settings): self = .knee(KneeLimit(settings, seed: seed, now: now))
        case .reference(let limit):
            self = .reference(ReferenceLimiter(limit, seed: seed, now: now))
        }
    }

    /// The limit with its fraction, at least 1.
    var exact: Double {
        switch self {
        case .fixed(let fixed): Double(fixed.limit)
        case .aimd(let aimd): aimd.limit
        case .gradient(let gradient): gradient.limit
        case .vegas(let vegas): vegas.limit
        case .knee(let knee): knee.limit
        case .reference(let reference): reference.limit
        }
    }

    /// What the limit rests on.
    var evidence: LimitEvidence {
        switch self {
        case .knee(let knee): knee.evidence
        default: LimitEvidence()
        }
    }

    /// Requests that may be in flight, at least 1.
    var limit: Int { max(1, Int(exact)) }

    /// Learns from one finished request; the move it led to, if any.
    mutating func update(_ sample: Sample, _ meter: ConcurrencyMeter) -> LimitMove? {
        switch self {
        case .fixed:
            return nil
        case .aimd(var aimd):
            let move = aimd.update(sample)
            self = .aimd(aimd)
            return move
        case .gradient(var gradient):
            let move = gradient.update(sample)
            self = .gradient(gradient)
            return move
        case .vegas(var vegas):
            let move = vegas.update(sample)
            self = .vegas(vegas)
            return move
        case .knee(var knee):
            let move = knee.update(sample, meter)
            self = .knee(knee)
            return move
        case .reference(var reference):
            let move = reference.update(sample)
            self = .reference(reference)
            return move
        }
    }

    /// Before it, neither progress nor the passing of time can move the limit.
    var nextLook: Instant {
        if case .knee(let knee) = self { knee.nextLook } else { .distantFuture }
    }

    /// Judges progress and the passing of time; the move it led to, if any.
    mutating func look(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard case .knee(var knee) = self else { return nil }
        let move = knee.look(meter, now: now)
        self = .knee(knee)
        return move
    }

    /// When `look` has to be called although nothing happens; nil when it need not be.
    func deadline(_ meter: ConcurrencyMeter) -> Instant? {
        if case .knee(let knee) = self { knee.deadline(meter) } else { nil }
    }

    /// Takes over new settings; what was learnt is kept, within the new bounds, if the algorithm
    /// stays.
    mutating func reconfigure(
        _ settings: LimitSettings, seed: UInt64, now: Instant
    ) -> LimitMove? {
        let before = exact
        switch (self, settings) {
        case (.aimd(var aimd), .aimd(let settings)):
            aimd.reconfigure(settings)
            self = .aimd(aimd)
        case (.gradient(var gradient), .gradient(let settings)):
            gradient.reconfigure(settings)
            self = .gradient(gradient)
        case (.vegas(var vegas), .vegas(let settings)):
            vegas.reconfigure(settings)
            self = .vegas(vegas)
        case (.knee(var knee), .knee(let settings)):
            knee.reconfigure(settings, now: now)
            self = .knee(knee)
        default:
            self = Limiter(settings, seed: seed, now: now)
        }
        return before == exact ? nil : LimitMove(from: before, to: exact, reason: .settings)
    }
}
