// What a scenario's results have to be.

/// One asserted range.
package struct Expectation: Equatable, Sendable {
    /// What is measured.
    package var measure: Measure
    /// The window that it is measured over; nil for all that is measured.
    package var window: String?
    /// The group of clients that it is measured of; nil for all.
    package var clients: String?
    /// Whether the bounds are factors on what the best fixed limit reaches.
    package var isRelativeToOracle = false
    /// Lowest value that is right; nil for no such bound.
    package var atLeast: Double?
    /// Highest value that is right; nil for no such bound.
    package var atMost: Double?

    /// A bound on `measure` that nothing breaks yet.
    package init(measure: Measure) { self.measure = measure }
}
