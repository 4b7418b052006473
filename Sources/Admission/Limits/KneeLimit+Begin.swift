// How the limit of a new backend begins near that of others of its kind, where these were measured.

extension KneeLimit {
    /// Whether the limit is known, by what was measured of it.
    var isKnown: Bool {
        switch phase {
        case .climb, .approach: false
        case .compare, .settled, .rest: elasticity != nil
        }
    }

    /// What was found by measuring: what levels lie around; nil while nothing was.
    var found: Double? { isKnown ? center : nil }

    /// What another process that takes over from this one may begin with: what levels lie around, or the highest limit
    /// that there may be; nil while the limit is only on its way.
    var inForce: Double? {
        switch phase {
        case .compare, .settled, .rest: center
        case .climb where growth == nil && !isLookingBeyond && level >= clamp(.infinity): level
        case .climb, .approach: nil
        }
    }

    /// Begins at a part of a limit that others of the kind have, and approaches that.
    mutating func begin(towards target: Double, now: Instant) -> LimitMove? {
        change(.stale) { knee in
            knee.center = knee.clamp(target)
            knee.phase = .approach
            let first = max(Self.leastFirst, target * Self.firstPart)
            knee.hold(knee.clamp(min(first, target)), now: now)
        }
    }

    /// Begins at a part of a limit that an earlier process found, and climbs to that.
    ///
    /// Each level is measured: the backend may be another one by now.
    mutating func begin(remembering found: Double, now: Instant) -> LimitMove? {
        change(.slowStart) { knee in
            let target = knee.clamp(found)
            knee.remembered = target
            knee.hold(
                knee.clamp(min(max(Self.leastFirst, target * Self.firstPart), target)), now: now)
            knee.center = knee.level
        }
    }

    /// Begins at a limit that another process of the gateway has had in force until now, and compares levels around it.
    mutating func begin(takingOver limit: Double, now: Instant) -> LimitMove? {
        change(.slowStart) { knee in
            knee.center = knee.clamp(limit)
            knee.phase = .compare
            knee.spread = Self.changedSpread
            knee.beginPair(now: now)
        }
    }

    /// Part of what others have that is begun with, and the least.
    private static let firstPart = 0.25
    private static let leastFirst = 4.0

    /// Climbs from where the limit is: it is another kind's that was approached.
    mutating func endApproach(now: Instant) {
        guard phase == .approach else { return }
        center = level
        phase = .climb
        restart(now: now)
    }
}
