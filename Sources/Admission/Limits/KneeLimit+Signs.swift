// Absolute signs, which act at once, and limits that were not needed.

extension KneeLimit {
    static let unboundSecondsUntilStale = 600.0
    private static let cutFactor = 0.95
    /// Factor on an objective's cap from which on a level is not just held by it.
    private static let farAboveCap = 1.1
    /// Elasticity above the wanted one by which more is clearly worth it.
    static let clearly = 0.2

    /// Cuts within so many service times that are many.
    private static let manyCuts = 4
    private static let cutServices = 200.0

    /// For how long overload responses may have come before their backend is suspected for them.
    private static let refusalSeconds = 10.0

    /// A cohort of requests ended in responses that say overload.
    mutating func cut(now: Instant) -> LimitMove? {
        // A lowest limit that is taken for a cut one would climb again once the cut proves futile.
        guard limit.rounded(.down) > bounded(1) else { return nil }
        if uncut.map({ now.seconds(since: $0.at) > Self.refusalSeconds }) ?? true {
            uncut = (limit, now)
        }
        return change(.drop) { knee in
            knee.isCut = true
            knee.ceiling = min(knee.limit, knee.center * 1.15)
            knee.isCeilingOfDepartures = false
            knee.passes = 0
            let lowered = knee.clamp(knee.center * Self.cutFactor)
            knee.phase = .compare
            knee.settled.needed = 0
            knee.center = lowered
            knee.spread = max(knee.spread, Self.changedSpread)
            knee.beginPair(now: now, lowFirst: true)
        }
    }

    /// Tries half of a limit at which a part of the responses says overload, to find out whether that helps; nil
    /// where it is known, or most say so, or cuts have been few: one may be a burst.
    mutating func tryHalf(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        if now.seconds(since: cuts.since) > Self.cutServices * meter.serviceSeconds {
            cuts = (0, now)
        }
        cuts.count += 1
        guard cuts.count >= Self.manyCuts else { return nil }
        let half = clamp(limit / 2).rounded(.down)
        guard dropShares.mayBeIndependent(of: limit), !dropShares.isHalfKnown(of: limit),
            half < limit.rounded(.down), phase != .approach
        else { return nil }
        return change(.drop) { knee in
            knee.halving = (knee.limit, knee.center)
            knee.phase = .compare
            knee.center = half
            knee.low = nil
            knee.high = nil
            knee.comingHigh = nil
            knee.hold(half, now: now)
        }
    }

    /// Enough has ended at half of the limit to say whether that has helped: then the limit is cut as usual, else
    /// it climbs again.
    mutating func endHalving(now: Instant) -> LimitMove? {
        guard let tried = halving, dropShares.isHalfKnown(of: tried.limit) else { return nil }
        let isFutile = dropShares.areIndependent(of: tried.limit)
        return change(isFutile ? .futileCut : .drop) { knee in
            knee.halving = nil
            knee.center = tried.center
            knee.level = tried.limit
            knee.isCut = true
            _ = isFutile ? knee.climbAgain(now: now) : knee.cut(now: now)
        }
    }

    /// The backend says overload as often at half of the limit: cuts were for nothing, and it climbs again.
    mutating func climbAgain(now: Instant) -> LimitMove? {
        if !isCeilingOfDepartures { ceiling = .infinity }
        guard isCut else { return nil }
        isCut = false
        return change(.futileCut) { knee in
            knee.forgetPlace()
            knee.high = nil
            knee.elasticity = nil
            knee.phase = .climb
            knee.center = knee.limit
            knee.hold(knee.limit, now: now)
        }
    }

    /// The backend is found to refuse all that it gets, while its siblings do not: no level is the reason,
    /// and the limit of before waits for its return.
    mutating func undoCut(now: Instant) -> LimitMove? {
        guard let before = uncut.take(), now.seconds(since: before.at) <= Self.refusalSeconds,
            before.limit > limit
        else { return nil }
        return change(.futileCut) { knee in
            knee.ceiling = .infinity
            knee.center = before.limit
            knee.beginRest(now: now)
        }
    }

    mutating func judgeObjective(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard objective != nil else { return nil }
        let inForce = limit
        return change(.objective) { knee in
            guard knee.objective?.judge(limit: inForce, meter, now: now) == true else { return }
            let cap = knee.objective?.cap ?? .infinity
            knee.cap = cap
            if knee.phase != .compare, knee.phase != .approach, cap < knee.level {
                knee.phase = .compare
            }
            let lowered = min(knee.center, 1.2 * cap)
            // A level just above the cap is held by the cap; a new pair for each of its small moves would
            // never be measured to its end.
            guard knee.phase == .compare,
                lowered < knee.center || knee.level > Self.farAboveCap * cap
            else { return }
            knee.center = knee.bounded(lowered)
            knee.beginPair(now: now)
        }
    }

    func isStale(_ meter: ConcurrencyMeter, now: Instant) -> Bool {
        guard let lastBoundAt = meter.lastBoundAt else { return false }
        return now.seconds(since: lastBoundAt) > Self.unboundSecondsUntilStale
    }

    mutating func becomeStale(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        let floor = Double(max(settings.initial, 2 * meter.peakInFlight))
        return change(.stale) { knee in
            if knee.isLookingBeyond { knee.high = nil }
            knee.center = max(knee.center, knee.level)
            knee.forgetPlace()
            knee.elasticity = nil
            knee.phase = .approach
            knee.hold(knee.clamp(min(knee.level, floor)), now: now)
        }
    }

    mutating func approach(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        let isBound = meter.lastBoundAt.map { $0 >= sideStart } ?? false
        guard isBound, now.seconds(since: sideStart) >= settleSeconds(meter) else { return nil }
        guard level < center else {
            phase = .compare
            return change(.probe) { $0.beginPair(now: now) }
        }
        return change(.stale) { knee in
            knee.hold(knee.clamp(min(knee.level * 2, knee.center)), now: now)
        }
    }

    /// Moves a limit that is seldom used up.
    ///
    /// One that is nearly used up now and then, while more is clearly worth it as far as is known, is raised
    /// to twice what was in flight at most. One at which clients leave before it is used up, while
    /// nothing says that more is worth it, is lowered to what binds.
    mutating func makeRoom(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard let advice = headroom.advise(limit, meter, now: now) else { return nil }
        let isWorthIt = elasticity.map { $0 > wantedElasticity + Self.clearly }
        switch advice {
        case .rise(let target):
            guard isWorthIt ?? true else { return nil }
            return change(.headroom) { knee in
                knee.forgetPlace()
                knee.center = knee.clamp(max(target, knee.center))
                if knee.phase == .compare || knee.phase == .settled { knee.phase = .rest }
                knee.hold(knee.center, now: now)
            }
        case .fall(let target):
            // What was worth it below says nothing of a level that was only climbed to.
            let isOnlyHoped = phase == .climb && level > (low?.level ?? 0)
            guard isWorthIt != true || isOnlyHoped,
                target.rounded(.down) < limit.rounded(.down)
            else { return nil }
            return change(.departures) { knee in
                knee.forgetPlace()
                knee.phase = .compare
                knee.center = knee.bounded(target)
                knee.beginPair(now: now)
            }
        }
    }

    /// What was learnt of where the knee lies holds no more.
    mutating func forgetPlace() {
        low = nil
        growth = nil
        settled.forgetLevels()
        spread = Self.unknownSpread
    }

    mutating func beginRest(now: Instant) {
        phase = .rest
        low = nil
        high = nil
        hold(center, now: now)
    }

    /// Holds the centre while the limit is not used up, until it is again for as long as a
    /// measurement takes.
    mutating func rest(_ meter: ConcurrencyMeter, now: Instant) -> LimitMove? {
        guard let start = lastMeter else {
            lastMeter = meter
            return nil
        }
        guard meter.boundSeconds - start.boundSeconds >= windowSeconds(meter) else { return nil }
        phase = .compare
        return change(.probe) { $0.beginPair(now: now) }
    }
}
