// A connection on its way from one thread to another: a box that a message can hold, taken once. What nobody takes is closed
// with the box.

/// A connection that one thread gives and another one takes.
///
/// What is given is used by nobody else: a socket, or a session over one that keeps to no thread. libcurl's are bound to
/// the thread that has dialled, and are never given.
package final class HandedTransport: Sendable {
    private let box: Lock<Box>
    /// Whether it speaks TLS.
    package let isSecured: Bool

    private struct Box: ~Copyable {
        var transport: Transport?
    }

    /// Gives `transport`.
    package init(_ transport: consuming Transport) {
        isSecured = transport.isSecured()
        box = Lock(Box(transport: consume transport))
    }

    /// The connection, for whoever comes first.
    package func take() -> Transport? { box.withLock { $0.transport.take() } }
}
