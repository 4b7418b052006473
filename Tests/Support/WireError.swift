// How a read or a send on a connection fails.

import Glibc

/// What went wrong on a wire.
enum WireError: Error, CustomStringConvertible {
    /// Nothing came, or could be sent, in time; what had come before.
    case timedOut(String)
    /// The peer closed before what was expected had come; what had come.
    case ended(String)
    /// The connection broke, with its errno; what had come before.
    case broken(Int32, String)

    var description: String {
        switch self {
        case .timedOut(let got): "timed out; got: \(got.debugDescription)"
        case .ended(let got): "ended; got: \(got.debugDescription)"
        case .broken(let code, let got): "broken (errno \(code)); got: \(got.debugDescription)"
        }
    }

    /// Whether the peer reset the connection.
    var isReset: Bool {
        if case .broken(let code, _) = self { code == ECONNRESET || code == EPIPE } else { false }
    }
}

/// A wait that was not rewarded.
struct TimedOut: Error, CustomStringConvertible {
    var description: String
}
