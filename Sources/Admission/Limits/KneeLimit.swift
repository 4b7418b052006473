// Penstock's own limit. A continuously batched server has no concurrency below which latency is
// flat, so latency that rises says little. What more concurrency buys can be measured instead: the
// elasticity of throughput, d ln X / d ln n, is 1 where every further request runs for free and 0
// where it only makes the others wait. The limit is held where the elasticity is the one asked for.
//
// It is measured by holding the limit at two levels in turn and counting work at both, while the
// limit binds. At first the levels double; near the knee they lie some per cent below and above the
// limit, in an order left to chance. An unused limit is neither raised nor lowered, but for room
// above what is used while more is still worth it. Absolute signs act at once beside it: responses
// that say overload, a latency objective, and silence.
//
// Here are the state and the calls; `+Measure` has the levels and the verdicts, `+Signs` the rest.

/// A limit held at the knee of the backend's throughput.
struct KneeLimit: Sendable {
    enum Phase: Sendable {
        /// Levels double, each compared with the one before.
        case climb
        /// Levels around the centre are compared.
        case compare
        /// The centre is held: it was found right. See `+Settled`.
        case settled
        /// The centre is held: the limit is not used up.
        case rest
        /// The limit returns to one that was right earlier, twice as much after each settling.
        case approach
    }

    var settings: KneeLimitSettings
    var phase = Phase.climb {
        // What was raised on the way up is judged there or not at all.
        didSet { if phase != .climb { growth = nil } }
    }
    /// What the levels lie around: the present estimate of the right limit.
    var center: Double
    /// The level that is to be in force, before caps.
    var level: Double
    /// The limit that an earlier process found, to which levels climb and not beyond; nil for none.
    var remembered: Double?
    /// By what factor the level rose last, 1...2; 1 while levels double, and more after a retreat.
    var rise = 1.0
    /// What is still to be taken off on the way down to `level`: slots that come free are kept
    /// back one in a few, so that the others are given away meanwhile.
    var descent = 0.0
    /// How the limit was raised before anything was heard of the backend; nil when it was not, or that
    /// is judged; see `+Unheard`.
    var growth: KneeGrowth?
    /// Until when an engine is waited for at most that has more inside than the level allows, after a
    /// growth was taken back; nil where it is not.
    var drainsUntil: Instant?
    var side: KneeSide
    var low: KneeSide?
    var high: KneeSide?
    /// Whether the level still to be held before the pair is judged is the high one; nil when none
    /// is left.
    var comingHigh: Bool?
    var rounds = 0
    /// Whether a level beyond a plateau was looked at, whether the plateau was where the climb
    /// began, and whether the first generation beyond it has passed; see `+Beyond`.
    var looked = (beyond: false, fromStart: false, firstPassed: false)
    /// The part of the ends that were departures when levels were last compared; 0 for streams.
    var leavingShare = 0.0
    /// See `+Slots`.
    var slots = KneeSlots()
    var settled: KneeSettled
    /// Factor on the width of a pair, 0.3...1: small while verdicts are what was wanted.
    var narrowing = 1.0
    /// How far from the knee the last verdict saw itself, in ln n.
    var lastDistance = 0.0
    /// How far the centre may be from the knee: a variance in ln n, small once verdicts have agreed.
    var spread = KneeLimit.unknownSpread
    /// The same where nothing is known.
    static let unknownSpread = 4.0
    /// Whether units of progress are counted, as was found at the last level measured.
    var usesProgress = false
    var unitDispersion = Dispersion()
    var completionDispersion = Dispersion()
    var sideStart: Instant
    /// When the level was put in force, and how long requests of each kind usually take.
    private var levelStart: Instant
    private var usualTimes = UsualKindTimes()
    /// When a running measurement began.
    var measuredSince: Instant
    /// The meter at the last look of a running measurement; nil while the level settles.
    var lastMeter: ConcurrencyMeter?
    var brake = OverloadBrake()
    /// What part of the responses says overload, by the limit.
    var dropShares = DropShares()
    /// The limit at which the backend last said overload: beyond it steps are small.
    var ceiling = Double.infinity
    /// Whether the ceiling is where clients left instead, which may have been those who had waited before.
    var isCeilingOfDepartures = false
    /// Comparisons in a row that went beyond the ceiling and had nothing to fear there.
    var passes = 0
    /// Whether it was cut since it last climbed; how often in the present stretch, and when that began.
    var isCut = false
    var cuts = (count: 0, since: Instant(nanoseconds: .min / 2))
    /// The limit whose half is tried, because of drops that may come at any, and the centre then.
    var halving: (limit: Double, center: Double)?
    /// The limit before the backend began to say so, and when; nil while it has not.
    var uncut: (limit: Double, at: Instant)?
    var objective: ObjectiveCap?
    /// The objective's cap, at hand; infinite without one.
    var cap = Double.infinity
    var headroom = Headroom()
    var random: SplitMix64
    /// Before it there is nothing to see.
    var nextLook: Instant
    /// The last verdict's elasticity; nil before the first one.
    var elasticity: Double?

    init(_ settings: KneeLimitSettings, seed: UInt64, now: Instant) {
        self.settings = settings
        random = SplitMix64(seed: seed)
        center = Double(min(max(settings.initial, settings.min), settings.max))
        level = center
        side = KneeSide(level: center)
        sideStart = now
        levelStart = now
        measuredSince = now
        nextLook = now
        settled = KneeSettled(now: now)
        objective = settings.objective.map { ObjectiveCap($0, now: now) }
    }

    /// The limit in force with its fraction.
    @inline(__always) var limit: Double { clamp(level + descent) }

    /// What the limit rests on.
    var evidence: LimitEvidence {
        var evidence = LimitEvidence()
        evidence.elasticity = elasticity
        if level >= Double(settings.max) { evidence.holder = .max }
        if level >= cap { evidence.holder = .objective }
        return evidence
    }

    /// Takes over new settings and brings the limit within their bounds.
    mutating func reconfigure(_ settings: KneeLimitSettings, now: Instant) {
        if settings.objective != self.settings.objective {
            objective = settings.objective.map { ObjectiveCap($0, now: now) }
            cap = .infinity
        }
        self.settings = settings
        center = clamp(center)
        let wasLookingBeyond = isLookingBeyond
        hold(clamp(level), now: now)
        // The level beyond is not above the plateau any more.
        if wasLookingBeyond, !isLookingBeyond { high = nil }
    }

    /// Learns from one request that ended well, or badly; the move it led to, if any.
    mutating func update(_ sample: Sample, _ meter: ConcurrencyMeter) -> LimitMove? {
        guard sample.isDropped else { return learn(sample, meter) }
        guard brake.isDue(meter, limit: limit, now: sample.now) else { return nil }
        dropShares.count(limit, meter)
        if halving != nil { return nil }
        if dropShares.areIndependent(of: limit) { return climbAgain(now: sample.now) }
        return tryHalf(meter, now: sample.now) ?? cut(now: sample.now)
    }

    private mutating func learn(_ sample: Sample, _ meter: ConcurrencyMeter) -> LimitMove? {
        objective?.add(sample)
        usualTimes.learn(seconds: Double(sample.latencyNanoseconds) / 1e9, kind: sample.kind)
        if lastMeter != nil || phase == .climb, !usesProgress {
            let seconds = Double(sample.latencyNanoseconds) / 1e9
            let age = sample.latencyNanoseconds
            let began = sample.now.nanoseconds(since: measuredSince) >= age
            if phase != .climb {
                if tells(sample.kind, meter, now: sample.now) {
                    side.add(seconds: seconds, kind: sample.kind)
                }
            } else if sample.now.nanoseconds(since: sideStart) >= age {
                side.add(seconds: seconds, kind: sample.kind)
            } else {
                addToFirst(seconds: seconds, sample)
            }
            if began, sample.size > 0 { side.add(seconds: seconds, size: sample.size) }
        }
        if descent > 0 { return descend() }
        return sample.now < nextLook ? nil : look(meter, now: sample.now)
    }

    /// Whether the times of a kind's requests tell of the level: those that began before it have ended, as a rule.
    ///
    /// That a level has settled goes by the usual request, and there may be ones that take much longer. Only to count
    /// those that began at the level would count the short ones of a kind, the more of them the higher the level is.
    private func tells(_ kind: UInt8, _ meter: ConcurrencyMeter, now: Instant) -> Bool {
        let usual = usualTimes.seconds(of: kind)
        return usual < Self.longKind * meter.serviceSeconds
            || now.seconds(since: levelStart) >= Self.settled * rise * usual
    }

    /// Part of the usual service time from which on a kind of requests is a long one.
    private static let longKind = 1.5

    /// Looks at what the meter says by now; the move it led to, if any.
    mutating func look(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        nextLook = now.advanced(byNanoseconds: nanoseconds(windowSeconds(meter) / 4))
        if meter.drops > 0 {
            dropShares.count(limit, meter)
            if let move = endHalving(now: now) { return move }
        }
        switch phase {
        case .approach:
            return approach(meter, now: now)
        case .climb, .compare, .settled, .rest:
            if isStale(meter, now: now) { return becomeStale(meter, now: now) }
            if let move = judgeObjective(meter, now: now) { return move }
            if let move = giveUpLook(meter, now: now) { return move }
            if let move = makeRoom(meter, now: now) { return move }
            if phase == .rest { return rest(meter, now: now) }
            if phase == .settled { return watch(meter, now: now) }
            return usesSlots ? measureSlot(meter, now: now) : measure(meter, now: now)
        }
    }

    /// The limit is in force again after a time in which it was not: what was measured meanwhile was
    /// not measured at the level.
    mutating func resume(now: Instant) {
        hold(level, now: now)
        lastMeter = nil
    }

    /// Puts a level in force, to be measured once it has settled.
    mutating func hold(_ newLevel: Double, now: Instant, gently: Bool = false) {
        let isSame = newLevel == level && descent == 0
        if !isSame { rise = phase == .compare ? min(max(newLevel / limit, 1), 2) : 1 }
        let isGentle = gently && newLevel >= Self.fewSlots
        descent = isGentle && newLevel < limit ? limit - newLevel : 0
        level = newLevel
        side = KneeSide(level: newLevel)
        sideStart = now
        if !isSame {
            lastMeter = nil
            levelStart = now
        }
        nextLook = now
    }
}

// MARK: - Figures

extension KneeLimit {
    /// The elasticity at which this gateway stops, which sees only its own part of the load.
    ///
    /// With R equal gateways one's own concurrency is 1/R of all: own elasticity is
    /// 1 - (1 - e) / R. Where all take their levels together it is e.
    ///
    /// What is asked for is the price of waiting inside the engine. Where clients leave for it, a part of the
    /// price is in what is measured already, since only responses that somebody takes count as throughput.
    var wantedElasticity: Double {
        let paid = Self.mostPaid * min(1, leavingShare / Self.leavingInNumbers)
        let elasticity = settings.elasticity * (1 - paid)
        return usesSlots && phase == .compare
            ? elasticity : 1 - (1 - elasticity) / Double(settings.replicas)
    }

    /// The part of the price that is paid by departures, and the share of them from which on it is.
    private static let mostPaid = 0.3
    static let leavingInNumbers = 0.01

    func nanoseconds(_ seconds: Double) -> Int64 { Int64(min(seconds, 1e9) * 1e9) }

    /// Within the settings' bounds and the objective's cap.
    @inline(__always) func clamp(_ value: Double) -> Double {
        bounded(min(value, cap))
    }

    /// Within the settings' bounds.
    @inline(__always) func bounded(_ value: Double) -> Double {
        max(Double(settings.min), 1, min(value, Double(settings.max)))
    }

    /// Makes a change and says by how much it moved the limit in force; nil if it did not.
    mutating func change(
        _ reason: LimitMoveReason, _ body: (inout KneeLimit) -> Void
    ) -> LimitMove? {
        let before = limit
        body(&self)
        return before == limit ? nil : LimitMove(from: before, to: limit, reason: reason)
    }
}
