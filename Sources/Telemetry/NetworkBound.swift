// What is bounded for each client network, as metrics and the table of networks call it.

/// What a client network has a share of.
package enum NetworkBound: Int, CaseIterable, Sendable {
    /// Connections.
    case connections
    /// Connections whose head is not complete.
    case heads
    /// Connections whose body is not complete.
    case bodies

    /// The metric's label.
    package var name: StaticString {
        switch self {
        case .connections: "connections"
        case .heads: "heads"
        case .bodies: "bodies"
        }
    }
}
