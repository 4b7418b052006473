// The four shapes of a request target.

/// The form of a request target, RFC 9112 section 3.2.
package enum TargetForm: UInt8, Sendable {
    /// A path and perhaps a query: `/v1/models?limit=1`.
    case origin
    /// A whole `http` or `https` URI.
    case absolute
    /// `host:port`, for `CONNECT` only.
    case authority
    /// `*`, for `OPTIONS` only.
    case asterisk
}
