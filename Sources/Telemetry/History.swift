// The gateway's last ten minutes, a second at a time, for who looks at it now: no database, nothing on a disk. It is told
// of a snapshot a second and keeps what it needs of that. Two things come of it: the rows that charts are drawn from, and
// what a pool counted of late, from figures that are kept every five seconds for half a minute.
//
//     rows        600 a pool, 100 bytes each
//     figures     7 a pool: 400 bytes, 250 for each backend and 50 for each tenant that the policy names
//
// of the policy's first 32 pools: two megabytes and as much again with a thousand backends.

package import Bytes

/// What pools did in the last ten minutes.
package struct History: Sendable {
    /// Pools that are remembered, the policy's first ones.
    package static let mostPools = 32
    /// Seconds that are remembered.
    package static var mostSeconds: Int { HistoryRing.mostRows }
    /// How often figures are kept, and how many of them.
    private static let markSeconds: Int64 = 5
    private static let mostMarks = 7
    /// How long ago the figures are at least that the present is compared with.
    private static let recentSeconds: Int64 = 8

    /// What is remembered of one pool.
    private struct Kept {
        var ring = HistoryRing()
        /// The last figures.
        var latest: PoolFigures
        /// Figures of every fifth second, the oldest first.
        var marks: [(second: Int64, figures: PoolFigures)]
    }

    private var pools: [String: Kept] = [:]
    /// The policy's order.
    private var names: [String] = []
    /// The second of the last snapshot; 0 before the first.
    package private(set) var lastSecond: Int64 = 0

    /// Nothing.
    package init() {}

    /// Bytes that the rows take.
    package var rowBytes: Int { pools.values.reduce(0) { $0 + $1.ring.bytes } }

    /// The second that `snapshot` belongs to, since 1970.
    ///
    /// It goes by how long the gateway has run: the wall clock may be set meanwhile, and rows have an order.
    package static func second(of snapshot: GatewaySnapshot) -> Int64 {
        (snapshot.metrics.startNanoseconds + snapshot.uptimeNanoseconds) / 1_000_000_000
    }

    /// Remembers `snapshot`, unless its second is remembered already.
    package mutating func record(_ snapshot: GatewaySnapshot) {
        let second = History.second(of: snapshot)
        guard second > lastSecond else { return }
        lastSecond = second
        let shown = snapshot.pools.prefix(History.mostPools)
        names = shown.map(\.metrics.name)
        if pools.count > names.count { pools = pools.filter { names.contains($0.key) } }
        for pool in shown {
            let figures = PoolFigures(pool)
            guard var kept = pools.removeValue(forKey: pool.metrics.name) else {
                pools[pool.metrics.name] = Kept(latest: figures, marks: [(second, figures)])
                continue
            }
            kept.ring.append(second, pool, figures, since: kept.latest)
            kept.latest = figures
            if second - (kept.marks.last?.second ?? 0) >= History.markSeconds {
                if kept.marks.count >= History.mostMarks { kept.marks.removeFirst() }
                kept.marks.append((second, figures))
            }
            pools[pool.metrics.name] = kept
        }
        if pools.count > names.count { pools = pools.filter { names.contains($0.key) } }
    }

    /// `snapshot` with what its pools counted of late.
    package func completed(_ snapshot: GatewaySnapshot) -> GatewaySnapshot {
        var completed = snapshot
        let second = History.second(of: snapshot)
        for (index, pool) in snapshot.pools.enumerated() {
            guard let kept = pools[pool.metrics.name], let oldest = kept.marks.first else {
                continue
            }
            let recent =
                kept.marks.last { second - $0.second >= History.recentSeconds } ?? oldest
            completed.pools[index].recent = PoolFigures(pool).since(
                recent.figures, seconds: Double(max(1, second - recent.second)),
                longFormer: oldest.figures, of: pool)
        }
        return completed
    }

    /// Appends the rows after `second` as a JSON object; all that there are where it is none of the last ten minutes.
    package func render(after second: Int64, into buffer: inout ByteBuffer) {
        let isKnown = second <= lastSecond && second > lastSecond - Int64(History.mostSeconds)
        buffer.append(text: "{\"pools\":[")
        for (index, name) in names.enumerated() {
            guard let kept = pools[name] else { continue }
            buffer.append(text: index > 0 ? ",{\"name\":" : "{\"name\":")
            buffer.append(jsonString: name)
            buffer.append(text: ",")
            kept.ring.render(after: isKnown ? second : 0, into: &buffer)
            buffer.append(text: "}")
        }
        buffer.append(text: "]}")
    }
}
