// Who gives way when a client waits and all connections are taken: connections on which nothing happens.
// They rest, or somebody sends a head or a body slowly. Always one of the client's goes that has most of them,
// until it has no more than the next one. So a client that takes as many connections as it can get pays for
// them itself, and where all come from one address, a balancer's, it is as if nobody counted. Counting is
// done only now: no connection costs anything for it while there is room.

internal import Admission
internal import Policy
internal import Reactor

/// A connection on which nothing happens.
private struct SpareConnection {
    /// What the client does not do, in the order in which it is missed least.
    enum Kind: Int {
        /// It has had its response, and sends no other request.
        case rests
        /// It has begun a head.
        case head
        /// It sends a body at a rate that no usual line has.
        case body
    }

    let connection: ClientConnection
    let kind: Kind
    /// Since when nothing happens.
    let since: Instant
    /// How many its client has, less those that go before it.
    var rank = 0

    /// The connection, if nothing happens on it.
    init?(_ connection: ClientConnection, now: Instant) {
        self.connection = connection
        guard let exchange = connection.exchange else {
            guard connection.isSpare else { return nil }
            kind = .rests
            since = connection.idleSince
            return
        }
        since = exchange.record.startedAt
        switch exchange.stage {
        case .readingHead: kind = .head
        case .readingBody:
            let seconds = Double(now.nanoseconds(since: since)) / 1e9
            let bytes = connection.usedBytes - exchange.record.receivedBefore
            guard Double(bytes) < SpareConnection.slowBytesPerSecond * max(1, seconds) else {
                return nil
            }
            kind = .body
        case .parked, .dialling, .forwarding, .delivering, .tunnelling, .bulk: return nil
        }
    }

    /// Bodies that come faster are not slow.
    private static let slowBytesPerSecond = 16_384.0
}

extension Shard {
    /// How long nothing must have happened: a client that is about to send the rest should not find its
    /// connection closed.
    private static let restNanoseconds: Int64 = 1_000_000_000
    /// The same for who has more than a quarter of all connections to no purpose.
    private static let hoardersRestNanoseconds: Int64 = 100_000_000
    /// Slow bodies that every client may have; less where many clients have many.
    private static let freeBodies = 16

    /// Has up to `most` connections give way; how many did.
    func spare(most: Int) -> Int {
        var spared = 0
        for spare in spareConnections() where spared < most {
            let connection = spare.connection
            switch spare.kind {
            case .rests:
                // A request that has arrived and was not read yet still gets a response.
                if connection.isIdle && connection.hasPendingInput() { continue }
                connection.end()
            case .head, .body: connection.giveUpRequest()
            }
            spared += 1
        }
        return spared
    }

    /// The connections that may go, in their order.
    ///
    /// While somebody has many connections, others' few are left alone for `CapWatch.mercyNanoseconds`: of the
    /// many, some will have rested long enough by then.
    private func spareConnections() -> [SpareConnection] {
        let now = reactor.now
        let isMercyOver = capWatch.isMercyOver(now: now)
        // Where there are few, those who have many are at another reactor.
        guard isMercyOver || 2 * group.count * connections.count >= group.connectionCount else {
            return []
        }
        var found = connections.all.compactMap { SpareConnection($0, now: now) }
        keepBodies(&found)
        var counts: [UInt64: Int] = [:]
        for connection in connections.all { counts[connection.peer.client, default: 0] += 1 }
        var idle: [UInt64: Int] = [:]
        for spare in found { idle[spare.connection.peer.client, default: 0] += 1 }
        let greatest = isMercyOver ? 0 : counts.values.max() ?? 0
        let many = connections.count / 4
        found.removeAll { spare in
            let client = spare.connection.peer.client
            guard counts[client, default: 0] >= greatest / 2 else { return true }
            let rest =
                idle[client, default: 0] > many && !isTrusted(spare.connection)
                ? Shard.hoardersRestNanoseconds : Shard.restNanoseconds
            return now.nanoseconds(since: spare.since) < rest
        }
        return inTurn(found, counts)
    }

    /// Leaves out slow bodies of clients that have no more of them than a client network may, or only a few
    /// where slow bodies have more than half of all connections; and those of trusted proxies, behind which
    /// all clients may be.
    private func keepBodies(_ found: inout [SpareConnection]) {
        guard found.contains(where: { $0.kind == .body }) else { return }
        var counts: [UInt64: Int] = [:]
        for spare in found where spare.kind == .body {
            counts[spare.connection.peer.client, default: 0] += 1
        }
        // Several clients that each keep to their share may have all connections together.
        let isCrowded = 2 * counts.values.reduce(0, +) > connections.count
        let share = Double(connections.count) * snapshot.policy.server.perNetwork.bodies
        let few = max(1, connections.count / (4 * counts.count))
        let most = isCrowded ? min(Shard.freeBodies, few) : max(Shard.freeBodies, Int(share))
        found.removeAll { spare in
            spare.kind == .body
                && (isTrusted(spare.connection)
                    || counts[spare.connection.peer.client, default: 0] <= most)
        }
    }

    /// Whether a connection is that of a proxy which others may be behind.
    private func isTrusted(_ connection: ClientConnection) -> Bool {
        connection.peer.isEmpty
            || connection.peer.isAmong(snapshot.policy.forwarding.trustedProxies)
    }

    /// Always one of the client's that has most of those that are left; of one client's those first that are
    /// missed least, and have lasted longest.
    private func inTurn(
        _ found: [SpareConnection], _ counts: [UInt64: Int]
    ) -> [SpareConnection] {
        var left = counts
        var ranked = found.sorted {
            ($0.kind.rawValue, $0.since) < ($1.kind.rawValue, $1.since)
        }
        for index in ranked.indices {
            let client = ranked[index].connection.peer.client
            ranked[index].rank = left[client, default: 0]
            left[client, default: 0] -= 1
        }
        ranked.sort { first, second in
            if first.rank != second.rank { return first.rank > second.rank }
            return (first.kind.rawValue, first.since) < (second.kind.rawValue, second.since)
        }
        return ranked
    }
}
