// What a policy says about sending requests to where their prompts are known.

import Admission

/// Whether a pool's requests go to the backend that knows the beginning of their prompt, and by what that is found.
package struct AffinityRule: Equatable, Sendable {
    /// By what prompts are known.
    package enum Way: String, CaseIterable, Sendable {
        /// The values in the request's body that go into the prompt, in their order.
        case prefix
        /// A field of the request, which conversations or sessions have in common.
        case header
        /// Nothing: each request goes where there is most room.
        case off
    }

    /// Whose prompts are taken for the same.
    package enum Scope: String, CaseIterable, Sendable {
        /// Those of all tenants.
        case pool
        /// Those of one tenant: by the time of a first byte nobody can tell what others have asked.
        case tenant
    }

    /// By what prompts are known.
    package var by = Way.off
    /// The field that says it, in lower case, at most 64 bytes; `nil` where none does.
    package var header: String?
    /// Whose prompts are taken for the same.
    package var scope = Scope.pool
    /// Beginnings that are remembered, 64..1,048,576, rounded up to a power of two; 48 bytes each.
    package var entries = AffinitySettings().entries
    /// Tokens that a backend's cache is taken to hold, 1,000..1,000,000,000; what backends report lowers it.
    package var capacityTokens = AffinitySettings().capacityTokens

    /// Nothing is remembered.
    package init() {}

    /// What admission is told of it; nil for no affinity.
    var settings: AffinitySettings? {
        guard by != .off else { return nil }
        var settings = AffinitySettings()
        settings.entries = entries
        settings.capacityTokens = capacityTokens
        return settings
    }
}
