// A listener's TLS as it is at this moment: certificates are replaced while it works, the keys of its tickets stay.

/// What a listener's handshakes begin with; nothing where it speaks in the clear.
package final class ServerTLS: Sendable {
    private let present: Lock<ServerCredentials?>
    /// The keys of its tickets.
    package let tickets = TicketKeys()

    /// Begins with `credentials`.
    package init(_ credentials: ServerCredentials? = nil) { present = Lock(credentials) }

    /// What is in force.
    package var credentials: ServerCredentials? { present.withLock { $0 } }

    /// Has handshakes that begin from now on use `credentials`.
    package func replace(_ credentials: ServerCredentials?) {
        present.withLock { $0 = credentials }
    }
}
