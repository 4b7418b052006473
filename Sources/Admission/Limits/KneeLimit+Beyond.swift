// A look beyond a plateau. Throughput need not grow as evenly as a formula has it: llama.cpp on a processor does no more
// with eight requests than with one, and half as much again with sixteen; and a batch just above the size that suits
// the hardware does less than a smaller one. Who compares neighbours alone takes the first level at which more buys
// nothing for the last one.
//
// So once, on the first way up, where a level buys nothing and nobody leaves for it, one well above it is tried before the
// climb ends. That costs those who are let in a longer wait inside the engine, and no throughput.

extension KneeLimit {
    /// The highest level that is looked at so, and what it is of the plateau's at most and at least: engines whose plateaus
    /// are known are small.
    private static let farthest = 32.0
    private static let lookFactors = (most: 4.0, least: 2.0)
    /// How long a request may take at the level looked at if it buys nothing, in seconds: clients who bore what they had to
    /// at the plateau may not bear that.
    private static let longestLook = 10.0
    /// For how long it may go unused, in seconds, and in service times.
    private static let longestUnused = (seconds: 20.0, services: 8.0)
    /// Elasticity from the plateau to the level looked at from which on there is more to be had.
    private static let pays = 0.2

    /// Whether the level in force is one beyond a plateau, whose level is the higher one.
    var isLookingBeyond: Bool {
        guard phase == .climb, let high else { return false }
        return high.level < level
    }

    /// Tries a level well above the one in force, which bought nothing.
    mutating func lookBeyond(
        _ verdict: KneeVerdict, _ meter: ConcurrencyMeter, isFirst: Bool, now: Instant
    ) -> LimitMove? {
        guard !looked.beyond, !usesSlots, remembered == nil, objective == nil,
            verdict.elasticity - verdict.standardError < wantedElasticity,
            side.departureShare < KneeSide.fewDepartures, let low,
            low.departureShare < KneeSide.fewDepartures
        else { return nil }
        let seconds = max(side.wholeTimes?.meanSeconds ?? 0, meter.serviceSeconds)
        let longest = seconds > 0 ? Self.longestLook / seconds : .infinity
        let factor = min(Self.lookFactors.most, Self.farthest / level, longest)
        let target = clamp((level * factor).rounded(.down))
        guard target >= Self.lookFactors.least * level else { return nil }
        looked = (true, isFirst, false)
        high = side
        return change(.probe) { $0.hold(target, now: now) }
    }

    /// Lets the first generation at a level beyond a plateau pass, of which the first do not wait for the others; whether it
    /// did so now.
    ///
    /// Four times as many as a batch holds would seem to take two and a half times as long.
    mutating func passesFirstGeneration(now: Instant) -> Bool {
        guard isLookingBeyond, !looked.firstPassed else { return false }
        looked.firstPassed = true
        restart(now: now)
        return true
    }

    /// A level beyond a plateau was measured: if it pays, the right one lies between the two, or above.
    mutating func endLookBeyond(
        _ measured: KneeSide, plateau: KneeSide, now: Instant
    ) -> LimitMove? {
        high = nil
        if let verdict = verdict(plateau, measured), verdict.elasticity > Self.pays {
            elasticity = verdict.elasticity
            settled.forgetLevels()
            low = plateau
            let isNext = measured.level <= Self.climbFactors.usual * plateau.level
            return isNext
                ? endClimb(verdict, low: plateau, high: measured, now: now)
                : tryLower(than: measured, now: now)
        }
        return returnToPlateau(plateau, now: now)
    }

    /// Goes back from a level beyond a plateau that is not used up: nobody needs to know then what it would buy, and who queues
    /// inside the engine would queue by turns before it.
    mutating func giveUpLook(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard isLookingBeyond, let plateau = high else { return nil }
        let longest = max(
            Self.longestUnused.seconds, Self.longestUnused.services * meter.serviceSeconds)
        guard now.seconds(since: sideStart) > longest, side.seconds < windowSeconds(meter) else {
            return nil
        }
        high = nil
        return returnToPlateau(plateau, now: now)
    }

    private mutating func returnToPlateau(_ plateau: KneeSide, now: Instant) -> LimitMove? {
        guard let below = low, let verdict = verdict(below, plateau) else {
            return change(.probe) { knee in
                knee.phase = .compare
                knee.center = plateau.level
                knee.beginPair(now: now)
            }
        }
        if looked.fromStart, let move = tryLower(than: below, now: now) { return move }
        return endClimb(verdict, low: below, high: plateau, now: now)
    }
}
