// A backend's address has to be known before the gateway is made, and the gateway makes the reactor
// that backends live in: so the socket is bound first and handed to its server later.

internal import Gateway
internal import Policy
internal import Reactor

/// A listening socket on a loopback port that the kernel chose.
final class BackendSocket {
    /// The socket.
    let socket: ListeningSocket

    /// Binds and listens.
    init() throws(SystemError) {
        socket = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
    }

    /// The port that the kernel chose.
    var port: UInt16 {
        switch socket.address {
        case .tcp(_, let port): port
        case .unix: 0
        }
    }
}
