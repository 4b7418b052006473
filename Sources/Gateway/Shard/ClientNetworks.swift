// What each client network has at the gateway: connections, and of those the ones whose heads and
// bodies are not complete. A network is an IPv4 address or a /64 of IPv6, which is what one customer
// gets. All reactors count in one table, behind a lock that is taken when a connection begins and
// ends and when it is slow, and for no request that comes in one piece.

internal import Policy
internal import Reactor
internal import Telemetry

/// What one client network may have at most.
struct NetworkBounds: Sendable {
    private var most: [Int]

    /// Heads and bodies that every network may have: a few are no harm, whatever the cap.
    private static let floor = 16

    /// The bounds that `server` gives.
    init(_ server: ServerSettings) {
        let shares = server.perNetwork
        let all = Double(server.maxConnections)
        most = [
            max(1, Int(all * shares.connections)),
            max(NetworkBounds.floor, Int(all * shares.heads)),
            max(NetworkBounds.floor, Int(all * shares.bodies)),
        ]
    }

    subscript(_ kind: NetworkBound) -> Int { most[kind.rawValue] }
}

/// The table of client networks; it may be used from any thread.
final class ClientNetworks: Sendable {
    private struct Counts {
        var counts: InlineArray<3, Int32> = [0, 0, 0]

        var isNothing: Bool { counts[0] | counts[1] | counts[2] == 0 }
    }

    /// Rows only of networks that have something: there are at most as many as connections.
    private let table = Lock<[UInt64: Counts]>([:])

    /// Takes room for one more of `kind`; false where `network` has `most`.
    func acquire(_ kind: NetworkBound, _ network: UInt64, most: Int) -> Bool {
        table.withLock { rows in
            let count = rows[network]?.counts[kind.rawValue] ?? 0
            guard Int(count) < most else { return false }
            rows[network, default: Counts()].counts[kind.rawValue] = count + 1
            return true
        }
    }

    /// Gives that room up again.
    func release(_ kind: NetworkBound, _ network: UInt64) {
        table.withLock { rows in
            guard var row = rows[network] else { return }
            row.counts[kind.rawValue] -= 1
            rows[network] = row.isNothing ? nil : row
        }
    }

    /// Networks that have something.
    var count: Int { table.withLock { $0.count } }
}

extension PeerAddress {
    /// The network that the peer's bounds are counted in; 0 for none: a unix socket, the machine
    /// itself, or one of `trusted`, behind which all clients may be.
    func network(unlessAmong trusted: [TrustedPeer]) -> UInt64 {
        if isEmpty || isLoopback || isAmong(trusted) { return 0 }
        return client
    }

    /// The client as others are told apart from it: an IPv4 address or a /64 of IPv6; 0 for all peers of
    /// unix sockets.
    var client: UInt64 {
        let high = UInt64(truncatingIfNeeded: bits >> 64)
        // An address that is mapped into IPv6 has nothing up there.
        return high == 0 ? UInt64(truncatingIfNeeded: bits) : high
    }

    private var isLoopback: Bool { bits == 1 || bits >> 24 == 0xffff_7f }
}
