// The algorithm for operators who know their backend's number.

/// A limit that never moves.
struct FixedLimit: Sendable {
    /// Requests that may be in flight, at least 1.
    let limit: Int

    init(_ settings: FixedLimitSettings) { limit = max(1, settings.limit) }
}
