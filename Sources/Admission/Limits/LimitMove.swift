// Every move of a limit says why it was made; an operator reads the counts by reason.

/// Why a limit moved.
package enum LimitMoveReason: UInt8, CaseIterable, Sendable {
    /// The limit was used up and the backend answered as fast as usual.
    case growth
    /// Latency rose above what is usual, with the limit at least half used.
    case gradient
    /// The backend said that it is overloaded.
    case drop
    /// A response took longer than the algorithm's time-out.
    case timeout
    /// Cutting the limit did not make the backend faster: the cut is undone, the latency becomes
    /// usual. Or the backend refuses everything while its siblings do not, so that no limit is the reason.
    case futileCut
    /// Knee: more concurrency still buys much throughput, and the limit is doubled or nearly so.
    case slowStart
    /// Knee: the measured elasticity of throughput was above or below the one asked for.
    case elasticity
    /// Knee: the other side of a measured pair was put in force.
    case probe
    /// Knee: the latency objective was missed, or is met with room to spare.
    case objective
    /// Knee: the limit was not needed for so long that it is approached in steps again, or a new backend's
    /// approaches that of its siblings; or such a step.
    case stale
    /// Knee: the limit was used up now and then and is raised above what was in flight.
    case headroom
    /// Knee: most of what ran was given up by clients that had waited for longer than a request
    /// usually takes.
    case departures
    /// New settings do not allow the old limit, or an operator pinned it.
    case settings

    /// The name in the metrics' `reason` label.
    package var name: StaticString {
        switch self {
        case .growth: "growth"
        case .gradient: "gradient"
        case .drop: "drop"
        case .timeout: "timeout"
        case .futileCut: "futile_cut"
        case .slowStart: "slow_start"
        case .elasticity: "elasticity"
        case .probe: "probe"
        case .objective: "objective"
        case .stale: "stale"
        case .headroom: "headroom"
        case .departures: "departures"
        case .settings: "settings"
        }
    }
}

/// One move of a limit.
struct LimitMove: Equatable, Sendable {
    var from: Double
    var to: Double
    var reason: LimitMoveReason
}

/// The last move of a backend's limit, as operators see it.
package struct LastMove: Equatable, Sendable {
    /// The limit before.
    package var from: Double
    /// The limit since.
    package var to: Double
    /// Why.
    package var reason: LimitMoveReason
    /// When.
    package var at: Instant

    /// A move from one limit to another.
    package init(from: Double, to: Double, reason: LimitMoveReason, at: Instant) {
        self.from = from
        self.to = to
        self.reason = reason
        self.at = at
    }
}
