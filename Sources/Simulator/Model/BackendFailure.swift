// How a simulated backend fails a request.

/// A way in which requests fail.
package struct BackendFailure: Equatable, Sendable {
    /// What the gateway gets.
    package enum Kind: Equatable, Sendable {
        /// A response with that status.
        case status(Int)
        /// Bytes that are no HTTP.
        case garbage
        /// The connection's end without a byte of response.
        case close
        /// The connection's end after a part of the response.
        case cut
        /// Nothing, until its own time-out for the first byte; a backend is not given it.
        case timeout
    }

    /// What the gateway gets.
    package var kind: Kind
    /// Share of the requests that fail so, 0...1.
    package var share = 1.0
    /// Nanoseconds until it fails; a cut response takes the time of its work instead.
    package var afterNanoseconds: Int64 = 1_000_000
    /// Share of a request's work after which its response is cut, 0...1.
    package var part = 0.5
    /// What the response's `Retry-After` says, in nanoseconds; nil when it has none.
    package var retryAfterNanoseconds: Int64?

    /// All requests fail so, within a millisecond.
    package init(_ kind: Kind) { self.kind = kind }

    /// A response with that status.
    package static func status(_ status: Int) -> BackendFailure {
        BackendFailure(.status(status))
    }

    /// Whether OpenAI's SDK tries again (openai-python 3.3.1, `_should_retry`): after 408, 409, 429,
    /// 5xx and faults of the connection, but not once a response has begun.
    var isTriedAgain: Bool {
        switch kind {
        case .status(let status): status == 408 || status == 409 || status == 429 || status >= 500
        case .garbage, .close, .timeout: true
        case .cut: false
        }
    }
}
