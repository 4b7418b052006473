// A quota a minute, as a token bucket: it fills steadily, holds one minute's worth, and is charged
// before the work is done. What the work came to is settled afterwards.

/// What one tenant may use of one thing a minute.
///
/// A charge may be larger than the bucket: it is taken from a full one, and the rest is owed.
struct RateBucket: Sendable {
    /// Units a minute, and the most that can be saved up; nil for no bound.
    private(set) var perMinute: Int?
    /// What may be used now; negative while something is owed.
    private(set) var level = 0.0
    private var updatedAt: Instant?
    /// Up to when refused requests have been told to come back, one after the other.
    private var promisedUntil: Instant?

    /// A bucket that is full.
    init(perMinute: Int? = nil) {
        self.perMinute = perMinute
        level = capacity
    }

    private var capacity: Double { Double(perMinute ?? 0) }
    private var perSecond: Double { capacity / 60 }

    /// Puts another bound in force; what has been used of the old one is used of the new one too.
    mutating func reconfigure(perMinute: Int?) {
        guard perMinute != self.perMinute else { return }
        guard self.perMinute != nil else {
            self = RateBucket(perMinute: perMinute)
            return
        }
        let used = capacity - level
        self.perMinute = perMinute
        level = capacity - used
    }

    /// Counts as used what has been used of `other`, which was filled up to the same instant; what both have
    /// used counts once.
    mutating func takeOver(_ other: RateBucket) {
        guard perMinute != nil, other.perMinute != nil else { return }
        level = min(level, capacity - (other.capacity - other.level))
        updatedAt = updatedAt ?? other.updatedAt
        promisedUntil = [promisedUntil, other.promisedUntil].compactMap(\.self).max()
    }

    /// Fills up to `now`, which does not go back.
    mutating func advance(to now: Instant) {
        if let updatedAt {
            level = min(capacity, level + now.seconds(since: updatedAt) * perSecond)
        }
        updatedAt = now
    }

    /// Seconds until a charge of `units` may be made; 0 for at once.
    func secondsUntil(_ units: Double) -> Double {
        guard perMinute != nil else { return 0 }
        // What is larger than the bucket has to find it full; sums of fractions are forgiven.
        let missing = min(units, capacity) - level
        return missing > 1e-6 ? missing / perSecond : 0
    }

    /// Charges what will be used.
    mutating func take(_ units: Double) {
        if perMinute != nil { level -= units }
    }

    /// Refunds what was not used, or charges what was used beyond what was taken (negative).
    mutating func give(_ units: Double) {
        if perMinute != nil { level = min(capacity, level + units) }
    }

    /// Seconds after which a refused request of `units` should come back.
    ///
    /// Each is given the time at which the bucket will have what it and those before it need, so
    /// that those refused together do not come back together.
    mutating func promise(_ units: Double, now: Instant) -> Double {
        let earliest = now.advanced(bySeconds: secondsUntil(units))
        var start = max(earliest, promisedUntil ?? earliest)
        // Nobody is told more than that, so there is nothing to keep beyond it.
        let latest = now.advanced(bySeconds: Self.longestPromiseSeconds)
        if start > latest { start = earliest }
        promisedUntil = start.advanced(bySeconds: min(units, capacity) / perSecond)
        return start.seconds(since: now)
    }

    /// As long as a Retry-After gets.
    private static let longestPromiseSeconds = 60.0

    /// What its user is told; nil where there is no bound.
    func quota() -> RateQuota? {
        guard let perMinute else { return nil }
        return RateQuota(
            perMinute: perMinute, remaining: max(0, Int(level + 1e-6)),
            secondsUntilFull: max(0, (capacity - level) / perSecond))
    }
}

extension Instant {
    fileprivate func advanced(bySeconds seconds: Double) -> Instant {
        advanced(byNanoseconds: Int64(min(seconds, 1e9) * 1e9))
    }
}

/// One quota as its user sees it.
package struct RateQuota: Equatable, Sendable {
    /// Units a minute, from 1.
    package var perMinute: Int
    /// What is left, from 0.
    package var remaining: Int
    /// Seconds until all of it is there again if nothing more is used, from 0.
    package var secondsUntilFull: Double
}

/// A tenant's quotas; nil where it has none.
package struct TenantRates: Equatable, Sendable {
    /// Requests.
    package var requests: RateQuota?
    /// Tokens, those of prompts and of responses.
    package var tokens: RateQuota?
}

/// What a request is held against its tenant's quotas once it has ended.
package enum Charge: Equatable, Sendable {
    /// What was reserved: nothing better is known.
    case reserved
    /// The request, and that many tokens, from 0.
    case tokens(Int)
    /// Nothing, because it was not served.
    case nothing
}
