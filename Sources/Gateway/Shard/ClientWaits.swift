// Requests with a permit whose clients are waited for. They take no slot of a limit up to a bound; beyond
// it, where others find no room, the slowest of them end: a crowd of slow clients has the connections of
// that bound, and no more.

internal import Admission
internal import Logging
internal import Reactor
internal import Telemetry

/// The requests of one shard that wait for their clients.
struct ClientWaits {
    /// A request that began to wait.
    struct Wait {
        let id: RequestID
        let since: Instant
        /// What its client had sent and taken by then.
        let bytes: Int

        /// Bytes a second that the client, which has moved `moved` by now, sends or takes; nil while it has
        /// not been waited for long enough to say.
        func rate(moved: Int, now: Instant) -> Double? {
            let nanoseconds = now.nanoseconds(since: since)
            guard nanoseconds >= ClientWaits.leastNanoseconds else { return nil }
            return Double(moved - bytes) * 1e9 / Double(nanoseconds)
        }
    }

    /// In the order in which they began to; some wait no more, or again.
    private var waits: [Wait] = []
    /// How many there may be before those that wait no more are taken out.
    private var sweepsAbove = ClientWaits.leastSwept
    /// When to look next whether there are too many.
    private var nextLook = Instant(nanoseconds: .min / 2)

    private static let leastSwept = 256
    private static let lookNanoseconds: Int64 = 10_000_000
    private static let leastNanoseconds: Int64 = 250_000_000
    /// Who sends or takes as much a second is not slow: 64 KiB.
    static let slowBelow = 65_536.0

    /// A request waits for its client from now on.
    mutating func add(_ wait: Wait) { waits.append(wait) }

    /// Takes out those for which `goesOn` is false, where they have become many.
    mutating func sweep(_ goesOn: (RequestID) -> Bool) {
        guard waits.count > sweepsAbove else { return }
        var seen: Set<RequestID> = []
        // The last one of a request is the one that goes on.
        waits = waits.reversed().filter { goesOn($0.id) && seen.insert($0.id).inserted }.reversed()
        sweepsAbove = max(ClientWaits.leastSwept, 2 * waits.count)
    }

    /// All of them, where it is time to look and `least` wait; else none.
    mutating func due(_ least: Int, now: Instant) -> [Wait] {
        guard waits.count >= least, now >= nextLook else { return [] }
        nextLook = now.advanced(byNanoseconds: ClientWaits.lookNanoseconds)
        return waits
    }
}

extension Shard {
    /// Notes that `exchange` waits for `client` from now on.
    func waits(_ exchange: Exchange, for client: ClientConnection) {
        clientWaits.add(
            ClientWaits.Wait(id: exchange.id, since: reactor.now, bytes: client.movedBytes))
        clientWaits.sweep { openExchange($0)?.attempt.awaited == .client }
    }

    /// Ends requests that wait for their clients where these are too many, the slowest first.
    func endCrowds() {
        let waits = clientWaits.due(
            AdmissionController.leastUncounted / group.count, now: reactor.now)
        guard !waits.isEmpty else { return }
        for pool in pools {
            for case let upstream? in pool.upstreams {
                let crowd = pool.admission.crowd(at: upstream.id, now: reactor.now)
                if crowd > 0 { end(crowd, of: waits, at: upstream.id, in: pool) }
            }
        }
    }

    private func end(
        _ crowd: Int, of waits: [ClientWaits.Wait], at backend: BackendID, in pool: Pool
    ) {
        var left = crowd
        for id in slowest(of: waits, at: backend, in: pool) where left > 0 {
            guard let exchange = openExchange(id) else { continue }
            left -= max(1, exchange.attempt.seats)
            exchange.crowdedOut()
        }
        guard left < crowd, let times = capWatch.note(2, now: reactor.now) else { return }
        logger.warning(
            "slow clients at their bound", metadata: ["pool": "\(pool.name)", "times": "\(times)"])
    }

    /// Those of the requests that wait for slow clients with a permit on that backend, the slowest first.
    private func slowest(
        of waits: [ClientWaits.Wait], at backend: BackendID, in pool: Pool
    ) -> [RequestID] {
        var slow: [RequestID: Double] = [:]
        for wait in waits {
            guard let exchange = openExchange(wait.id), exchange.pool === pool,
                exchange.attempt.awaited == .client, exchange.attempt.backend == backend,
                let client = exchange.client,
                let rate = wait.rate(moved: client.movedBytes, now: reactor.now)
            else { continue }
            // A later wait of the same request counts, which is the one that goes on.
            slow[wait.id] = rate < ClientWaits.slowBelow ? rate : nil
        }
        return slow.sorted { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }.map(\.key)
    }
}
