// The way up from the start: levels double as long as each buys what it adds.
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
    /// Standard errors that count in favour of more, which is soon given up where it was too much.
    private static let benefitOfDoubt = 0.5
    /// Requests that a generation has at least, the square of the relative error with which their time has
    /// to be known, and the part of the time in which the level has to bind.
    private static let leastGeneration = 4.0
    private static let mostVariance = 0.015
    private static let leastBoundShare = 0.5
    /// Completions that say enough where too many requests were given up for their times to tell.
    private static let enoughCompletions = 40.0
    /// Units of progress that show that responses are streamed.
    private static let streamedUnits = 60.0
    /// Elasticity over a generation below which its level may as well have been too high.
    private static let doubtful = 0.5
    /// Variance of where the knee lies between two levels, one of which is twice the other.
    private static let betweenLevels = 0.05

    /// Measures a level by the requests that began at it.
    mutating func measureGeneration(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard let begin = lastMeter else {
            lastMeter = meter
            measuredSince = now
            return nil
        }
        side.add(from: begin, to: meter)
        lastMeter = meter
        if side.units >= Self.streamedUnits, side.hasProgress {
            usesProgress = true
            hold(level, now: now)
            lastMeter = nil
            return nil
        }
        // Clients that had waited in the queue before leave first.
        guard side.seconds >= min(windowSeconds(meter), 4 * meter.serviceSeconds) else {
            return nil
        }
        if servesFew { return retreat(now: now) }
        guard hasGeneration(meter, now: now) else { return nil }
        side.isGeneration = side.wholeTimes != nil
        noteSignal()
        return endClimbSide(now: now)
    }

    private func hasGeneration(_ meter: ConcurrencyMeter, now: Instant) -> Bool {
        guard side.seconds >= windowSeconds(meter) else { return false }
        guard let times = side.wholeTimes else {
            return side.completions >= Self.enoughCompletions
                && side.seconds >= 2 * meter.serviceSeconds
        }
        let elapsed = now.seconds(since: measuredSince)
        return times.count >= max(Self.leastGeneration, level.rounded(.down))
            && times.relativeVariance < Self.mostVariance
            && side.seconds >= Self.leastBoundShare * elapsed
    }

    mutating func endClimbSide(now: Instant) -> LimitMove? {
        let measured = side
        var factor = Self.climbFactors.usual
        if let low, let verdict = verdict(low, measured) {
            elasticity = verdict.elasticity
            let hoped = verdict.elasticity + Self.benefitOfDoubt * verdict.standardError
            guard hoped > max(Self.climbsAbove, wantedElasticity) else {
                return endClimb(verdict, low: low, high: measured, now: now)
            }
            if isUnopposed(verdict, measured) { factor = Self.climbFactors.unopposed }
        }
        low = measured
        center = level
        guard clamp(level * factor) > clamp(level) else {
            // A cap is reached: there is nothing to compare above it.
            restart(now: now)
            return nil
        }
        return change(.slowStart) { knee in
            knee.hold(knee.clamp(max(knee.level * factor, knee.level + 1)), now: now)
        }
    }

    private func isUnopposed(_ verdict: KneeVerdict, _ side: KneeSide) -> Bool {
        side.isGeneration && !usesSlots && verdict.elasticity > Self.unopposed.elasticity
            && verdict.standardError < Self.unopposed.error
            && (side.wholeTimes?.secondsPerUnit ?? 0) > Self.unopposed.leastServiceSeconds
    }

    /// Begins to compare around the last two levels.
    private mutating func endClimb(
        _ verdict: KneeVerdict, low: KneeSide, high: KneeSide, now: Instant
    ) -> LimitMove? {
        change(.elasticity) { knee in
            knee.phase = .compare
            let isWorthIt = verdict.elasticity > knee.wantedElasticity
            knee.center = isWorthIt ? high.level : low.level
            if !isWorthIt {
                // It lies between the two levels.
                knee.lastDistance = -1
                knee.spread = Self.betweenLevels
            } else if high.isGeneration, verdict.elasticity < Self.doubtful {
                knee.center = (low.level * high.level).squareRoot()
            }
            knee.beginPair(now: now)
        }
    }
}
