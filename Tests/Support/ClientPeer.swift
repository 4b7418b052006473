// A client of a gateway in memory, with the gateway's end to look into.

@testable import Gateway
@testable import Reactor

/// A client of the gateway.
final class ClientPeer: Peer {
    let connection: ClientConnection

    init(_ world: World, _ line: Line, _ connection: ClientConnection) {
        self.connection = connection
        super.init(world, line)
    }

    /// Whether the gateway's end is open.
    var isOpen: Bool { connection.isOpen }
}
