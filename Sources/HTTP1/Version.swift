// The two versions of HTTP that this module speaks.

/// The HTTP version of a message; every other version is refused while parsing.
package enum Version: UInt8, Sendable {
    /// HTTP/1.0.
    case http10
    /// HTTP/1.1.
    case http11

    /// Whether this is `.http10`; in other modules cheaper than `==`.
    package var isHTTP10: Bool { if case .http10 = self { true } else { false } }
}
