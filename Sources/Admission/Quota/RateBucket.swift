// A quota a minute, as a token bucket: it fills steadily, holds one minute's worth, and is charged
// before the work is done. What the work came to is settled afterwards.
//
// What is owed has a bound. A guess, which nobody has counted, never takes a bucket further below zero than
// it holds, and what was counted no further than an hour fills: no single request shuts anybody out for
// days, whatever its body claims to be or its backend claims to have done.

/// What one tenant may use of one thing a minute.
///
/// A charge may be larger than the bucket: it is taken from a full one, and the rest is owed.
struct RateBucket: Sendable {
    /// How sure it is that something was used: by how many of its sizes a bucket may be below zero for it.
    enum Certainty: Double {
        /// It was guessed by a length, or used on other terms.
        case guessed = 1
        /// It was reported or counted.
        case counted = 60
    }

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

    /// Puts another bound in force; the share that was used of the old one is used of the new one, and no
    /// more is owed than that holds.
    mutating func reconfigure(perMinute: Int?) {
        guard perMinute != self.perMinute else { return }
        guard self.perMinute != nil, perMinute != nil else {
            self = RateBucket(perMinute: perMinute)
            return
        }
        let share = share
        self.perMinute = perMinute
        level = share * capacity
    }

    /// The share of the bucket that may be used, -1...1.
    private var share: Double { capacity > 0 ? max(-1, level / capacity) : 1 }

    /// Counts as used the share that has been used of `other`, which was filled up to the same instant; what
    /// both have used counts once.
    mutating func takeOver(_ other: RateBucket) {
        guard perMinute != nil, other.perMinute != nil else { return }
        level = min(level, other.share * capacity)
        updatedAt = updatedAt ?? other.updatedAt
        promisedUntil = [promisedUntil, other.promisedUntil].compactMap(\.self).max()
    }

    /// Whether nothing is used of it.
    var isFull: Bool { level >= capacity }
    /// Seconds until nothing is used of it.
    var secondsUntilFull: Double { isFull ? 0 : (capacity - level) / perSecond }

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

    /// What is taken for a request that may come to `units`: no more than twice what the bucket holds, so
    /// that a full one owes no more than that.
    func reservation(_ units: Int) -> Int {
        guard let perMinute else { return units }
        return min(units, perMinute) + min(max(0, units - perMinute), perMinute)
    }

    /// Whether a charge of `units` leaves no more to be owed than the bucket holds.
    func bears(_ units: Double) -> Bool { perMinute == nil || level - units >= -capacity }

    /// Charges what will be used.
    mutating func take(_ units: Double) {
        if perMinute != nil { level -= units }
    }

    /// Refunds what was taken and not used.
    mutating func give(_ units: Double) {
        if perMinute != nil { level = min(capacity, level + units) }
    }

    /// Puts `used` in the place of what was `taken`.
    mutating func settle(taken: Double = 0, used: Double, _ certainty: Certainty) {
        guard perMinute != nil else { return }
        let before = level
        let after = min(capacity, level + taken - used)
        // What is below the bound already stays there.
        level = max(after, min(before, -certainty.rawValue * capacity))
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
            secondsUntilFull: secondsUntilFull)
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
    /// The request, and that many tokens, from 0, as they were reported.
    case tokens(Int)
    /// The request, and tokens of which some were guessed by a length and others counted, each from 0.
    case estimated(guessed: Int, counted: Int)
    /// Nothing, because it was not served.
    case nothing

    /// Tokens that it came to, as far as anybody knows; nil where nobody does.
    var tokens: Int? {
        switch self {
        case .tokens(let tokens): tokens
        case .estimated(let guessed, let counted): guessed + counted
        case .reserved, .nothing: nil
        }
    }
}
