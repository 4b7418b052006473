// Which pages of other origins browsers let use a route (Fetch, section 3.2, "CORS protocol").

/// What browsers are told about a route.
package struct CrossOriginSettings: Equatable, Sendable {
    /// Origins whose pages may read responses, such as `https://app.example.com`, one at least; `*` alone for
    /// any.
    package var origins: [String] = []
    /// Methods that they may use.
    package var methods = ["GET", "HEAD", "POST"]
    /// Fields that they may set, in lower case; `*` alone for those that they ask for.
    package var headers = ["*"]
    /// Fields of responses that they may read besides the gateway's own, in lower case.
    package var exposed: [String] = []
    /// Whether cookies and certificates of the browser's may come along; not with any origin.
    package var allowsCredentials = false
    /// How long browsers may keep what a preflight was told, 0..24 h.
    package var maxAge = Duration.seconds(600)

    /// The defaults, with no origin yet.
    package init() {}

    /// Whether pages of any origin may read responses.
    package var allowsAnyOrigin: Bool { origins == ["*"] }
    /// Whether pages may set any field.
    package var allowsAnyHeader: Bool { headers == ["*"] }
}
