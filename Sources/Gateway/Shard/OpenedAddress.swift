// Addresses that the controlling thread has opened for the shards: each shard has a socket of its own,
// over which the kernel spreads connections. A unix path can have only one, whose connections are
// handed on.

internal import Policy
internal import Reactor

/// A listening socket for the shard that will accept from it.
struct OpenSocket: Sendable {
    /// The address as the policy has it.
    let configured: ListenAddress
    let socket: Transfer<ListeningSocket>
}

/// One address with its sockets.
struct OpenedAddress {
    /// The address as the policy has it.
    let configured: ListenAddress
    /// The same with the port that the kernel chose.
    let actual: ListenAddress
    /// By the shards that they are for; a unix path has one only.
    private let sockets: [OpenSocket]

    /// Binds and listens, with a socket for each of `shards`; throws when the address cannot be had.
    init(_ address: ListenAddress, shards: Int) throws(SystemError) {
        let first = try ListeningSocket(address, isShared: shards > 1)
        configured = address
        actual = first.address
        var further: [OpenSocket] = []
        for _ in 1..<max(1, shards) {
            guard let another = try first.another() else { break }
            further.append(OpenSocket(configured: address, socket: Transfer(another)))
        }
        sockets = [OpenSocket(configured: address, socket: Transfer(first))] + further
    }

    /// The socket for that shard, if there is one.
    func socket(ofShard index: Int) -> OpenSocket? {
        index < sockets.count ? sockets[index] : nil
    }
}

extension [OpenedAddress] {
    /// The sockets for that shard.
    func sockets(ofShard index: Int) -> [OpenSocket] {
        compactMap { $0.socket(ofShard: index) }
    }
}
