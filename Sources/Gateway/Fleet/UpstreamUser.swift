// What a connection to a backend can serve: an exchange, or the rest of a response that nobody wants any
// more. A connection tells whoever has it what happens to it, and knows no more of him.

/// The owner of a connection that is in use.
class UpstreamUser {
    /// Bytes came, or the end, before the request was sent.
    ///
    /// Whatever they are, they answer another request or none, so the connection is useless.
    func upstreamSpokeTooEarly() {}

    /// Something can be read or written, or the connection has ended.
    func upstreamReady() {}

    /// The worker at the other end is taken for lost, though its connection still stands.
    func upstreamLost() {}

    /// The time-out that was set on the connection has passed.
    func upstreamDeadlineReached() {}
}
