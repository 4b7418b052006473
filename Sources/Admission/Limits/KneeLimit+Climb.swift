// The way up from the start: levels double as long as each buys what it adds. Where the first does not, or
// most clients leave at it, its half is tried, and the half of that: a start at four is too high for one slot.
//
// Streams tell within a second what a level does. Where responses come in one piece nothing is known of a
// level before requests have ended that began at it: with responses of ten seconds, forty ends at a level of
// four would take two minutes, in which all others are refused. There one generation is enough, as many
// requests as the level has slots, by the time that they take. A generation sees a queue inside the engine
// come about, and not yet all of it: with twice as many requests as slots one half waits for the other.

extension KneeLimit {
    /// What a level is of the one before: in general, and where responses that take long did not take
    /// longer for all that were added.
    static let climbFactors = (usual: 2.0, unopposed: 4.0)
    /// Elasticities above which the climb goes on, and from which on nothing speaks against more, with the
    /// standard error that this takes.
    private static let climbsAbove = 0.6
    private static let unopposed = (elasticity: 0.85, error: 0.25, leastServiceSeconds: 1.0)
    /// Factor on the rate of successes from which on a level serves clearly more.
    private static let clearGain = 1.25
    /// Standard errors that count in favour of more, which is soon given up where it was too much, and against it where
    /// clients leave.
    private static let benefitOfDoubt = (of: 1.0, against: 0.5)
    /// Requests that a generation has at least, on the way up and down, the square of the relative error with
    /// which their time has to be known, and the part of the time in which the level has to bind.
    private static let leastGeneration = (up: 4.0, down: 8.0)
    private static let mostVariance = 0.015
    private static let leastBoundShare = 0.3
    /// Part of a window that is enough where streams tell that more is worth it.
    private static let shortestPart = 0.25
    /// Ends of requests that say enough where too many requests were given up for their times to tell.
    private static let enoughEnds = 24.0
    /// Units of progress that show that responses are streamed.
    private static let streamedUnits = 60.0
    /// Seconds after which a level counts although more are in flight still.
    static let longestDrain = 60.0
    /// For how long half of a level is held at most to find out whether it is enough: in seconds, and in service
    /// times.
    private static let longestLower = (seconds: 30.0, services: 8.0)
    /// Elasticity over a generation below which its level may as well have been too high: of twice as many
    /// requests as slots the first half takes one service time and the other two, which looks like 0.415.
    static let doubtful = 0.5
    /// Variance of where the knee lies between two levels, one of which is twice the other.
    private static let betweenLevels = 0.05
    /// How far what is needed lies from what is enough, in ln n, where nothing between was looked at.
    private static let farApart = 0.5

    /// Measures a level by the requests that began at it.
    mutating func measureGeneration(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard let begin = lastMeter else {
            let isAbove = high != nil && !isLookingBeyond
            if isAbove || drainsUntil != nil {
                // On the way down what is too much has to end first.
                let isDrained = Double(meter.inFlight) <= max(limit, 1)
                let end =
                    drainsUntil ?? sideStart.advanced(byNanoseconds: nanoseconds(Self.longestDrain))
                guard isDrained || now > end else { return nil }
                drainsUntil = nil
                restart(now: now)
            }
            lastMeter = meter
            measuredSince = now
            return nil
        }
        side.add(from: begin, to: meter)
        lastMeter = meter
        if side.units >= Self.streamedUnits, side.hasProgress {
            usesProgress = true
            if growth == nil { hold(level, now: now) } else { endGrowthOfStreams(now: now) }
            lastMeter = nil
            return nil
        }
        if let growth { return endGrowth(growth, meter, now: now) }
        // Clients that had waited in the queue before leave first.
        guard side.seconds >= min(windowSeconds(meter), 4 * meter.serviceSeconds) else {
            return nil
        }
        if servesFew { return retreat(now: now) }
        guard hasGeneration(meter, now: now) else { return giveUpLower(meter, now: now) }
        if passesFirstGeneration(now: now) { return nil }
        side.isGeneration = generationTimes != nil && !isLookingBeyond
        noteSignal()
        return endClimbSide(meter, now: now)
    }

    /// How long the level's requests took, where that is known at the level that it is compared with, too.
    private var generationTimes: KindTimes? {
        guard let times = side.wholeTimes else { return nil }
        guard let other = high ?? low else { return times }
        return other.wholeTimes == nil ? nil : times
    }

    private func hasGeneration(_ meter: ConcurrencyMeter, now: Instant) -> Bool {
        guard side.seconds >= windowSeconds(meter) else { return false }
        guard let times = generationTimes else {
            return side.ends >= Self.enoughEnds
                && side.seconds >= 2 * meter.serviceSeconds
        }
        let elapsed = now.seconds(since: measuredSince)
        let least = high == nil ? Self.leastGeneration.up : Self.leastGeneration.down
        return times.count >= max(least, level.rounded(.down))
            && times.relativeVariance < Self.mostVariance
            && side.seconds >= Self.leastBoundShare * elapsed
    }

    mutating func endClimbSide(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        let measured = side
        if let other = high {
            return isLookingBeyond
                ? endLookBeyond(measured, plateau: other, now: now)
                : endLower(measured, above: other, now: now)
        }
        var factor = Self.climbFactors.usual
        if let below = low {
            let isFirst = elasticity == nil
            if let verdict = verdict(below, measured) {
                elasticity = verdict.elasticity
                noteNeed(verdict)
                guard isHoped(verdict, despite: measured) else {
                    if let move = lookBeyond(verdict, meter, isFirst: isFirst, now: now) {
                        return move
                    }
                    let isWorthIt = verdict.elasticity - verdict.standardError > wantedElasticity
                    if isFirst, !isWorthIt, let move = tryLower(than: below, now: now) {
                        return move
                    }
                    return endClimb(verdict, low: below, high: measured, now: now)
                }
                if isUnopposed(verdict, measured) { factor = Self.climbFactors.unopposed }
            } else if measured.isLeft, below.departureShare < measured.departureShare / 2,
                measured.successRate < Self.clearGain * below.successRate
            {
                // Nothing says that more is worth it, and clients leave in numbers.
                return retreat(now: now)
            }
        } else if measured.isLeftByMany, let move = tryLower(than: measured, now: now) {
            return move
        }
        low = measured
        center = level
        if let target = remembered, level >= target { return endReturn(now: now) }
        guard clamp(level * factor) > clamp(level) else {
            // A cap is reached: there is nothing to compare above it.
            restart(now: now)
            return nil
        }
        return change(.slowStart) { knee in
            let next = max(knee.level * factor, knee.level + 1)
            knee.hold(knee.clamp(min(next, knee.remembered ?? next)), now: now)
        }
    }

    /// Compares levels around the limit that an earlier process found: nothing has spoken against it.
    private mutating func endReturn(now: Instant) -> LimitMove? {
        change(.probe) { knee in
            knee.remembered = nil
            knee.phase = .compare
            knee.spread = Self.betweenLevels
            knee.beginPair(now: now)
        }
    }

    /// Whether what is known lets hope that more than the higher level is worth it; where many leave there,
    /// the doubt speaks against it.
    private func isHoped(_ verdict: KneeVerdict, despite higher: KneeSide) -> Bool {
        let benefit = higher.isLeftByMany ? -Self.benefitOfDoubt.against : Self.benefitOfDoubt.of
        let hoped = verdict.elasticity + benefit * verdict.standardError
        // What was the right limit once is gone back to while it pays as much as it has to.
        return hoped
            > (remembered == nil ? max(Self.climbsAbove, wantedElasticity) : wantedElasticity)
    }

    /// Goes on with half of the level at which the climb began, or the halves of that: it may have been too
    /// much already.
    ///
    /// It was where twice as much is not worth it, and where many clients leave before the response, since
    /// they do so for requests that wait inside the engine. What ends well says whether less serves more.
    mutating func tryLower(than above: KneeSide, now: Instant) -> LimitMove? {
        let lower = clamp(above.level / Self.climbFactors.usual)
        guard !usesSlots, lower.rounded(.down) < above.level.rounded(.down) else { return nil }
        high = above
        return change(above.isLeftByMany ? .departures : .probe) { $0.hold(lower, now: now) }
    }

    /// Goes back to the level whose half was tried where requests are so unlike one another that their times say nothing
    /// for long, while half of what the backend could do may be lost.
    private mutating func giveUpLower(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard let above = high, !above.isLeftByMany,
            now.seconds(since: measuredSince)
                > max(Self.longestLower.seconds, Self.longestLower.services * meter.serviceSeconds)
        else { return nil }
        return change(.probe) { knee in
            knee.phase = .compare
            knee.center = above.level
            knee.forgetPlace()
            knee.high = nil
            knee.beginPair(now: now)
        }
    }

    /// A level was measured that is half of the one above it.
    private mutating func endLower(
        _ measured: KneeSide, above: KneeSide, now: Instant
    ) -> LimitMove? {
        guard let verdict = verdict(measured, above) else {
            restart(now: now)
            return nil
        }
        high = nil
        elasticity = verdict.elasticity
        noteNeed(verdict)
        // While many leave, less is looked at too unless more is surely worth it: a slot costs little there.
        let doubt = measured.isLeftByMany ? verdict.standardError : 0
        let isBornBelow = above.isLeftByMany && !measured.isLeftByMany
        if verdict.elasticity - doubt > wantedElasticity, !isBornBelow || isSteep(verdict) {
            guard low == nil else { return endClimb(verdict, low: measured, high: above, now: now) }
            // They leave at either, and more served more.
            low = above
            center = above.level
            return change(.slowStart) { knee in
                knee.hold(knee.clamp(above.level * Self.climbFactors.usual), now: now)
            }
        }
        if let plateau = low, plateau.level < measured.level,
            let verdict = self.verdict(plateau, measured)
        {
            // What lies below was looked at before.
            return endClimb(verdict, low: plateau, high: measured, now: now)
        }
        low = measured
        return tryLower(than: measured, now: now)
            ?? endClimb(verdict, low: measured, high: above, now: now)
    }

    /// Whether the next level need not wait until this one is measured to its end: streams tell at once.
    func isClearlyWorthIt(_ meter: ConcurrencyMeter) -> Bool {
        guard side.hasProgress, !usesSlots,
            side.seconds >= Self.shortestPart * windowSeconds(meter)
        else { return false }
        guard let low else { return true }
        guard let verdict = verdict(low, side) else { return false }
        return verdict.elasticity - 2 * verdict.standardError > Self.climbsAbove
    }

    private func isUnopposed(_ verdict: KneeVerdict, _ side: KneeSide) -> Bool {
        side.isGeneration && !usesSlots && verdict.elasticity > Self.unopposed.elasticity
            && verdict.standardError < Self.unopposed.error
            && (side.wholeTimes?.meanSeconds ?? 0) > Self.unopposed.leastServiceSeconds
    }

    /// Goes on from the middle of what is known to be needed and what is known to be enough, where these lie far apart: after
    /// a level four times as high as the one before, the knee may lie anywhere between.
    private mutating func takeMiddle() {
        guard settled.needed > 0 else { return }
        let ratio = naturalLogarithm(center / settled.needed)
        guard ratio > Self.farApart else { return }
        center *= exponential(-ratio / 2)
        spread = ratio * ratio / 4
    }

    /// Begins to compare around the last two levels.
    mutating func endClimb(
        _ verdict: KneeVerdict, low: KneeSide, high: KneeSide, now: Instant
    ) -> LimitMove? {
        change(.elasticity) { knee in
            knee.phase = .compare
            let isWorthIt = verdict.elasticity > knee.wantedElasticity
            knee.center = max(isWorthIt ? high.level : low.level, knee.settled.needed)
            if !isWorthIt {
                // It lies between the two levels.
                knee.lastDistance = -1
                knee.spread = Self.betweenLevels
                if knee.isFlat(verdict) { knee.takeMiddle() }
            } else if high.isGeneration, verdict.elasticity < Self.doubtful {
                knee.center = (low.level * high.level).squareRoot()
            }
            knee.beginPair(now: now)
        }
    }
}
