// How evenly something is counted. Work that a full batch gets done comes far more evenly than
// chance would have it, and the same counts then say more.

/// Counts over stretches of time, and how they scatter about their mean rate.
struct CountScatter: Sendable {
    private var squaresPerSecond = 0.0
    private var stretches = 0.0

    /// Takes in a count over a stretch of time.
    mutating func add(_ count: Double, seconds: Double) {
        guard seconds > 0 else { return }
        squaresPerSecond += count * count / seconds
        stretches += 1
    }

    mutating func add(_ other: CountScatter) {
        squaresPerSecond += other.squaresPerSecond
        stretches += other.stretches
    }

    /// Sum over the stretches of (count - expected)^2 / expected, where the mean rate says what is
    /// expected, and its degrees of freedom: Poisson's counts have a quotient of 1.
    func excess(count: Double, seconds: Double) -> (sum: Double, degrees: Double) {
        guard count > 0, stretches > 1 else { return (0, 0) }
        return (max(0, squaresPerSecond * seconds / count - count), stretches - 1)
    }
}

/// The index of dispersion of a kind of counts, learnt from one measurement after the other: the
/// variance over the mean, 1 for Poisson's.
struct Dispersion: Sendable {
    /// What the guess of 1 weighs, in stretches.
    private static let guess = 1.0
    /// What is left of earlier measurements' weight at each new one.
    private static let memory = 0.8

    private var sum = guess
    private var degrees = guess

    /// The estimate, above 0.
    var index: Double { sum / degrees }

    mutating func add(_ excess: (sum: Double, degrees: Double)) {
        sum = Self.memory * sum + excess.sum
        degrees = Self.memory * degrees + excess.degrees
        // Without news the old estimate stays, at whatever weight.
        if degrees < 1e-6 { self = Dispersion() }
    }
}
