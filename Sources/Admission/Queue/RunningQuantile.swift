// A running quantile of times: a step up for each that is longer and a smaller one down for each that is shorter
// (Robbins and Monro, "A Stochastic Approximation Method", 1951), in proportion, since times differ by factors.

/// The time that one in so many is longer than.
struct RunningQuantile: Sendable {
    /// By how much of itself it moves up at a longer time.
    private static let step = 0.05

    /// The time, in the unit of what was taken in; 0 before the first one.
    private(set) var value = 0.0

    /// Takes in one more time; one in `downSteps + 1` is to be longer than the quantile.
    @inline(__always) mutating func take(_ time: Double, downSteps: Double) {
        guard value > 0 else { return value = time }
        if time > value { value *= 1 + Self.step }
        // As many small steps down as make up for one up leave it where it belongs.
        if time < value { value /= 1 + Self.step / downSteps }
    }
}
