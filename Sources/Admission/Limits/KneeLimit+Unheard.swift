// The way up while nothing is known. Of responses in one piece that take ten seconds the first tells something after ten
// seconds, in which everybody but the first four would be refused by an engine that may have room for a hundred. So while the
// pool has served nobody yet, and nothing at all has come from its backend, requests that are given up in the queue raise the
// limit, by doublings, two a second, 32 at most.
//
// How far that goes beyond what is right is bounded by the load, too: before an engine with n slots and r times the load no
// more than r n requests have come when the first response has. What those took that came first, beside those that came later,
// says then how many there should have been.

/// A limit that was raised because nothing was heard.
struct KneeGrowth: Sendable {
    /// The level before, and when it was left.
    var begin: Double
    var leftAt: Instant
}

extension KneeLimit {
    /// The highest level that is put in force so, and for how long each is in force before the next, in seconds.
    private static let highestUnheard = 32.0
    private static let unheardSeconds = 0.5
    /// Elasticity from which on a level that was put in force so is gone on from, and what it takes for the next one to be
    /// four times as high.
    private static let goesOn = (usual: 0.7, unopposed: 0.85)

    /// The part of the requests that has to have ended for that.
    private static let judgedPart = 0.75

    /// A request was given up in the queue and nothing was ever heard of the backend; the move it led to, if any.
    mutating func growUnheard(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        let next = clamp(min(Self.highestUnheard, level * Self.climbFactors.usual))
        guard phase == .climb, !usesSlots, remembered == nil, high == nil, elasticity == nil,
            growth != nil || low == nil, meter.isUnheard, next >= level + 1,
            now.seconds(since: sideStart) >= Self.unheardSeconds,
            Double(meter.inFlight) >= limit.rounded(.down)
        else { return nil }
        if growth == nil {
            growth = KneeGrowth(begin: level, leftAt: now)
            var first = KneeSide(level: level)
            first.add(from: ConcurrencyMeter(now: sideStart), to: meter)
            first.isGeneration = true
            low = first
        }
        return change(.slowStart) { knee in
            knee.hold(next, now: now)
            knee.lastMeter = meter
            knee.measuredSince = now
        }
    }

    /// Takes in a request that ended well and had begun at the level before the growth.
    @inline(__always) mutating func addToFirst(seconds: Double, _ sample: Sample) {
        guard let growth,
            sample.now.nanoseconds(since: growth.leftAt) < sample.latencyNanoseconds
        else { return }
        low?.add(seconds: seconds, kind: sample.kind)
    }

    /// Judges what the limit was raised to unheard, once most that began at it has ended; nil while it has not.
    mutating func endGrowth(_ begin: KneeGrowth, now: Instant) -> LimitMove? {
        guard side.ends >= Self.judgedPart * level else {
            // They end close to one another, and then none for long.
            nextLook = now
            return nil
        }
        growth = nil
        side.isGeneration = true
        let measured = side
        guard let first = low.take(), !measured.isLeftByMany,
            let verdict = verdict(first, measured)
        else { return change(.departures) { $0.hold(begin.begin, now: now) } }
        guard verdict.elasticity > Self.goesOn.usual else {
            // As on any way up, from where the first ones say that there are slots.
            let slots = min(max(verdict.slots.rounded(), begin.begin), level / 2)
            return change(.elasticity) { $0.hold($0.clamp(slots), now: now) }
        }
        elasticity = verdict.elasticity
        low = measured
        center = level
        let isUnopposed = verdict.elasticity > Self.goesOn.unopposed
        let factor = isUnopposed ? Self.climbFactors.unopposed : Self.climbFactors.usual
        return change(.slowStart) { knee in
            knee.hold(knee.clamp(knee.level * factor), now: now)
        }
    }
}
