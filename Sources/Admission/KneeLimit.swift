// Penstock's own limit. A continuously batched server has no concurrency below which latency is
// flat, so latency that rises says little. What more concurrency buys can be measured instead: the
// elasticity of throughput, d ln X / d ln n, is 1 where every further request runs for free and 0
// where it only makes the others wait. The limit is held where the elasticity is the one asked for.
//
// It is measured by holding the limit at two levels in turn and counting work at both, while the
// limit binds. At first the levels double; near the knee they lie some per cent below and above the
// limit, in an order left to chance. An unused limit is neither raised nor lowered. Absolute signs
// act at once beside it: answers that say overload, a latency objective, and silence.

/// A limit held at the knee of the backend's throughput.
struct KneeLimit: Sendable {
    private enum Phase: Sendable {
        /// Levels double, each compared with the one before.
        case climb
        /// Levels around the centre are compared.
        case compare
        /// The limit returns to one that was right earlier, twice as much after each settling.
        case approach
        /// Nothing came from the backend for long.
        case stalled
    }

    static let unboundSecondsUntilStale = 600.0
    private static let leastStallSeconds = 5.0
    private static let climbFactor = 2.0

    var settings: KneeLimitSettings
    private var phase = Phase.climb
    /// What the levels lie around: the present estimate of the right limit.
    private(set) var center: Double
    /// The level in force, before caps.
    private var level: Double
    private var side: KneeSide
    private var low: KneeSide?
    private var high: KneeSide?
    /// Whether the level still to be held before the pair is judged is the high one; nil when none
    /// is left.
    private var comingHigh: Bool?
    private var rounds = 0
    /// Factor on the width of a pair, .4...1: small while verdicts are what was wanted.
    private var narrowing = 1.0
    private var sideStart: Instant
    /// The meter at the last look of a running measurement; nil while the level settles.
    private var lastMeter: ConcurrencyMeter?
    private var brake = OverloadBrake()
    private var objective: ObjectiveCap?
    private var random: SplitMix64
    /// Before it there is nothing to see.
    private(set) var nextLook: Instant
    /// The last verdict's elasticity; nil before the first one.
    private(set) var elasticity: Double?

    init(_ settings: KneeLimitSettings, seed: UInt64, now: Instant) {
        self.settings = settings
        random = SplitMix64(seed: seed)
        center = Double(min(max(settings.initial, settings.min), settings.max))
        level = center
        side = KneeSide(level: center)
        sideStart = now
        nextLook = now
        objective = settings.objective.map(ObjectiveCap.init)
    }

    /// The limit in force with its fraction.
    var limit: Double { clamp(level) }

    /// What the limit rests on.
    var evidence: LimitEvidence {
        var evidence = LimitEvidence()
        evidence.elasticity = elasticity
        if level >= Double(settings.max) { evidence.holder = .max }
        if let cap = objective?.cap, level >= cap { evidence.holder = .objective }
        return evidence
    }

    /// Takes over new settings and brings the limit within their bounds.
    mutating func reconfigure(_ settings: KneeLimitSettings, now: Instant) {
        if settings.objective != self.settings.objective {
            objective = settings.objective.map(ObjectiveCap.init)
        }
        self.settings = settings
        center = clamp(center)
        hold(clamp(level), now: now)
    }

    /// Learns from one request that ended well, or badly; the move it led to, if any.
    mutating func update(
        _ sample: Sample, _ meter: ConcurrencyMeter
    ) -> LimitMove? {
        guard sample.isDropped else {
            objective?.add(sample)
            return sample.now < nextLook ? nil : look(meter, now: sample.now)
        }
        guard brake.isDue(meter, limit: limit, now: sample.now) else { return nil }
        return change(.drop) { knee in
            let lowered = knee.clamp(min(knee.center, knee.level) * 0.9)
            if knee.phase != .stalled { knee.phase = .compare }
            knee.center = lowered
            knee.beginPair(now: sample.now)
            knee.hold(lowered, now: sample.now)
        }
    }

    /// When `look` has to be called although nothing ends and nothing moves; nil while idle.
    func deadline(_ meter: ConcurrencyMeter) -> Instant? {
        guard meter.inFlight > 0, meter.successes > 0, limit > Double(settings.min) else {
            return nil
        }
        return max(meter.lastSignOfLife, sideStart).advanced(byNanoseconds: stallNanoseconds(meter))
    }

    /// Looks at what the meter says by now; the move it led to, if any.
    mutating func look(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        nextLook = now.advanced(byNanoseconds: nanoseconds(windowSeconds(meter) / 4))
        if let deadline = deadline(meter), deadline <= now { return stall(now: now) }
        switch phase {
        case .stalled:
            guard meter.lastSignOfLife > sideStart else { return nil }
            phase = .approach
            return approach(meter, now: now)
        case .approach:
            return approach(meter, now: now)
        case .climb, .compare:
            return isStale(meter, now: now)
                ? becomeStale(meter, now: now) : measure(meter, now: now)
        }
    }
}

// MARK: - Measuring

extension KneeLimit {
    private mutating func measure(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard let begin = lastMeter else {
            let settled = now.seconds(since: sideStart)
            let isDrained = Double(meter.inFlight) <= max(limit, 1) || settled > 60
            if settled >= settleSeconds(meter), isDrained {
                lastMeter = meter
                objective?.forget()
            }
            return nil
        }
        side.add(from: begin, to: meter)
        lastMeter = meter
        guard hasEvidence(meter) else {
            let patience = max(60, 16 * meter.serviceSeconds)
            if now.seconds(since: sideStart) > patience, side.seconds < patience / 8 {
                // Too little of the time was bound for the two levels to be of the same age.
                side = KneeSide(level: level)
                sideStart = now
            }
            return nil
        }
        let capped = judgeObjective(now: now)
        // A pair that was begun anew has measured nothing, even if its first level is the old one.
        guard capped == nil, hasEvidence(meter) else { return capped }
        return phase == .climb ? endClimbSide(meter, now: now) : endPairSide(meter, now: now)
    }

    private func hasEvidence(_ meter: ConcurrencyMeter) -> Bool {
        guard side.seconds >= windowSeconds(meter) else { return false }
        if side.hasProgress, side.units >= 60 { return true }
        return side.completions >= (phase == .climb ? 40 : 64)
    }

    private mutating func endClimbSide(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        let measured = side
        if let low, let verdict = KneeVerdict(low: low, high: measured) {
            elasticity = verdict.elasticity
            guard verdict.elasticity > 0.6 else {
                return change(.elasticity) { knee in
                    knee.phase = .compare
                    let isWorthIt = verdict.elasticity > knee.wantedElasticity
                    knee.center = isWorthIt ? measured.level : low.level
                    knee.beginPair(now: now)
                }
            }
        }
        low = measured
        center = level
        guard clamp(level * Self.climbFactor) > clamp(level) else {
            // A cap is reached: there is nothing to compare above it.
            restart(now: now)
            return nil
        }
        return change(.slowStart) { knee in
            knee.hold(knee.clamp(max(knee.level * Self.climbFactor, knee.level + 1)), now: now)
        }
    }

    private mutating func endPairSide(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        let isHigh = side.level > center
        if isHigh { add(side, to: &high) } else { add(side, to: &low) }
        if let next = comingHigh.take() {
            return change(.probe) { $0.hold($0.pairLevel(isHigh: next), now: now) }
        }
        rounds += 1
        guard let low, let high, let verdict = KneeVerdict(low: low, high: high) else {
            return change(.probe) { $0.beginPair(now: now) }
        }
        elasticity = verdict.elasticity
        let distance = verdict.elasticity - wantedElasticity
        let isClear = abs(distance) > 1.5 * verdict.standardError || verdict.standardError < 0.12
        guard isClear || rounds >= 6 else {
            // The same level first, so that it need not settle again: low, high, high, low.
            comingHigh = !isHigh
            restart(now: now)
            return nil
        }
        return move(verdict, distance: distance, now: now)
    }

    private mutating func move(
        _ verdict: KneeVerdict, distance: Double, now: Instant
    ) -> LimitMove? {
        // Near the knee a narrow pair costs less; a verdict far from it needs wide steps again.
        let isQuiet = abs(distance) < 0.3 && verdict.standardError < 0.2
        narrowing = isQuiet ? max(0.4, 0.85 * narrowing) : min(1, 1.5 * narrowing)
        // An estimate counts for as much as it is better than a guess.
        let doubt = verdict.standardError / 0.25
        let trust = 1 / (1 + doubt * doubt)
        let isSteep = verdict.elasticity - verdict.standardError > 0.7
        return change(isSteep ? .slowStart : .elasticity) { knee in
            let step = isSteep ? 0.588 : min(max(1.2 * distance * trust, -0.35), 0.35)
            knee.center = knee.clamp(knee.center * exponential(step))
            if let cap = knee.objective?.cap { knee.center = min(knee.center, 1.2 * cap) }
            knee.beginPair(now: now)
        }
    }

    /// Starts a pair of levels around the centre.
    private mutating func beginPair(now: Instant) {
        low = nil
        high = nil
        rounds = 0
        let highFirst = random.next() & 1 == 0
        comingHigh = !highFirst
        hold(pairLevel(isHigh: highFirst), now: now)
    }

    private func pairLevel(isHigh: Bool) -> Double {
        let width = 1 + (side.hasProgress ? 0.15 : 0.25) * narrowing
        return isHigh
            ? clamp(max(center * width, center.rounded(.down) + 1))
            : clamp(max(1, min(center / width, center.rounded(.up) - 1)))
    }

    /// Puts a level in force, to be measured once it has settled.
    private mutating func hold(_ newLevel: Double, now: Instant) {
        let isSame = newLevel == level
        level = newLevel
        side = KneeSide(level: newLevel)
        sideStart = now
        if !isSame { lastMeter = nil }
        nextLook = now
    }

    /// Measures the level in force once more.
    private mutating func restart(now: Instant) {
        side = KneeSide(level: level)
        sideStart = now
    }

    private func add(_ side: KneeSide, to sum: inout KneeSide?) {
        if sum == nil { sum = side } else { sum?.add(side) }
    }
}

// MARK: - Absolute signs, and limits that were not needed

extension KneeLimit {
    private mutating func judgeObjective(now: Instant) -> LimitMove? {
        let inForce = limit
        guard objective?.judge(limit: inForce, isBound: true) == true, let cap = objective?.cap,
            cap < level * 1.2
        else { return nil }
        return change(.objective) { knee in
            if knee.phase == .climb { knee.phase = .compare }
            knee.center = knee.clamp(min(knee.center, 1.2 * cap))
            knee.beginPair(now: now)
        }
    }

    private mutating func stall(now: Instant) -> LimitMove? {
        change(.stall) { knee in
            knee.phase = .stalled
            knee.hold(knee.clamp(knee.level / 2), now: now)
        }
    }

    private func isStale(_ meter: ConcurrencyMeter, now: Instant) -> Bool {
        guard let lastBoundAt = meter.lastBoundAt else { return false }
        return now.seconds(since: lastBoundAt) > Self.unboundSecondsUntilStale
    }

    private mutating func becomeStale(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        let floor = Double(max(settings.initial, 2 * meter.peakInFlight))
        return change(.stale) { knee in
            knee.phase = .approach
            knee.hold(knee.clamp(min(knee.level, floor)), now: now)
        }
    }

    private mutating func approach(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard level < center else {
            phase = .compare
            return change(.probe) { $0.beginPair(now: now) }
        }
        let isBound = meter.lastBoundAt.map { $0 >= sideStart } ?? false
        guard isBound, now.seconds(since: sideStart) >= settleSeconds(meter) else { return nil }
        return change(.stale) { knee in
            knee.hold(knee.clamp(min(knee.level * 2, knee.center)), now: now)
        }
    }

    private func stallNanoseconds(_ meter: ConcurrencyMeter) -> Int64 {
        nanoseconds(max(Self.leastStallSeconds, 3 * meter.longServiceSeconds))
    }
}

// MARK: - Figures

extension KneeLimit {
    /// The elasticity at which this gateway stops, which sees only its own part of the load.
    ///
    /// With R equal gateways one's own concurrency is 1/R of all: own elasticity is
    /// 1 - (1 - e) / R.
    var wantedElasticity: Double { 1 - (1 - settings.elasticity) / Double(settings.replicas) }

    /// Time that a new level needs before it is measured.
    ///
    /// With progress every running request counts at once; without it those that began at the old
    /// level have to end first.
    private func settleSeconds(_ meter: ConcurrencyMeter) -> Double {
        let service = meter.serviceSeconds
        if side.hasProgress || low?.hasProgress == true || high?.hasProgress == true {
            return service < 0.1 ? max(2 * service, 0.05) : min(max(service / 2, 0.3), 2)
        }
        return max(1.2 * service, 0.05)
    }

    /// Shortest bound time that is taken for a measurement.
    private func windowSeconds(_ meter: ConcurrencyMeter) -> Double {
        min(max(8 * meter.serviceSeconds, 0.1), 2)
    }

    private func nanoseconds(_ seconds: Double) -> Int64 { Int64(min(seconds, 1e9) * 1e9) }

    private func clamp(_ value: Double) -> Double {
        let cap = min(Double(settings.max), objective?.cap ?? .infinity)
        return max(Double(settings.min), 1, min(value, cap))
    }

    /// Makes a change and says by how much it moved the limit in force; nil if it did not.
    private mutating func change(
        _ reason: LimitMoveReason, _ body: (inout KneeLimit) -> Void
    ) -> LimitMove? {
        let before = limit
        body(&self)
        return before == limit ? nil : LimitMove(from: before, to: limit, reason: reason)
    }
}
