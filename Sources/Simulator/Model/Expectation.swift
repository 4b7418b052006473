// What a scenario's results have to be.

/// One asserted range.
package struct Expectation: Equatable, Sendable {
    /// What bounds are factors on.
    package enum Standard: Equatable, Sendable {
        /// Nothing: bounds are values.
        case one
        /// What the best fixed limit reaches.
        case oracle
        /// The requests in flight at which throughput's elasticity is the one asked for, worked out
        /// from the backends' description.
        case knee
        /// The units a second that the backends can do at best, as they are when the window begins.
        case capacity
        /// What the variant of that name reaches.
        case variant(String)
        /// The lowest value among the scenario and its variants; the value is the highest of them.
        case eachOther
    }

    /// What is measured.
    package var measure: Measure
    /// The window that it is measured over; nil for all that is measured.
    package var window: String?
    /// The group of clients that it is measured of; nil for all.
    package var clients: String?
    /// The backend that it is measured of; nil for all.
    package var backend: String?
    /// The variant that it is measured in; nil for the scenario itself.
    package var variant: String?
    /// What the bounds are factors on.
    package var standard = Standard.one
    /// Lowest value that is right; nil for no such bound.
    package var atLeast: Double?
    /// Highest value that is right; nil for no such bound.
    package var atMost: Double?
    /// Limits by their names in the simulator, or variants, with which this must not hold.
    package var failsWith: [String] = []

    /// A bound on `measure` that nothing breaks yet.
    package init(measure: Measure) { self.measure = measure }
}
