// Peers that a policy trusts to say who asked: networks, and whoever can open the gateway's unix
// sockets.

/// A set of peers.
package enum TrustedPeer: Hashable, Sendable {
    /// All peers on unix sockets, which have no address.
    case unixSockets
    /// All addresses of a network.
    case network(Network)

    /// How the policy writes it.
    package var text: String {
        switch self {
        case .unixSockets: "unix"
        case .network(let network): network.text
        }
    }

    static func parse(_ text: String) throws(Fault) -> TrustedPeer {
        text == "unix" ? .unixSockets : .network(try Network.parse(text))
    }
}
