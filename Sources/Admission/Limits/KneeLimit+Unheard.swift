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
    /// Seconds in which the first ones should have ended, and what the later ones get: so many times their time, and seconds.
    private static let longestUnheard = 60.0
    private static let overdue = (times: 3.0, seconds: 5.0)
    /// How many times say something, and what they are of the first ones' at most where there was room.
    private static let leastTimes = 4.0
    private static let harmlessFactor = 1.5
    /// For how long it is waited at most until an engine is empty of what was too much, in seconds.
    private static let longestDrainAfter = 600.0

    /// A request was given up in the queue and nothing was ever heard of the backend; the move it led to, if any.
    mutating func growUnheard(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        let next = clamp(min(Self.highestUnheard, level * Self.climbFactors.usual))
        guard phase == .climb, !usesSlots, remembered == nil, high == nil, elasticity == nil,
            objective == nil,
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
            knee.center = next
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
    ///
    /// Where too few end in the time in which they should have, or the limit is not used up, the first ones' times beside
    /// those of the later ones decide alone.
    mutating func endGrowth(
        _ begin: KneeGrowth, _ meter: ConcurrencyMeter, now: Instant
    ) -> LimitMove? {
        let isMeasured = side.ends >= Self.judgedPart * level
        guard isMeasured || isOverdue(begin, now: now) else {
            // They end close to one another, and then none for long.
            nextLook = now
            return nil
        }
        growth = nil
        side.isGeneration = true
        let measured = side
        let first = low.take()
        if !isMeasured, let first, wasHarmless(first, measured) {
            // There is room, as far as anybody can tell; what it buys is found out once it is used.
            center = level
            restart(now: now)
            return nil
        }
        guard isMeasured, let first, !measured.isLeftByMany, let verdict = verdict(first, measured)
        else {
            let reason: LimitMoveReason = measured.isLeftByMany ? .departures : .probe
            return undoGrowth(begin, to: begin.begin, reason, meter, now: now)
        }
        guard verdict.elasticity > Self.goesOn.usual else {
            // As on any way up, from where the first ones say that there are slots.
            let slots = max(begin.begin, min(verdict.slots.rounded(), level / 2))
            return undoGrowth(begin, to: slots, .elasticity, meter, now: now)
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

    /// Whether most that began at the raised limit should have ended by now: in three times what the first ones took, or,
    /// where not all of those have ended, in a minute.
    private func isOverdue(_ begin: KneeGrowth, now: Instant) -> Bool {
        let elapsed = now.seconds(since: begin.leftAt)
        guard let times = low?.wholeTimes, times.count >= begin.begin, let mean = times.meanSeconds
        else { return elapsed > Self.longestUnheard }
        return elapsed
            > min(Self.overdue.times * mean + Self.overdue.seconds, 2 * Self.longestUnheard)
    }

    /// Whether requests took no longer at the raised limit than the first ones, as far as they have ended.
    private func wasHarmless(_ first: KneeSide, _ raised: KneeSide) -> Bool {
        guard let before = first.wholeTimes?.meanSeconds, let times = raised.wholeTimes,
            times.count >= Self.leastTimes, let after = times.meanSeconds
        else { return false }
        return after < Self.harmlessFactor * before
    }

    /// Goes back, and lets what is too much inside the engine end first: what is measured before that is not the level's.
    private mutating func undoGrowth(
        _ begin: KneeGrowth, to newLevel: Double, _ reason: LimitMoveReason,
        _ meter: ConcurrencyMeter, now: Instant
    ) -> LimitMove? {
        let excess = max(0, Double(meter.inFlight) - newLevel)
        let seconds = min(
            max(Self.longestDrain, excess * meter.serviceSeconds), Self.longestDrainAfter)
        return change(reason) { knee in
            knee.center = knee.clamp(newLevel)
            knee.hold(knee.center, now: now)
            knee.drainsUntil = now.advanced(byNanoseconds: knee.nanoseconds(seconds))
        }
    }

    /// A raised limit that turns out to be of streams is taken back: they tell within seconds what it should have been.
    mutating func endGrowthOfStreams(now: Instant) {
        guard let begin = growth.take() else { return }
        low = nil
        center = clamp(begin.begin)
        hold(center, now: now)
    }
}
