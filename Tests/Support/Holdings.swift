// What a gateway holds at one moment: nothing of it may be left when everybody has gone.

@testable import Gateway
@testable import Reactor

/// Places, waiting requests and connections, counted.
struct Holdings: Equatable, Sendable {
    var inFlight = 0
    var queued = 0
    var exchanges = 0
    var dials = 0
    var clients = 0
    var upstreamOpen = 0
    var upstreamIdle = 0

    init() {}

    /// What one shard holds; the first one counts what all have in common.
    init(of shard: Shard) {
        var seen: [SharedAdmission] = []
        for pool in shard.pools {
            // A pool that was given another name leaves its admission to the new one.
            if shard.index == 0, !seen.contains(where: { $0 === pool.admission }) {
                seen.append(pool.admission)
                inFlight += pool.admission.inFlight
                queued += pool.admission.queueLength
            }
            for upstream in pool.upstreams {
                upstreamOpen += upstream?.openCount ?? 0
                upstreamIdle += upstream?.idleCount ?? 0
            }
        }
        exchanges = shard.openExchangeCount
        dials = shard.dialler.dialCount
        clients = shard.connections.count
    }

    mutating func add(_ other: Holdings) {
        inFlight += other.inFlight
        queued += other.queued
        exchanges += other.exchanges
        dials += other.dials
        clients += other.clients
        upstreamOpen += other.upstreamOpen
        upstreamIdle += other.upstreamIdle
    }

    /// Whether nothing is held but `clients` connections and `idle` idle ones to backends (nil: any
    /// number).
    ///
    /// Idle connections are each reactor's own: where one has `idle`, several may have some more.
    func isSettled(clients: Int?, idle: Int?, reactors: Int = 1) -> Bool {
        var wanted = Holdings()
        wanted.clients = clients ?? self.clients
        let most = (idle ?? upstreamIdle) * reactors
        wanted.upstreamIdle = min(max(idle ?? 0, upstreamIdle), most)
        // Whatever is open to a backend is idle then.
        wanted.upstreamOpen = wanted.upstreamIdle
        return self == wanted
    }
}
