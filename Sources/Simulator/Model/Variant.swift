// The same scenario with something changed, to compare it with.

/// A scenario that differs from the one it belongs to.
package struct Variant: Equatable, Sendable {
    /// Its name in expectations.
    package var name: String
    /// The scenario with the change.
    package var scenario: Scenario
}

extension Scenario {
    /// The index of the variant of that name; nil when there is none.
    package func variantIndex(_ name: String) -> Int? {
        variants.firstIndex { $0.name == name }
    }
}
