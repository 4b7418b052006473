// Clients whose TLS handshakes are under way: they have a place among the connections, and nothing else of the gateway
// until they are done. A handshake costs as much as some twenty requests, and who begins them costs himself nothing: so
// there are few at once, and fewer for one client network.

internal import Admission
internal import Policy
internal import Reactor
internal import Telemetry

/// One client whose handshake is under way.
final class ClientHandshake: TableMember {
    var tableIndex = -1
    let peer: PeerAddress
    /// The network whose bounds hold for it, 0 for none.
    let network: UInt64
    let beganAt: Instant
    /// nil before it begins, and when it is over.
    var handshake: Handshake?

    init(peer: PeerAddress, network: UInt64, now: Instant) {
        self.peer = peer
        self.network = network
        beganAt = now
    }
}

/// The handshakes of one reactor.
struct ClientHandshakes {
    private var table = IndexedTable<ClientHandshake>()
    private var counts: [UInt64: Int] = [:]

    /// How many there are.
    var count: Int { table.count }

    /// Those that are there now.
    var all: [ClientHandshake] { table.all }

    /// How many of `most` one network may have: an eighth, and one at least.
    static func mostOfNetwork(among most: Int) -> Int { max(1, most / 8) }

    mutating func insert(_ client: ClientHandshake) {
        table.insert(client)
        counts[client.network, default: 0] += 1
    }

    mutating func remove(_ client: ClientHandshake) {
        guard client.tableIndex >= 0 else { return }
        table.remove(client)
        let left = (counts[client.network] ?? 1) - 1
        counts[client.network] = left > 0 ? left : nil
    }

    /// Whether another one of `network` would be too many for it, where there may be `most` of all.
    func isAtBound(_ network: UInt64, among most: Int) -> Bool {
        network != 0 && counts[network] ?? 0 >= ClientHandshakes.mostOfNetwork(among: most)
    }

    /// Handshakes of one network that are not many yet.
    private static let few = 4

    /// Who goes where there are too many: of the network with the most the one that began first; of all, where none has
    /// many.
    ///
    /// A client that means it is done within two round trips. So whoever floods from many addresses pushes out his own
    /// for the most part; were the newest to go, those who stand still would keep everybody else away until their time
    /// is over. Those whose networks are not counted are no network together.
    var dispensable: ClientHandshake? {
        let most = counts.filter { $0.key != 0 && $0.value > ClientHandshakes.few }
            .max { ($0.value, $0.key) < ($1.value, $1.key) }
        return table.all.lazy.filter { most == nil || $0.network == most?.key }
            .min { $0.beganAt < $1.beganAt }
    }

    /// Those that have lasted for a second, the oldest first.
    func old(now: Instant) -> [ClientHandshake] {
        table.all.filter { now.nanoseconds(since: $0.beganAt) >= 1_000_000_000 }
            .sorted { $0.beganAt < $1.beganAt }
    }
}

extension Shard {
    /// Begins the handshake of a client that was accepted, for which room was taken.
    func shakeHands(
        over descriptor: consuming Descriptor, peer: PeerAddress, _ network: UInt64,
        _ credentials: ServerCredentials, _ tickets: TicketKeys
    ) {
        let most = credentials.settings.maxHandshakes
        guard !hasEnded, !handshakes.isAtBound(network, among: most) else {
            return endedHandshake(.failure(.crowded), peer, network)
        }
        while handshakes.count >= most, let client = handshakes.dispensable {
            giveUp(client, .crowded)
        }
        guard let session = ServerSession(descriptor, credentials, tickets) else {
            return endedHandshake(.failure(.failed), peer, network)
        }
        let client = ClientHandshake(peer: peer, network: network, now: reactor.now)
        let handshake = Handshake(session, in: reactor, pace: handshakePace) {
            [unowned self] _, result in
            forget(client)
            endedHandshake(result, client.peer, client.network, since: client.beganAt)
        }
        client.handshake = handshake
        handshakes.insert(client)
        let timeout = credentials.settings.handshakeTimeout.wholeNanoseconds
        let allowed = isDraining ? min(timeout, Shard.drainingHandshakeNanoseconds) : timeout
        if !handshake.start(timeoutNanoseconds: allowed) {
            forget(client)
            endedHandshake(.failure(.failed), peer, network)
        }
    }

    private func forget(_ client: ClientHandshake) {
        handshakes.remove(client)
        client.handshake = nil
    }

    /// A handshake is over, or there will be none.
    private func endedHandshake(
        _ result: Result<ServerSession, HandshakeFault>, _ peer: PeerAddress, _ network: UInt64,
        since began: Instant? = nil
    ) {
        switch result {
        case .success(let session):
            metrics.countHandshake(
                isResumed: session.isResumed,
                nanoseconds: began.map { reactor.now.nanoseconds(since: $0) } ?? 0)
            serve(
                ClientConnection(
                    shard: self, transport: .secured(session), peer: peer, network: network,
                    security: ClientSecurity(names: session.clientNames)))
        case .failure(let fault):
            metrics.countHandshake(failed: fault)
            if network != 0 { group.networks.release(.connections, network) }
            leave()
        }
    }

    /// Gives up handshakes that stand still, `most` at most, for others who wait for a connection; how many there were.
    func spareHandshakes(most: Int) -> Int {
        let chosen = handshakes.old(now: reactor.now).prefix(most)
        for client in chosen { giveUp(client, .crowded) }
        return chosen.count
    }

    /// Handshakes end soon: the gateway drains.
    func hastenHandshakes() {
        for client in handshakes.all {
            client.handshake?.hasten(Shard.drainingHandshakeNanoseconds)
        }
    }

    /// How long handshakes may take while the gateway drains.
    private static let drainingHandshakeNanoseconds: Int64 = 2_000_000_000

    private func giveUp(_ client: ClientHandshake, _ fault: HandshakeFault) {
        client.handshake?.giveUp()
        forget(client)
        endedHandshake(.failure(fault), client.peer, client.network)
    }

    /// Gives up all handshakes that are under way.
    func giveUpHandshakes() {
        for client in handshakes.all { giveUp(client, .closed) }
    }
}
