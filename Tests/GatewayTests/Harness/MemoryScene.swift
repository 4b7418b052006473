// A gateway whose connections are in memory and whose clock is the test's: minutes pass in no time, and
// what each side takes and sends is exactly what the test says.

import Admission
import Logging
import Policy

@testable import Gateway
@testable import Reactor
@testable import Telemetry

/// A gateway of one reactor, stepped by hand.
final class MemoryScene {
    /// A client, or a backend's connection, as its other end sees it.
    struct Client {
        let stream: MemoryStream
        let connection: ClientConnection

        /// What it has got.
        var got: String { String(decoding: stream.written, as: UTF8.self) }
        var isOpen: Bool { connection.isOpen }
    }

    let gateway: Shard
    private(set) var now = Instant(nanoseconds: 1_000_000_000_000)

    init(pool: String = "limit: 100", server: String = "", more: String = "") throws {
        let text = policyText(["http://127.0.0.1:9"], pool: pool, server: server, more: more)
        let policy = try PolicyLoader.load(text: text, file: "policy.yaml")
        gateway = try Shard.alone(policy, seed: 1)
        gateway.dialler.holdsDials = true
        turn {}
    }

    var pool: Pool { gateway.pools[0] }

    func turn(_ events: () -> Void) { gateway.reactor.turn(at: now, events) }

    /// Lets time pass, in steps of ten milliseconds.
    func pass(milliseconds: Int) {
        for _ in 0..<max(1, milliseconds / 10) {
            now = now.advanced(byNanoseconds: 10_000_000)
            turn {}
        }
    }

    /// A client that is accepted.
    func connect(network: UInt64 = 0) -> Client {
        let stream = MemoryStream()
        let connection = ClientConnection(
            shard: gateway, transport: .memory(stream), peer: PeerAddress(),
            network: network)
        _ = gateway.reserveConnection()
        _ = gateway.group.assign(acceptedBy: gateway.index)
        if network != 0 { _ = gateway.group.networks.acquire(.connections, network, most: .max) }
        turn { gateway.serve(connection) }
        return Client(stream: stream, connection: connection)
    }

    func send(_ text: String, from client: Client) {
        client.stream.send(Array(text.utf8))
        turn { client.connection.ready(.readable) }
    }

    /// The client takes so many bytes more.
    func take(_ count: Int, by client: Client) {
        client.stream.room = count
        turn { client.connection.ready(.writable) }
    }

    /// The backend accepts the connection that is being made.
    func acceptDial() -> MemoryStream {
        let stream = MemoryStream()
        turn { _ = gateway.dialler.finishHeld(.connected(.memory(stream))) }
        return stream
    }

    func send(_ text: String, from backend: MemoryStream) {
        backend.send(Array(text.utf8))
        turn {
            gateway.reactor.forEachHandler { handler in
                if let upstream = handler as? UpstreamConnection, upstream.isOver(backend) {
                    upstream.ready(.readable)
                }
            }
        }
    }

    var inFlight: Int { pool.admission.inFlight }
    var queued: Int { pool.admission.queueLength }
}

/// A shard without listeners, on the calling thread: connections are handed in.
extension Shard {
    static func alone(_ policy: Policy, seed: UInt64) throws(SystemError) -> Shard {
        let hashKey = HashKey.random()
        var seeds = SplitMix64(seed: seed)
        return try Shard(
            Assignment(
                group: ReactorGroup(count: 1), index: 0, policy: policy,
                admissions: policy.pools.map {
                    SharedAdmission($0, hashKey: hashKey, seed: seeds.next())
                },
                hashKey: hashKey,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                accessWriter: nil, seed: seeds.next()))
    }
}
