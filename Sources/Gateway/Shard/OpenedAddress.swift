// Addresses that the controlling thread has opened for the shards: each shard has a socket of its own,
// over which the kernel spreads connections. A unix path can have only one, whose connections are
// handed on.

package import Policy
package import Reactor
package import Telemetry

/// A listening socket for the shard that will accept from it.
struct OpenSocket: Sendable {
    /// The address as the policy has it.
    let configured: ListenAddress
    /// Which listener of the gateway it belongs to.
    let number: Int
    let tls: ServerTLS
    let socket: Transfer<ListeningSocket>
}

/// Where a gateway listens.
struct Listening {
    /// As the policy has it.
    var configured: ListenSettings
    /// Which listener of the gateway it is, by which shards know it: two may have port 0 of one address.
    let number: Int
    /// The address with the port that the kernel chose.
    let actual: ListenAddress
    /// The file of a unix socket; nil for TCP.
    let file: SocketFile?
    /// Whether and how TLS is spoken there.
    let tls: ServerTLS

    /// What it shows of itself.
    var certificates: [CertificateSnapshot] { tls.shown(at: actual) }
}

extension ServerTLS {
    /// The certificates that a listener at `address` shows.
    package func shown(at address: ListenAddress) -> [CertificateSnapshot] {
        (credentials?.shown ?? []).map {
            CertificateSnapshot(listener: address.text, name: $0.name, endSeconds: $0.endSeconds)
        }
    }
}

/// One address with its sockets.
struct OpenedAddress {
    /// Where it was to listen, and how.
    let listening: Listening
    /// By the shards that they are for; a unix path has one only.
    private let sockets: [OpenSocket]

    /// Binds and listens, with a socket for each of `shards`; throws when the address cannot be had.
    ///
    /// `number` is another one for each. TLS begins with `credentials`. `own` is where this process listens already, as the kernel has it.
    init(
        _ settings: ListenSettings, number: Int, credentials: ServerCredentials?, shards: Int,
        own: OwnAddresses
    ) throws(SystemError) {
        let address = settings.address
        let first = try own.listen(settings)
        let tls = ServerTLS(credentials)
        listening = Listening(
            configured: settings, number: number, actual: first.address, file: first.file, tls: tls)
        var further: [OpenSocket] = []
        for _ in 1..<max(1, shards) {
            guard let another = try first.another() else { break }
            further.append(
                OpenSocket(
                    configured: address, number: number, tls: tls, socket: Transfer(another)))
        }
        sockets =
            [
                OpenSocket(
                    configured: address, number: number, tls: tls, socket: Transfer(first))
            ] + further
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
