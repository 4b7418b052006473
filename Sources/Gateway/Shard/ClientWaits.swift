// Requests with a permit whose clients are waited for, the one that has waited longest first. They take no
// place of a limit up to a bound; beyond it, where others find no room, those that have waited longest end:
// a crowd of slow clients has the connections of that bound, and no more.

internal import Admission
internal import Logging
internal import Reactor
internal import Telemetry

/// The requests of one shard that wait for their clients.
struct ClientWaits {
    /// In the order in which they began to; some wait no more, or again.
    private var line: [RequestID] = []
    /// How many there may be before those that wait no more are taken out.
    private var sweepsAbove = ClientWaits.leastSwept
    /// When to look next whether there are too many.
    private var nextLook = Instant(nanoseconds: .min / 2)

    private static let leastSwept = 256
    private static let lookNanoseconds: Int64 = 10_000_000

    /// A request waits for its client from now on.
    mutating func add(_ id: RequestID) { line.append(id) }

    /// Takes out those for which `waits` is false, where they have become many.
    mutating func sweep(_ waits: (RequestID) -> Bool) {
        guard line.count > sweepsAbove else { return }
        var seen: Set<RequestID> = []
        line.removeAll { !waits($0) || !seen.insert($0).inserted }
        sweepsAbove = max(ClientWaits.leastSwept, 2 * line.count)
    }

    /// The line, where it is time to look and `least` wait; else nothing.
    mutating func due(_ least: Int, now: Instant) -> [RequestID] {
        guard line.count >= least, now >= nextLook else { return [] }
        nextLook = now.advanced(byNanoseconds: ClientWaits.lookNanoseconds)
        return line
    }
}

extension Shard {
    /// Notes that `exchange` waits for its client from now on.
    func waitsForClient(_ exchange: Exchange) {
        clientWaits.add(exchange.id)
        clientWaits.sweep { openExchange($0)?.permit?.awaited == .client }
    }

    /// Ends requests that wait for their clients where these are too many, the longest wait first.
    func endCrowds() {
        let line = clientWaits.due(
            AdmissionController.leastUncounted / group.count, now: reactor.now)
        guard !line.isEmpty else { return }
        for pool in pools {
            for case let upstream? in pool.upstreams {
                let crowd = pool.admission.crowd(at: upstream.id, now: reactor.now)
                if crowd > 0 { end(crowd, of: line, at: upstream.id, in: pool) }
            }
        }
    }

    private func end(_ crowd: Int, of line: [RequestID], at backend: BackendID, in pool: Pool) {
        var left = crowd
        for id in line where left > 0 {
            guard let exchange = openExchange(id), exchange.pool === pool,
                exchange.permit?.awaited == .client, exchange.permit?.backend == backend
            else { continue }
            left -= exchange.permit?.seats ?? 1
            exchange.crowdedOut()
        }
        guard left < crowd, let times = capWatch.note(2, now: reactor.now) else { return }
        logger.warning(
            "slow clients at their bound", metadata: ["pool": "\(pool.name)", "times": "\(times)"])
    }
}
