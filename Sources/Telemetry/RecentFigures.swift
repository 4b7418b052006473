// What became of a pool's requests of late: the difference between two looks at its counters, as pages and sentences
// about the present need it.

package import Admission

/// What a pool counted in the seconds before a moment.
package struct RecentFigures: Sendable {
    /// For how long it was counted, in seconds; 0 where nothing is known yet.
    package var seconds = 0.0
    /// Requests about which was decided.
    package var asked: UInt64 = 0
    /// Requests that were refused, by `Reason`; in a pool that only observes, those that would have been.
    package var refused = [UInt64](repeating: 0, count: Reason.allCases.count)
    /// Requests that ended without a whole response for a reason of their backends', by `Reason`; `none` has those that
    /// a backend answered with an error of its own.
    package var failed = [UInt64](repeating: 0, count: Reason.allCases.count)
    /// What tenants asked for, in the order of the pool's.
    package var tenants: [TenantCounts] = []
    /// What became of requests at backends, in the order of the pool's; over half a minute.
    package var backends: [RecentBackend] = []

    /// Nothing.
    package init() {}

    /// Requests that were refused, or would have been.
    package var refusals: UInt64 { refused.reduce(0, &+) }

    /// So many in a second, as text; empty where nothing is known yet.
    func perSecond(_ count: UInt64) -> String {
        seconds > 0 ? "\((Double(count) / seconds * 10).rounded() / 10)" : ""
    }

    /// Requests that failed.
    package var failures: UInt64 { failed.reduce(0, &+) }

    /// The reason of most of `counts`, which are by `Reason`; nil for none.
    package static func most(of counts: [UInt64]) -> (reason: Reason, count: UInt64)? {
        guard let most = counts.max(), most > 0 else { return nil }
        let index = counts.firstIndex(of: most) ?? 0
        return (Reason.allCases[index], most)
    }
}

/// What became of requests at one backend.
package struct RecentBackend: Sendable {
    /// Requests that ended there.
    package var requests: UInt64 = 0
    /// Those of them that the backend failed or refused, and connections that could not be made.
    package var errors: UInt64 = 0
    /// Times to first bytes, by `Histogram.durationBounds`.
    package var firstBytes: [UInt64] = []

    /// Nothing.
    package init() {}

    /// The time below which that share of the first bytes came, in seconds; nil where none did.
    package func firstByteSeconds(_ share: Double) -> Double? {
        guard !firstBytes.isEmpty else { return nil }
        return Histogram.quantileSeconds(share, of: firstBytes, Histogram.durationBounds)
    }
}
