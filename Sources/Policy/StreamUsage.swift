// Who has a stream end with its usage.

/// Whose wish it is that a stream ends with its usage.
package enum StreamUsage: String, CaseIterable, Sendable {
    /// The client's alone.
    case asClient = "as-client"
    /// The gateway's too, which keeps it from a client that did not ask.
    case ask
}
