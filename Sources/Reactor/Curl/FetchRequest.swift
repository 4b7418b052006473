// What is asked of a server that is no client's request, and what comes of it.

/// An ordinary request: a health check, a question to an agent, a list of models.
package struct FetchRequest: Sendable {
    /// Where to.
    package var target: DialTarget
    /// `GET`, `PUT` and the like; a `HEAD` has no body in its response.
    package var method = "GET"
    /// The path, from `/`, with its query.
    package var path: String
    /// Header fields besides Host, User-Agent and Accept, each as `Name: value`.
    package var fields: [String] = []
    /// The body that is sent; nil for none.
    package var body: [UInt8]?
    /// How long all of it may take, in milliseconds, 1 or more.
    package var timeoutMilliseconds: Int
    /// How long a connection may take to stand, with its handshake, in milliseconds, 1 or more; nil for as
    /// long as all of it.
    package var connectTimeoutMilliseconds: Int?
    /// How many bytes the response's body may have.
    package var mostBytes = 1 << 20

    /// A request for `path` that may take `timeoutMilliseconds`.
    package init(_ target: DialTarget, path: String, timeoutMilliseconds: Int) {
        self.target = target
        self.path = path
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

/// A whole response.
package struct FetchResponse: Sendable, Equatable {
    /// Its status code.
    package var status: Int
    /// Its body, without transfer coding; content coding is as it came.
    package var body: [UInt8]
    /// What came before the body: the heads of interim responses, the final one and, behind it, a trailer
    /// section.
    package var head: [UInt8] = []
    /// How long its Retry-After asks to wait, in seconds, from 0; 0 where it has none (RFC 9110 section 10.2.3).
    package var retryAfterSeconds = 0
}

/// Why there is no response.
package enum FetchFailure: Error, Equatable {
    /// No connection came about.
    case connect(DialFailure.Cause)
    /// The connection stood, and the time was over before the response's end.
    case timeout
    /// The body is longer than was allowed.
    case tooLarge
    /// The connection ended before the response did.
    case cutShort
    /// What came is no HTTP.
    case notHTTP
    /// No memory is left.
    case exhausted

    /// What happened, to stand behind the server's name.
    package var text: String {
        switch self {
        case .connect(let cause): "no connection: \(cause.name)"
        case .timeout: "no whole response within the time"
        case .tooLarge: "the response is too large"
        case .cutShort: "the connection ended before the response did"
        case .notHTTP: "the response is not HTTP/1.1"
        case .exhausted: "no memory is left"
        }
    }
}
