// What can be set about sending requests to where their prompts are known.

/// How a pool remembers which backend has seen which beginning of a prompt.
package struct AffinitySettings: Equatable, Sendable {
    /// Beginnings that are remembered, 64..1,048,576, rounded up to a power of two; 48 bytes each.
    package var entries = 65_536
    /// Tokens that a backend's cache is taken to hold, 1,000..1,000,000,000, at 4 bytes each.
    ///
    /// Too large is nearly harmless; what backends report lowers it.
    package var capacityTokens = 1_000_000

    /// Bytes that are taken for a token.
    package static let bytesPerToken = 4
    /// The cache in bytes.
    var capacityBytes: Double { Double(capacityTokens * Self.bytesPerToken) }

    /// The defaults.
    package init() {}
}
