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
    /// The sockets' numbers in this process.
    let descriptors: [Int32]

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
    private let sockets: [[OpenSocket]]

    /// Binds and listens, with a socket for each of `shards`; throws when the address cannot be had.
    ///
    /// `number` is another one for each. TLS begins with `credentials`. `own` is where this process listens already.
    /// `inherited` are sockets that were open at that address when the process began: all of them are accepted from,
    /// for in each somebody may wait, and others are opened beside where that is possible.
    init(
        _ settings: ListenSettings, number: Int, credentials: ServerCredentials?, shards: Int,
        inherited: [Transfer<ListeningSocket>] = [], own: OwnAddresses
    ) throws(SystemError) {
        let tls = ServerTLS(credentials)
        let opened = try OpenedAddress.open(settings, shards, inherited, own)
        listening = Listening(
            configured: settings, number: number, actual: opened.address, file: opened.file,
            tls: tls, descriptors: opened.descriptors)
        var sockets = [[OpenSocket]](repeating: [], count: max(1, shards))
        for (index, socket) in opened.sockets.enumerated() {
            sockets[index % sockets.count].append(
                OpenSocket(
                    configured: settings.address, number: number, tls: tls, socket: socket))
        }
        self.sockets = sockets
    }

    /// What is open at one address.
    private struct Opened {
        var address: ListenAddress
        var file: SocketFile?
        var descriptors: [Int32] = []
        var sockets: [Transfer<ListeningSocket>] = []

        init(_ first: consuming ListeningSocket) {
            address = first.address
            file = first.file
            add(first)
        }

        mutating func add(_ socket: consuming ListeningSocket) {
            descriptors.append(socket.rawValue)
            sockets.append(Transfer(socket))
        }
    }

    private static func open(
        _ settings: ListenSettings, _ shards: Int, _ inherited: [Transfer<ListeningSocket>],
        _ own: OwnAddresses
    ) throws(SystemError) -> Opened {
        guard let first = inherited.first?.take() else {
            let first = try own.listen(settings)
            var further: [Transfer<ListeningSocket>] = []
            for _ in 1..<max(1, shards) {
                guard let another = try first.another() else { break }
                further.append(Transfer(another))
            }
            var opened = Opened(first)
            for transfer in further { if let socket = transfer.take() { opened.add(socket) } }
            return opened
        }
        try first.file?.change(to: settings.access)
        var further = Array(inherited.dropFirst())
        // Whoever gave them may not share the address; then all accept from what there is.
        while further.count + 1 < shards, let another = try? first.another() {
            further.append(Transfer(another))
        }
        var opened = Opened(first)
        for transfer in further { if let socket = transfer.take() { opened.add(socket) } }
        return opened
    }

    /// The sockets for that shard.
    func sockets(ofShard index: Int) -> [OpenSocket] {
        index < sockets.count ? sockets[index] : []
    }
}

extension [OpenedAddress] {
    /// The sockets for that shard.
    func sockets(ofShard index: Int) -> [OpenSocket] {
        flatMap { $0.sockets(ofShard: index) }
    }
}
