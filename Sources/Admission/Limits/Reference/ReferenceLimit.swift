// The limits of other projects as they ship, flaws included. The simulator holds Penstock's own
// beside them and its scenarios have to fail with them; no policy can name them. They act on samples
// alone, as the originals do, so time passes for them only when requests end.

/// A limit to compare with.
package enum ReferenceLimit: String, CaseIterable, Sendable {
    /// Gradient2Limit behind WindowedLimit, Netflix concurrency-limits.
    case netflixGradient2 = "netflix-gradient2"
    /// AIMDLimit, Netflix concurrency-limits.
    case netflixAIMD = "netflix-aimd"
    /// VegasLimit, Netflix concurrency-limits.
    case netflixVegas = "netflix-vegas"
    /// The gradient controller of Envoy's adaptive concurrency filter.
    case envoyGradient = "envoy-gradient"
    /// The adaptive limiter of failsafe-go.
    case failsafe
    /// Vector's adaptive request concurrency.
    case vectorARC = "vector-arc"
    /// The `auto` concurrency limiter of Apache brpc.
    case brpcAuto = "brpc-auto"
    /// 1,000 at all times.
    case alwaysMax = "always-max"
    /// 1 at all times.
    case alwaysMin = "always-min"
}

/// One of them at work.
enum ReferenceLimiter: Sendable {
    case netflixGradient2(NetflixGradient2)
    case netflixAIMD(NetflixAIMD)
    case netflixVegas(NetflixVegas)
    case envoyGradient(EnvoyGradient)
    case failsafe(FailsafeLimit)
    case vectorARC(VectorARC)
    case brpcAuto(BrpcAuto)
    case constant(Double)

    init(_ limit: ReferenceLimit, seed: UInt64, now: Instant) {
        switch limit {
        case .netflixGradient2: self = .netflixGradient2(NetflixGradient2())
        case .netflixAIMD: self = .netflixAIMD(NetflixAIMD())
        case .netflixVegas: self = .netflixVegas(NetflixVegas(seed: seed))
        case .envoyGradient: self = .envoyGradient(EnvoyGradient(seed: seed, now: now))
        case .failsafe: self = .failsafe(FailsafeLimit())
        case .vectorARC: self = .vectorARC(VectorARC())
        case .brpcAuto: self = .brpcAuto(BrpcAuto(seed: seed))
        case .alwaysMax: self = .constant(1000)
        case .alwaysMin: self = .constant(1)
        }
    }

    /// The limit with its fraction, at least 1.
    var limit: Double {
        switch self {
        case .netflixGradient2(let limit): limit.limit
        case .netflixAIMD(let limit): Double(limit.limit)
        case .netflixVegas(let limit): Double(limit.limit)
        case .envoyGradient(let limit): Double(limit.limit)
        case .failsafe(let limit): limit.limit
        case .vectorARC(let limit): Double(limit.limit)
        case .brpcAuto(let limit): Double(limit.limit)
        case .constant(let limit): limit
        }
    }

    /// Learns from one finished request.
    mutating func update(_ sample: Sample) -> LimitMove? {
        let before = limit
        switch self {
        case .netflixGradient2(var limit):
            limit.update(sample)
            self = .netflixGradient2(limit)
        case .netflixAIMD(var limit):
            limit.update(sample)
            self = .netflixAIMD(limit)
        case .netflixVegas(var limit):
            limit.update(sample)
            self = .netflixVegas(limit)
        case .envoyGradient(var limit):
            limit.update(sample)
            self = .envoyGradient(limit)
        case .failsafe(var limit):
            limit.update(sample)
            self = .failsafe(limit)
        case .vectorARC(var limit):
            limit.update(sample)
            self = .vectorARC(limit)
        case .brpcAuto(var limit):
            limit.update(sample)
            self = .brpcAuto(limit)
        case .constant:
            break
        }
        if limit == before { return nil }
        return LimitMove(
            from: before, to: limit, reason: limit > before ? .growth : .gradient)
    }
}
