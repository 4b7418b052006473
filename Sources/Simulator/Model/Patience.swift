// How long clients wait before they leave.

/// What clients bear.
package struct Patience: Equatable, Sendable {
    /// How the times are distributed.
    package enum Distribution: Equatable, Sendable {
        /// All bear the same.
        case fixed(seconds: Double)
        /// Exponential with that mean.
        case exponential(meanSeconds: Double)
        /// Log-normal; sigma is the standard deviation of the time's logarithm.
        case logNormal(medianSeconds: Double, sigma: Double)
    }

    /// What they wait for.
    package enum End: String, CaseIterable, Sendable {
        /// The whole response.
        case end
        /// The first unit of the response; who has got that stays.
        case first
    }

    /// How the times are distributed.
    package var distribution: Distribution
    /// What they wait for.
    package var until = End.end

    /// Clients that wait that long for the whole response.
    package init(_ distribution: Distribution) { self.distribution = distribution }
}
