// How the limit of a new backend begins near that of others of its kind, where these were measured.

extension KneeLimit {
    /// Whether the limit is known, by what was measured of it.
    var isKnown: Bool {
        switch phase {
        case .climb, .approach: false
        case .compare, .settled, .rest: elasticity != nil
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
