// A limit that was found about right is left alone for a while: every pair of levels costs what its
// lower one does not do and what its higher one makes others wait. While it is left alone the work
// that each running request gets done is watched, which costs nothing; it changes when the capacity
// or the work does, and then levels are compared at once.

/// How sure the limit is, and what is watched while it is left alone.
struct KneeSettled: Sendable {
    /// Verdicts that came back to where the limit was, or found it right; few in between did not.
    var confirmations = 0
    /// Verdicts in a row that pointed on and on.
    var departures = 0
    /// When the pair began that is measured now.
    var pairBegan: Instant
    /// When levels are compared again.
    var until: Instant
    /// Whether clients bore the level below.
    var isBorne = false
    /// What was watched first, at the level in force.
    var reference: KneeSide?
    /// The levels that were compared last.
    var compared: (low: KneeSide?, high: KneeSide?)
    /// The level below which throughput was seen to fall; 0 where none is known.
    var needed = 0.0
    /// Comparisons until what lies below that level is looked at again.
    var trusted = 0
    /// The lowest level from which on more was seen to buy nothing; infinite where none is known.
    var enough = Double.infinity
    /// Comparisons until what lies above that level is believed in again.
    var enoughTrusted = 0

    init(now: Instant) {
        pairBegan = now
        until = now
    }

    /// Forgets what is known of levels: the capacity or the work is another one.
    mutating func forgetLevels() {
        needed = 0
        trusted = 0
        enough = .infinity
        enoughTrusted = 0
    }
}

extension KneeLimit {
    // The limit is left alone for as long as 2, 4, 8 and at most 16 comparisons take, up to 10 s; or
    // 6 s where comparing costs no throughput, since the lower level is known to suffice; or, where they
    // take longer than that, two comparisons of streams, or four of responses in one piece, of which a
    // comparison needs so many that it takes minutes where each takes seconds.
    private static let mostConfirmations = 4
    private static let longestSeconds = (usual: 10.0, held: 6.0)
    private static let leastPairs = (streamed: 2.0, whole: 4.0)
    /// Verdicts in a row in one direction after which nothing is confirmed any more.
    private static let mostDepartures = 3
    /// A change of the work per request, in its logarithm, that calls for a comparison.
    private static let leastChange = 0.1
    /// The same between one comparison and the next, where levels near a cliff are never alike.
    private static let leastChangeCompared = 0.3
    /// The same in standard errors.
    private static let leastErrors = 4.0
    /// Variance of the knee's place after it: it may be elsewhere by as much, and by more where verdicts say
    /// so.
    static let changedSpread = 0.05
    /// Below this many, a window says too little.
    private static let leastCount = 24.0
    /// Comparisons for which a level is known to be needed, and the level below which slots are
    /// counted in whole numbers.
    private static let comparisonsTrusted = 16
    private static let wholeBelow = 64.0
    /// The same where it is only known that less than what is enough is too little, and the part of that which
    /// is as good.
    private static let comparisonsAbove = 4
    private static let nearlyEnough = 0.98
    /// How many times what was needed says that the capacity has grown.
    private static let grown = 1.06
    /// A fraction above a whole number that does not yet make the next one the limit.
    private static let roundedDown = 0.25

    /// Whether the limit is ever left alone: an objective has signs of its own that move it, and
    /// gateways that take their levels together have to go on together.
    private var canSettle: Bool { !usesSlots && objective == nil }

    /// Whether a verdict says that no more is needed than what is known to be needed.
    func isHeld(_ verdict: KneeVerdict) -> Bool {
        guard canSettle, verdict.elasticity < wantedElasticity else { return false }
        return verdict.lowLevel.rounded(.down) <= max(settled.needed, bounded(1))
    }

    /// Whether a verdict says that more is needed than what sufficed before, by more than a slot and
    /// what an estimate may be off by: the capacity has grown.
    func needsMore(_ verdict: KneeVerdict) -> Bool {
        let known = settled.enough.isFinite ? settled.enough : settled.needed
        guard known > 0, isSteep(verdict) else { return false }
        return verdict.slots >= max(known + 1, Self.grown * known) - 0.1
    }

    /// Whether the limit is at what is known to be enough, and a verdict does not say that it is not: that the
    /// lower level was too low says no more than that.
    ///
    /// Streams tell so much in little time that a limit need not be left to what is known.
    func isEnough(_ verdict: KneeVerdict) -> Bool {
        guard canSettle, phase == .compare, !usesProgress, center >= settled.enough
        else { return false }
        return verdict.lowLevel.rounded(.down) < center.rounded(.down)
            && verdict.slots.rounded() <= center.rounded()
    }

    /// Learns which level is needed, and which is enough.
    ///
    /// Looking below the first costs what it adds, and so is done seldom; above the second many a verdict
    /// would, by mere chance, ask for more.
    mutating func noteNeed(_ verdict: KneeVerdict) {
        guard canSettle else { return }
        noteEnough(verdict)
        if isEnough(verdict), verdict.elasticity > wantedElasticity {
            // What is enough is needed, too; whether it is enough is seen above it.
            settled.needed = bounded(center)
            settled.trusted = Self.comparisonsAbove
        } else if isSteep(verdict) {
            let slots = verdict.slots
            settled.needed = bounded(slots < Self.wholeBelow ? slots.rounded() : slots)
            settled.trusted = Self.comparisonsTrusted
        } else if settled.trusted > 0 {
            settled.trusted -= 1
            if settled.trusted == 0 { settled.needed = 0 }
        }
    }

    /// Whether more than what was taken for enough is worth it.
    private func contradictsEnough(_ verdict: KneeVerdict) -> Bool {
        !usesProgress && verdict.lowLevel >= Self.nearlyEnough * settled.enough
            && verdict.elasticity - leastDoubt * verdict.standardError > wantedElasticity
    }

    private mutating func noteEnough(_ verdict: KneeVerdict) {
        if needsMore(verdict) || contradictsEnough(verdict) {
            settled.enough = .infinity
        } else if isFlat(verdict)
            || verdict.elasticity + 2.5 * verdict.standardError < wantedElasticity
        {
            settled.enough = min(settled.enough, max(verdict.lowLevel, settled.needed))
            settled.enoughTrusted = Self.comparisonsTrusted
        } else if settled.enoughTrusted > 0, !isSteep(verdict) {
            // A lower level that is too low says nothing against it.
            settled.enoughTrusted -= 1
            if settled.enoughTrusted == 0 { settled.enough = .infinity }
        }
    }

    /// Notes a verdict; whether the limit is now to be left alone.
    mutating func confirms(
        _ verdict: KneeVerdict, isReturn: Bool, isNear: Bool, isKnown: Bool
    ) -> Bool {
        // What asks for more is followed up: it may be that much more is to be had.
        let asksForMore = verdict.elasticity >= wantedElasticity + Self.clearly
        guard canSettle, isKnown || !asksForMore else { return false }
        if isReturn || isNear || isKnown {
            settled.departures = 0
            settled.confirmations = min(settled.confirmations + 1, Self.mostConfirmations)
            return true
        }
        settled.departures += 1
        if settled.departures >= Self.mostDepartures { settled.confirmations = 0 }
        return false
    }

    /// Leaves the limit alone at its centre; or, where `flatFrom` says from which level on more has
    /// been found to buy nothing, not below that.
    mutating func settle(flatFrom: Double?, isHeld: Bool, now: Instant) {
        let pairSeconds = now.seconds(since: settled.pairBegan) / Double(max(rounds, 1))
        let pairs = Double(1 << settled.confirmations)
        let longest = isHeld ? Self.longestSeconds.held : Self.longestSeconds.usual
        let least = usesProgress ? Self.leastPairs.streamed : Self.leastPairs.whole
        let most = max(longest, least * pairSeconds)
        settled.until = now.advanced(byNanoseconds: nanoseconds(min(pairs * pairSeconds, most)))
        settled.reference = nil
        settled.isBorne = low.map { $0.departureShare < KneeSide.fewDepartures } ?? false
        phase = .settled
        // What was not looked at may be too high for responses in one piece, whose clients would all leave.
        let highest = usesProgress ? .infinity : max(high?.level ?? center, settled.needed)
        low = nil
        high = nil
        let wanted = min(max(center, flatFrom ?? 0), highest)
        // The limit in force is a whole number: the one below would cost a slot of few.
        hold(clamp((wanted - Self.roundedDown).rounded(.up)), now: now, gently: true)
    }

    /// Watches the work that each running request gets done.
    mutating func watch(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard now < settled.until else { return compareAgain(now: now) }
        guard let begin = lastMeter else {
            if descent == 0, now.seconds(since: sideStart) >= settleSeconds(meter) {
                lastMeter = meter
            }
            return nil
        }
        side.add(from: begin, to: meter)
        lastMeter = meter
        if settled.isBorne, !usesProgress, side.isLeft { return retreat(now: now) }
        let count = usesProgress ? side.units : side.completions
        guard side.seconds >= windowSeconds(meter), count >= Self.leastCount else { return nil }
        defer { side = KneeSide(level: level) }
        guard let reference = settled.reference else {
            settled.reference = side
            return nil
        }
        guard hasChanged(from: reference, to: side, byMoreThan: Self.leastChange) else {
            return nil
        }
        noteChange()
        return compareAgain(now: now)
    }

    /// Looks whether a level, as it is compared now, serves each request as fast as the same one did when
    /// it was compared last.
    ///
    /// A change in the middle of comparisons would else be found only by where they point, and what was
    /// learnt of levels before it holds that up. Streams alone say how fast each request goes.
    mutating func findsChange(_ isHigh: Bool) -> Bool {
        let before = isHigh ? settled.compared.high : settled.compared.low
        if isHigh { settled.compared.high = side } else { settled.compared.low = side }
        guard canSettle, usesProgress, let before, before.hasProgress, side.hasProgress,
            hasChanged(from: before, to: side, byMoreThan: Self.leastChangeCompared)
        else { return false }
        settled.compared = (isHigh ? nil : side, isHigh ? side : nil)
        return true
    }

    /// The capacity or the work is another one.
    mutating func noteChange() {
        settled.confirmations = 0
        settled.forgetLevels()
        spread = max(spread, Self.changedSpread)
        narrowing = 1
    }

    private mutating func compareAgain(now: Instant) -> LimitMove? {
        phase = .compare
        return change(.probe) { $0.beginPair(now: now) }
    }

    private func hasChanged(
        from before: KneeSide, to after: KneeSide, byMoreThan least: Double
    ) -> Bool {
        let dispersion = (usesProgress ? unitDispersion : completionDispersion).index
        let counts =
            usesProgress ? (before.units, after.units) : (before.completions, after.completions)
        let rates = (counts.0 / before.requestSeconds, counts.1 / after.requestSeconds)
        let error = (dispersion * (1 / counts.0 + 1 / counts.1)).squareRoot()
        let change = abs(naturalLogarithm(rates.1 / rates.0))
        // More beside it make each slower, in proportion at most.
        let between = abs(naturalLogarithm(after.meanInFlight / before.meanInFlight))
        return change > max(least + between, Self.leastErrors * error)
    }
}
