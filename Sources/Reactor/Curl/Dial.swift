// One attempt to connect, from the request for it to its result.

internal import Admission

/// How a dial ended.
package enum DialResult: ~Copyable {
    /// The connection stands; with TLS, the peer's certificate has been verified as the policy
    /// asks.
    case connected(Transport)
    /// It does not.
    case failed(DialFailure)
}

/// A dial under way, or waiting to be.
///
/// Keep it to be able to cancel.
package final class Dial {
    let target: DialTarget
    let line: DialLine
    /// When it is given up.
    let deadline: Instant
    /// nil while it waits.
    var easy: EasyHandle?
    var completion: ((consuming DialResult) -> Void)?
    /// Whether its connection stands, and a handshake has begun.
    var isConnected = false
    /// Whether the process had no descriptor left for one of this dial's sockets.
    var isOutOfDescriptors = false

    init(
        _ target: DialTarget, _ line: DialLine, deadline: Instant,
        completion: @escaping (consuming DialResult) -> Void
    ) {
        self.target = target
        self.line = line
        self.deadline = deadline
        self.completion = completion
    }

    /// Whether somebody waits for its result.
    var isWanted: Bool { completion != nil }
}
