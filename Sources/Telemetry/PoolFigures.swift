// What a pool had counted at one moment, as far as its recent past is worked out from it. Counters only grow, but for
// those of a class or a backend that a reload takes away: a difference below nought counts as nought.

internal import Admission

/// Counters of a pool at one moment.
package struct PoolFigures: Sendable {
    /// Requests about which was decided.
    var asked: UInt64 = 0
    /// Those that were started.
    var started: UInt64 = 0
    /// Those that clients said they had tried before.
    var retries: UInt64 = 0
    /// Responses that came whole, well and in time.
    var good: UInt64 = 0
    /// Refusals by `Reason`; those that would have been in a pool that only observes.
    var refused: [UInt64]
    /// Failures by `Reason`, as `RecentFigures` has them.
    var failed: [UInt64]
    private var tenants: [String: TenantCounts] = [:]
    private var backends: [String: RecentBackend] = [:]

    /// Reasons that speak of a backend.
    private static let ofBackends: [Reason] = [
        .connectFailed, .connectTimeout, .tlsFailed, .upstreamClosed, .upstreamInvalid,
        .firstByteTimeout, .upstreamIdleTimeout, .streamStalled, .streamRefused, .deadlinePassed,
    ]

    /// What `pool` has counted.
    package init(_ pool: PoolSnapshot) {
        let metrics = pool.metrics
        refused = Reason.allCases.map { reason in
            pool.isObserving
                ? metrics.classes.reduce(0) { $0 &+ $1.count(of: .wouldBeRefused, reason) }
                : metrics.count(of: .rejected, reason)
        }
        failed = [UInt64](repeating: 0, count: Reason.allCases.count)
        for reason in PoolFigures.ofBackends {
            failed[Int(reason.rawValue)] = PoolMetrics.StatusClass.allCases.reduce(0) {
                $0 &+ metrics.count(of: $1, reason)
            }
        }
        failed[Int(Reason.none.rawValue)] = metrics.count(of: .serverError, .none)
        for reason in Reason.allCases {
            started &+= metrics.count(of: .forwarded, reason)
            asked &+= metrics.count(of: .rejected, reason) &+ metrics.count(of: .abandoned, reason)
        }
        asked &+= started
        retries = metrics.clientRetries
        good = metrics.responsesInTime
        for tenant in pool.tenants { tenants[tenant.name] = tenant.counts }
        for backend in pool.backends { backends[backend.metrics.label] = PoolFigures.ends(backend) }
    }

    private static func ends(_ backend: BackendSnapshot) -> RecentBackend {
        let metrics = backend.metrics
        var ends = RecentBackend()
        ends.firstBytes = metrics.firstByte.counts
        for outcome in Outcome.named {
            let count = metrics.count(of: outcome)
            ends.requests &+= count
            switch outcome {
            case .success, .cancelled, .failed(.request), .failed(.local): break
            case .overload, .failed: ends.errors &+= count
            }
        }
        for reason in [Reason.connectFailed, .connectTimeout, .tlsFailed] {
            let count = metrics.connectionsFailed(reason)
            ends.requests &+= count
            ends.errors &+= count
        }
        return ends
    }

    /// What `pool`, whose figures these are, has counted since it had `former`'s `seconds` ago; of backends since they had
    /// `longFormer`'s.
    func since(
        _ former: PoolFigures, seconds: Double, longFormer: PoolFigures, of pool: PoolSnapshot
    ) -> RecentFigures {
        var recent = RecentFigures()
        recent.seconds = seconds
        recent.asked = asked.less(former.asked)
        recent.refused = zip(refused, former.refused).map { $0.less($1) }
        recent.failed = zip(failed, former.failed).map { $0.less($1) }
        recent.tenants = pool.tenants.map { tenant in
            var counts = tenant.counts
            // Who is new had nothing before.
            let before = former.tenants[tenant.name] ?? TenantCounts()
            counts.requests = counts.requests.less(before.requests)
            counts.retries = counts.retries.less(before.retries)
            counts.refused = counts.refused.less(before.refused)
            counts.tokens = counts.tokens.less(before.tokens)
            return counts
        }
        recent.backends = pool.backends.map { backend in
            let label = backend.metrics.label
            var ends = backends[label] ?? RecentBackend()
            guard let before = longFormer.backends[label] else { return ends }
            ends.requests = ends.requests.less(before.requests)
            ends.errors = ends.errors.less(before.errors)
            ends.firstBytes = zip(ends.firstBytes, before.firstBytes).map { $0.less($1) }
            return ends
        }
        return recent
    }
}

extension UInt64 {
    /// What is left without `other`; 0 where that is more.
    func less(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
