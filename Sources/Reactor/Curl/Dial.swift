// One attempt to connect, from the request for it to its result.

internal import Admission
internal import CShims

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
package final class Dial: CurlUser {
    let target: DialTarget
    let line: DialLine
    /// When it is given up.
    let deadline: Instant
    /// nil while it waits.
    var easy: EasyHandle?
    var completion: ((consuming DialResult) -> Void)?
    /// What becomes of it when libcurl has done its part.
    var ended: ((Dial, CURLcode) -> Void)?

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

    override func done(_ code: CURLcode) { ended?(self, code) }
}
