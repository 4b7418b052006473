// What would become of a request under a policy. There is no second router that could say something else: the
// request is given to a shard, over a connection in memory, and how far it gets is looked at. No backend is
// dialled, and the client takes nothing, so that even an answered request still stands where it was answered.

internal import Admission
internal import Bytes
internal import HTTP1
package import Policy
package import Reactor
internal import Telemetry

/// How a request went that was given to an idle gateway.
package struct RequestExplanation: Equatable, Sendable {
    /// What becomes of it.
    package enum Outcome: Equatable, Sendable {
        /// A backend is dialled for it.
        case forwarded
        /// It waits for something.
        case waits
        /// The gateway answers with a status, and the reason's name where it is a refusal.
        case answered(status: Int, reason: String?)
        /// The connection is closed without an answer.
        case closed
    }

    /// The routes by index of which it takes one: one, unless it was answered before the model was known.
    package private(set) var routes: [Int] = []
    /// Index of its pool; nil where no pool was asked.
    package private(set) var pool: Int?
    /// Index of its tenant among those that the pool's policy names; nil for others.
    package private(set) var namedTenant: Int?
    /// Whether somebody said whose it is.
    package private(set) var hasTenant = false
    /// Index of its priority class; nil where none was looked up.
    package private(set) var priorityClass: Int?
    /// The model as the backend is told of it; empty where none was read.
    package private(set) var model = ""
    /// Whether something of it says where its prompt may be known, in a pool that looks for that.
    package private(set) var hasPrompt = false
    /// The target that its backend is asked for; empty where none is asked.
    package private(set) var target = ""
    /// What becomes of it.
    package private(set) var outcome = Outcome.closed

    /// Gives `bytes`, a whole request, to a gateway under `policy`, as from a client at `peer`.
    ///
    /// Throws when the process is out of descriptors.
    package init(
        of bytes: [UInt8], from peer: PeerAddress, under policy: Policy
    ) throws(SystemError) {
        let shard = try Shard.alone(policy, seed: 1)
        defer { shard.letGo() }
        shard.dialler.holdsDials = true
        let stream = MemoryStream()
        stream.room = 0
        let network = peer.network(unlessAmong: policy.forwarding.trustedProxies)
        guard shard.reserveConnection() else { return }
        _ = shard.group.assign(acceptedBy: shard.index)
        if network != 0 {
            _ = shard.group.networks.acquire(.connections, network, most: .max)
        }
        let connection = ClientConnection(
            shard: shard, transport: .memory(stream), peer: peer, network: network)
        let now = MonotonicClock.now
        shard.reactor.turn(at: now) {
            shard.serve(connection)
            stream.send(bytes)
            connection.ready(.readable)
        }
        // What yielded goes on in the next turns: a body is read in pieces.
        for _ in 0..<RequestExplanation.turns { shard.reactor.turn(at: now) {} }
        if let exchange = connection.exchange { look(at: exchange, policy) }
    }

    /// Turns in which a request of a MiB is read whole.
    private static let turns = 64

    private mutating func look(at exchange: Exchange, _ policy: Policy) {
        if exchange.routeIndex >= 0 {
            routes = [exchange.routeIndex]
        } else if exchange.intake.isHeadComplete {
            routes = exchange.snapshot.routes.candidates(exchange.intake.head)
        }
        model = String(decoding: exchange.claim.model, as: UTF8.self)
        hasPrompt = exchange.prompt != nil
        if let found = exchange.pool {
            pool = exchange.snapshot.pools.firstIndex { $0 === found }
            if let client = exchange.client, exchange.intake.isHeadComplete {
                look(for: exchange, client, in: found)
                if let upstream = exchange.attempt.backend.flatMap(found.upstream) {
                    var written = ByteBuffer()
                    exchange.appendTarget(
                        exchange.intake.head, at: upstream.path, in: found, to: &written)
                    target = written.bytes.text
                }
            }
        }
        switch exchange.stage {
        case .readingHead, .readingBody, .parked: outcome = .waits
        case .dialling, .forwarding, .tunnelling: outcome = .forwarded
        case .delivering, .bulk:
            let reason = exchange.record.reason
            outcome = .answered(
                status: exchange.outlet.status, reason: reason == .none ? nil : "\(reason.name)")
        }
    }

    private mutating func look(
        for exchange: Exchange, _ client: ClientConnection, in pool: Pool
    ) {
        let identity = exchange.claim.identify(in: pool, exchange.intake.head, from: client)
        namedTenant = identity.tenantIndex >= 0 ? identity.tenantIndex : nil
        hasTenant = identity.tenant != .anonymous
        priorityClass = identity.priorityClass
    }
}
