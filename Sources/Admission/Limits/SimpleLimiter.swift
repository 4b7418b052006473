// The limit algorithms whose state is small.

/// A limit other than `knee`.
enum SimpleLimiter: Sendable {
    case fixed(FixedLimit)
    case aimd(AIMDLimit)
    case gradient(GradientLimit)
    case vegas(VegasLimit)
    /// Of another project; boxed, so that the others do not grow.
    indirect case reference(ReferenceLimiter)
    /// There is none: `knee` is in force.
    case none

    /// Starts from the settings' initial limit; what is left to chance follows from `seed`.
    init(_ settings: LimitSettings, seed: UInt64, now: Instant) {
        switch settings {
        case .fixed(let settings): self = .fixed(FixedLimit(settings))
        case .aimd(let settings): self = .aimd(AIMDLimit(settings))
        case .gradient(let settings): self = .gradient(GradientLimit(settings))
        case .vegas(let settings): self = .vegas(VegasLimit(settings, seed: seed))
        case .knee: self = .none
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
        case .reference(let reference): reference.limit
        case .none: 1
        }
    }

    /// Learns from one finished request; the move it led to, if any.
    mutating func update(_ sample: Sample) -> LimitMove? {
        switch self {
        case .fixed, .none:
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
        case .reference(var reference):
            let move = reference.update(sample)
            self = .reference(reference)
            return move
        }
    }

    /// Takes over new settings of the same algorithm; false, and no change, for those of another.
    mutating func reconfigure(_ settings: LimitSettings) -> Bool {
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
        default:
            return false
        }
        return true
    }
}
