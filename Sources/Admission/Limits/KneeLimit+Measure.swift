// Levels of the limit, what is counted at them, and what verdicts do to the limit.

extension KneeLimit {
    /// Of the slots that come free on a gentle way down, the share that is kept back.
    private static let descentShare = 0.25
    /// Most that a verdict moves the limit by, in ln n: up when it was well above what is wanted,
    /// down when more concurrency buys nothing, and else.
    private static let largestSteps = (up: 0.693, down: 0.5, usual: 0.35)
    /// Distances from the knee, in ln n: about right, and where estimates are no more than a
    /// direction.
    private static let usualDistance = 0.5
    private static let farDistance = 1.5
    /// Variance that is left of what is known from one comparison to the next, since loads drift; and
    /// the standard errors from which on a verdict is more than chance.
    private static let drift = 0.001
    private static let surprise = 3.0
    private static let departuresToHurry = 2
    /// How far the levels lie from the centre, as a part of it: streams tell much in little time.
    private static let widest = (least: 0.15, most: 0.25)
    private static let leastNarrowing = 0.3
    private static let narrowingInSlots = 0.6
    /// Late departures that say something, how many there are for each success where a level serves
    /// hardly anybody, and the standard deviations by which one that serves few falls short of a
    /// lower one.
    private static let leastLateDepartures = 16
    private static let lateDeparturesOfSuccesses = 16.0
    private static let doubtOfLowerLevel = 2.0
    private static let retreatFactor = 0.7
    /// What a level settles as long after as if it had risen so much: an engine that goes on with work whose
    /// clients have left is full of it.
    private static let riseAfterRetreat = 4.0
    static let fewSlots = 8.0
    /// Times that a request takes after which those that began at the level before have ended, as a rule.
    static let settled = 1.2
    /// Slots from which on a wide pair does not cost more than it tells.
    private static let manySlots = 40.0
    /// Variance of the knee's place above which it is as good as unknown.
    private static let knownSpread = 0.1
    /// Part of the ends that are departures from which on clients do not bear a level, and the part that has
    /// to have been there for a usual service time; and where between it and one that they bear the limit
    /// goes on, in ln n.
    private static let unborneShare = (of: 0.1, late: 0.05)
    private static let cliffPart = 1.0 / 3
    /// Factor on a limit at which the backend has said overload, and the part of it that is as good.
    private static let firstStepBeyondCeiling = 0.05
    private static let mostPasses = 4
    private static let nearCeiling = 0.98

    mutating func measure(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        if phase == .climb, !usesProgress { return measureGeneration(meter, now: now) }
        guard let begin = lastMeter else {
            let settled = now.seconds(since: sideStart)
            let isDrained = Double(meter.inFlight) <= max(limit, 1) || settled > Self.longestDrain
            if settled >= settleSeconds(meter), isDrained, descent == 0 {
                lastMeter = meter
                measuredSince = now
            }
            return nil
        }
        side.add(from: begin, to: meter)
        lastMeter = meter
        if servesFew { return retreat(now: now) }
        if let low, isFarTooHigh(side, beside: low) {
            return stepBack(from: side, to: low, now: now)
        }
        guard hasEvidence(meter) else {
            let patience = max(60, 16 * meter.serviceSeconds)
            guard now.seconds(since: sideStart) > patience, side.seconds < patience / 8 else {
                return nil
            }
            // Too little of the time was bound for two levels to be of the same age.
            guard phase == .compare else {
                restart(now: now)
                return nil
            }
            return change(.probe) { $0.beginRest(now: now) }
        }
        noteSignal()
        return phase == .climb ? endClimbSide(meter, now: now) : endPairSide(now: now)
    }

    /// Learns from a side that was measured to its end what is counted, and how evenly it comes.
    mutating func noteSignal() {
        usesProgress = side.hasProgress
        unitDispersion.add(side.unitExcess)
        completionDispersion.add(side.completionExcess)
    }

    /// Whether most of what ends at this level ends with clients that have left, and would have had
    /// their response at a lower one: they waited for longer than that usually takes.
    ///
    /// Too high a limit then serves nobody, and nothing that is counted by successes would say so. Some
    /// clients would leave at any level, though, before responses that are longer than most: while some
    /// are served, a lower level has to have served more.
    var servesFew: Bool {
        guard side.lateDepartures >= Self.leastLateDepartures else { return false }
        let departures = Double(side.lateDepartures)
        // Two more successes may have been missed by chance.
        if departures > Self.lateDeparturesOfSuccesses * (side.completions + 2) { return true }
        guard departures > side.completions, let low, low.level < level else { return false }
        let expected = low.successRate * side.seconds
        return expected - side.completions > Self.doubtOfLowerLevel * expected.squareRoot()
    }

    mutating func retreat(now: Instant) -> LimitMove? {
        change(.departures) { knee in
            let tried = knee.level
            knee.center = knee.bounded(
                knee.phase == .climb
                    ? knee.low?.level ?? tried / Self.climbFactors.usual
                    : min(knee.center, tried) * Self.retreatFactor)
            knee.phase = .compare
            // Somewhere between the two it begins.
            knee.ceiling = (knee.center * tried).squareRoot()
            knee.isCeilingOfDepartures = true
            knee.forgetPlace()
            knee.lastDistance = -1
            knee.narrowing = 1
            knee.beginPair(now: now, lowFirst: true)
            knee.rise = Self.riseAfterRetreat
        }
    }

    private func hasEvidence(_ meter: ConcurrencyMeter) -> Bool {
        if phase == .climb, isClearlyWorthIt(meter) { return true }
        let calmness = phase == .compare ? 1 / narrowing : 1
        guard side.seconds >= calmness * windowSeconds(meter) else { return false }
        if side.hasProgress { return side.units >= 60 }
        // Requests that hardly scatter in the time that their size takes; short ones end first, so
        // it has to be a whole service time for both levels alike.
        if side.isTimed, side.seconds >= 1.5 * meter.serviceSeconds {
            return true
        }
        return side.ends >= min(64, max(16, 2 * level))
    }

    private mutating func endPairSide(now: Instant) -> LimitMove? {
        let isHigh = side.level > center
        if rounds == 0, findsChange(isHigh) {
            noteChange()
            return change(.probe) { $0.beginPair(now: now) }
        }
        if isHigh { add(side, to: &high) } else { add(side, to: &low) }
        if let next = comingHigh.take() {
            return change(.probe) { knee in
                knee.hold(knee.pairLevel(isHigh: next), now: now, gently: knee.isCalm)
            }
        }
        rounds += 1
        guard let low, let high, let verdict = verdict(low, high) else {
            return change(.probe) { $0.beginPair(now: now) }
        }
        noteLeaving(low, high)
        elasticity = verdict.elasticity
        let isNear = abs(verdict.distance(to: wantedElasticity)) < Self.usualDistance
        if isCliff(verdict, low: low, high: high) || isFarTooHigh(high, beside: low) {
            return stepBack(from: high, to: low, now: now)
        }
        guard isClear(verdict) || rounds >= (usesProgress && isNear ? 2 : 6) else {
            // The same level first, so that it need not settle again: low, high, high, low.
            comingHigh = !isHigh
            restart(now: now)
            return nil
        }
        return move(verdict, now: now)
    }

    /// Learns how many leave, where responses come in one piece, and whether they leave at the ceiling.
    private mutating func noteLeaving(_ low: KneeSide, _ high: KneeSide) {
        let departures = Double(low.departures + high.departures)
        leavingShare = usesProgress ? 0 : departures / max(1, low.ends + high.ends)
        let isReached = high.level >= Self.nearCeiling * ceiling
        if isCeilingOfDepartures, isReached, departures == 0 { ceiling = .infinity }
    }

    /// Whether the higher level is too high for clients: they leave there, not at the lower one, and it does
    /// not serve more.
    ///
    /// Who leaves soon after the grant had waited in the queue for too long, at whatever level.
    private func isCliff(_ verdict: KneeVerdict, low: KneeSide, high: KneeSide) -> Bool {
        !usesSlots && verdict.elasticity < wantedElasticity
            && high.departureShare > Self.unborneShare.of
            && Double(high.lateDepartures) > Self.unborneShare.late * high.ends
            && low.departureShare < KneeSide.fewDepartures
    }

    /// Whether so many leave at the higher level of a pair, and not at the lower one, that it need not be
    /// measured to the end, and that those who stayed say nothing for it.
    private func isFarTooHigh(_ high: KneeSide, beside low: KneeSide) -> Bool {
        phase == .compare && !usesSlots && high.level > low.level && !usesProgress
            && high.isLeft && low.departureShare < KneeSide.fewDepartures
    }

    /// Goes on nearer to the lower level, since clients leave in numbers from somewhere below the higher
    /// one on.
    ///
    /// There throughput rises, and then falls at once: the elasticity between the two levels says nothing of
    /// where.
    private mutating func stepBack(
        from high: KneeSide, to low: KneeSide, now: Instant
    ) -> LimitMove? {
        change(.departures) { knee in
            let ratio = naturalLogarithm(high.level / low.level)
            // Of few slots the next one is the higher level already.
            let between = min(
                low.level * exponential(ratio * Self.cliffPart), high.level.rounded(.down) - 1)
            knee.center = knee.bounded(max(low.level, between))
            knee.ceiling = (knee.center * high.level).squareRoot()
            knee.isCeilingOfDepartures = false
            knee.settled.enough = .infinity
            knee.lastDistance = -1
            knee.spread = ratio * ratio / 4
            knee.narrowing = max(Self.leastNarrowing, knee.narrowing / 2)
            knee.settled.departures = 0
            knee.settled.confirmations = max(knee.settled.confirmations, 1)
            knee.settle(flatFrom: nil, isHeld: false, now: now)
        }
    }

    func verdict(_ low: KneeSide, _ high: KneeSide) -> KneeVerdict? {
        KneeVerdict(
            low: low, high: high, usesProgress: low.hasProgress && high.hasProgress,
            unitDispersion: unitDispersion.index,
            completionDispersion: completionDispersion.index,
            replicas: phase == .compare ? 1 : settings.replicas)
    }

    mutating func move(_ verdict: KneeVerdict, now: Instant) -> LimitMove? {
        let distance = verdict.distance(to: wantedElasticity)
        let isHeld = isHeld(verdict)
        let isNews = needsMore(verdict)
        let isReturn = isHeld || !isNews && (distance < 0) != (lastDistance < 0)
        noteNeed(verdict)
        lastDistance = distance
        // About right, a narrow pair costs less; what is still far off needs a wide one. It has to
        // be wide enough to see anything, too.
        if usesSlots {
            // The levels of all have to be as far apart.
            narrowing = Self.narrowingInSlots
        } else if isReturn || abs(distance) < Self.usualDistance {
            narrowing =
                verdict.standardError < 0.12 ? max(Self.leastNarrowing, 0.8 * narrowing) : narrowing
        } else {
            narrowing = isNews ? 1 : min(1, 1.5 * narrowing)
        }
        if isNews { spread = Self.unknownSpread }
        let step = step(verdict, distance: distance, isReturn: isReturn, isNews: isNews)
        let seen = highestSeen(verdict)
        let isWhole = isWhole(verdict)
        let isKnown = isWhole || isEnough(verdict)
        let reason: LimitMoveReason = step > Self.largestSteps.usual ? .slowStart : .elasticity
        return change(reason) { knee in
            // What lies between is known: not less than the lower level, and no more.
            let target =
                isHeld
                ? verdict.lowLevel
                : isWhole
                    ? verdict.slots.rounded()
                    : min(max(knee.center * exponential(step), knee.lowestSeen(verdict)), seen)
            knee.notePass(verdict)
            let most = min(
                max(knee.ceiling, knee.center * knee.stepBeyondCeiling),
                max(knee.settled.enough, knee.center))
            knee.center = knee.bounded(min(target, most))
            // Where overload responses say when to stop, a wide pair is wide for nothing.
            if target >= knee.ceiling { knee.narrowing = min(knee.narrowing, 0.7) }
            // What has been left behind is no ceiling any more.
            knee.ceiling = max(knee.ceiling, knee.center)
            knee.center = min(max(knee.center, knee.settled.needed), 1.2 * knee.cap)
            let isNear = abs(distance) < Self.usualDistance
            if knee.confirms(verdict, isReturn: isReturn, isNear: isNear, isKnown: isKnown) {
                knee.settle(
                    flatFrom: knee.isFlat(verdict) ? verdict.lowLevel : nil, isHeld: isHeld,
                    now: now)
            } else {
                knee.beginPair(now: now)
            }
        }
    }

    /// What a level beyond the ceiling may be of the centre.
    ///
    /// A backend that says overload whatever the limit would else be raised by a twentieth a minute. One that has room for no
    /// more says so again at the next step.
    private var stepBeyondCeiling: Double {
        1 + Self.firstStepBeyondCeiling * Double(1 << passes)
    }

    /// Notes whether a pair went beyond the ceiling, and more is worth it there.
    private mutating func notePass(_ verdict: KneeVerdict) {
        guard let high, !isCeilingOfDepartures, verdict.elasticity > wantedElasticity,
            high.level >= Self.nearCeiling * ceiling
        else { return passes = 0 }
        passes = min(passes + 1, Self.mostPasses)
    }

    /// Whether a verdict need not be measured further: short of the wanted elasticity or beyond it, or close to
    /// it, or nothing but what is known.
    private func isClear(_ verdict: KneeVerdict) -> Bool {
        let doubt = abs(verdict.elasticity - wantedElasticity) / verdict.standardError
        return doubt > leastDoubt || verdict.distanceError < 0.25 || isWhole(verdict)
            || verdict.elasticity > wantedElasticity && isEnough(verdict)
    }

    /// How many standard errors an estimate has to lie from what is wanted to need no other round.
    ///
    /// A limit that was found right is compared often, and one look in so many is far off by chance.
    var leastDoubt: Double { settled.confirmations > 0 ? 2.5 : 1.5 }

    /// Whether more concurrency surely is worth it: the lower level was too low.
    func isSteep(_ verdict: KneeVerdict) -> Bool {
        guard !verdict.isGeneration || verdict.elasticity > Self.doubtful else { return false }
        return verdict.elasticity - 2 * verdict.standardError > wantedElasticity + Self.clearly
    }

    /// Whether more concurrency surely bought nothing.
    func isFlat(_ verdict: KneeVerdict) -> Bool {
        verdict.elasticity + verdict.standardError < wantedElasticity / 3
    }

    /// Below which level a verdict of no use for more does not take the limit at once.
    ///
    /// Levels that were not looked at may be too low; a batch's throughput has a bend where it is full. A limit that has been too high time and again goes
    /// on faster.
    private func lowestSeen(_ verdict: KneeVerdict) -> Double {
        guard settled.departures < Self.departuresToHurry else { return 0 }
        let isBent = !usesProgress && verdict.lowLevel >= Self.fewSlots
        return isBent || isFlat(verdict) ? verdict.lowLevel : 0
    }

    /// Above which level a verdict does not take the limit at once.
    ///
    /// Where more is worth it, but less than in proportion, slots may well have been used up by then: each of
    /// few is a large step, and where clients leave already, more of them would.
    private func highestSeen(_ verdict: KneeVerdict) -> Double {
        guard let high, !usesSlots else { return .infinity }
        if high.level < Self.fewSlots {
            return max(high.level.rounded(.down), (verdict.slots + 1).rounded(.down))
        }
        let isClear = verdict.elasticity > wantedElasticity + Self.clearly
        return isClear || leavingShare < Self.leavingInNumbers ? .infinity : high.level
    }

    /// Whether a verdict on the levels beside a small number of slots says that there are that many: less
    /// would do less, and more, as is known already, would not do more.
    private func isWhole(_ verdict: KneeVerdict) -> Bool {
        guard let high, high.level < Self.fewSlots, !usesSlots, center >= settled.enough
        else { return false }
        let slots = verdict.slots.rounded()
        return slots > verdict.lowLevel.rounded(.down) && slots < high.level.rounded(.down)
            && slots == center.rounded()
    }

    /// By how much a verdict moves the limit, in ln n.
    ///
    /// It is one measurement of where the knee lies, and counts for as much as it is more certain than
    /// what is known from those before it (R. E. Kalman, 1960): the variances of both say.
    private mutating func step(
        _ verdict: KneeVerdict, distance: Double, isReturn: Bool, isNews: Bool
    ) -> Double {
        if usesSlots {
            return slotStep(verdict, distance: distance, far: Self.farDistance, isReturn: isReturn)
        }
        // What is said of a limit far away is a direction and no more.
        let bounded = distance / (1 + abs(distance) / Self.farDistance)
        let excess = distance - bounded
        let variance = verdict.distanceError * verdict.distanceError + excess * excess
        let certainty = abs(verdict.elasticity - wantedElasticity) / verdict.standardError
        // Twice in one direction, and farther than can be: what is known holds no more.
        if !isReturn, certainty > Self.surprise, abs(bounded) > Self.surprise * spread.squareRoot()
        {
            spread = bounded * bounded
        }
        let weight = spread / (spread + variance)
        let usual = Self.largestSteps.usual
        // What contradicts all that was found before may be chance; the next verdict will say.
        let most = isSteep(verdict) && !isNews ? Self.largestSteps.up : usual
        let least = isFlat(verdict) ? Self.largestSteps.down : usual
        let step = min(max(weight * distance, -least), most)
        // What was not gone yet is as uncertain as it is far; and what goes on and on may do so still.
        let left = weight * distance - step
        let further = isReturn ? 0 : step / 2
        spread = (1 - weight) * spread + left * left + further * further + Self.drift
        return step
    }

    /// Starts a pair of levels around the centre.
    mutating func beginPair(now: Instant, lowFirst: Bool = false) {
        low = nil
        high = nil
        rounds = 0
        settled.pairBegan = now
        if usesSlots { return holdSlot(now: now) }
        let highFirst = random.next() & 1 == 0 && !lowFirst
        comingHigh = !highFirst
        hold(pairLevel(isHigh: highFirst), now: now, gently: isCalm && !lowFirst)
    }

    /// Whether the limit has been about right for some time.
    private var isCalm: Bool { phase == .compare && narrowing < 0.7 }

    func pairLevel(isHigh: Bool) -> Double {
        let factor = 1 + pairWidth * narrowing
        let most = max(ceiling, center * stepBeyondCeiling, center.rounded(.down) + 1)
        return isHigh
            ? clamp(min(max(center * factor, center.rounded(.down) + 1), most))
            : clamp(max(1, settled.needed, min(center / factor, center.rounded(.up) - 1)))
    }

    /// How far the levels of a pair lie from the centre at most, as a part of it.
    ///
    /// Once the limit was found right, or it is known what is enough, more is only looked for, about as far as
    /// the limit may be from where it belongs.
    private var pairWidth: Double {
        guard !usesProgress else { return Self.widest.least }
        guard settled.enough.isFinite || settled.confirmations > 0 else { return Self.widest.most }
        guard center >= Self.manySlots, spread <= Self.knownSpread else { return Self.widest.least }
        return min(max(Self.widest.least, spread.squareRoot()), Self.widest.most)
    }

    /// A request has ended on the way down to a level.
    mutating func descend() -> LimitMove? {
        let before = limit
        descent = max(0, descent - Self.descentShare)
        guard Int(limit) < Int(before) || descent == 0 else { return nil }
        return LimitMove(from: before, to: limit, reason: .probe)
    }

    /// Measures the level in force once more.
    mutating func restart(now: Instant) {
        side = KneeSide(level: level)
        sideStart = now
        measuredSince = now
    }

    func add(_ side: KneeSide, to sum: inout KneeSide?) {
        if sum == nil { sum = side } else { sum?.add(side) }
    }

    /// Time that a new level needs before it is measured.
    ///
    /// With progress every running request counts at once; without it those that began at the old
    /// level have to end first, and they take as much longer as there are more of them now, at most.
    func settleSeconds(_ meter: ConcurrencyMeter) -> Double {
        let service = meter.serviceSeconds
        if usesProgress || side.hasProgress {
            return service < 0.1 ? max(2 * service, 0.05) : min(max(service / 2, 0.3), 2)
        }
        return max(Self.settled * rise * service, 0.05)
    }

    /// Shortest bound time that is taken for a measurement.
    func windowSeconds(_ meter: ConcurrencyMeter) -> Double {
        min(max(8 * meter.serviceSeconds, 0.1), 2)
    }
}
