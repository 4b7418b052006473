// How the end of a body is found.

/// What delimits a message's body, RFC 9112 section 6.3.
package enum BodyFraming: Equatable, Sendable {
    /// There is no body.
    case none
    /// So many bytes, possibly 0.
    case length(Int)
    /// Chunks, and a trailer section after them.
    case chunked
    /// Everything until the peer closes; only responses have this.
    case untilClose

    // In other modules `==` goes through a table of the conformance and costs five times as much.

    /// Whether this is `.chunked`.
    package var isChunked: Bool { if case .chunked = self { true } else { false } }
    /// Whether this is `.untilClose`.
    package var isUntilClose: Bool { if case .untilClose = self { true } else { false } }
}
