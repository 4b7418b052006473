// One level of concurrency, held for a while and measured.

/// What the meter said when a measurement began, and what it has come to since.
struct KneeSide: Sendable {
    /// The level that was in force.
    let level: Double
    private(set) var requestSeconds = 0.0
    private(set) var seconds = 0.0
    private(set) var units = 0.0
    private(set) var completions = 0.0

    init(level: Double) { self.level = level }

    /// Takes in what the meter gathered between two looks.
    mutating func add(from start: ConcurrencyMeter, to end: ConcurrencyMeter) {
        requestSeconds += end.boundRequestSeconds - start.boundRequestSeconds
        seconds += end.boundSeconds - start.boundSeconds
        units += end.boundUnits - start.boundUnits
        completions += Double(end.boundCompletions - start.boundCompletions)
    }

    /// Takes in another measurement of the same level.
    mutating func add(_ other: KneeSide) {
        requestSeconds += other.requestSeconds
        seconds += other.seconds
        units += other.units
        completions += other.completions
    }

    /// Mean requests in flight while the limit was binding; 0 without such time.
    var meanInFlight: Double { seconds > 0 ? requestSeconds / seconds : 0 }

    /// Whether progress, not only the ends of requests, was seen.
    var hasProgress: Bool { units >= 4 * max(completions, 15) }
}

/// What a pair of levels says about concurrency's worth.
struct KneeVerdict: Sendable {
    /// d ln(throughput) / d ln(concurrency): 1 where it all pays, 0 where none of it does.
    let elasticity: Double
    /// Its standard error.
    let standardError: Double

    /// Compares two levels; nil when they were too close to one another or too little was seen.
    ///
    /// With `n` the mean in-flight requests and `X` the units a second, the elasticity between the
    /// levels is ln(X_hi/X_lo) / ln(n_hi/n_lo). Counts are taken for Poisson's, which is on the
    /// safe side for a full batch.
    init?(low: KneeSide, high: KneeSide) {
        let usesProgress = low.hasProgress && high.hasProgress
        let lowCount = usesProgress ? low.units : low.completions
        let highCount = usesProgress ? high.units : high.completions
        guard lowCount > 0, highCount > 0, low.requestSeconds > 0, high.requestSeconds > 0 else {
            return nil
        }
        let step = naturalLogarithm(high.meanInFlight / low.meanInFlight)
        guard step > 0.04 else { return nil }
        let gain = naturalLogarithm((highCount / high.seconds) / (lowCount / low.seconds))
        elasticity = gain / step
        standardError = (1 / lowCount + 1 / highCount).squareRoot() / step
    }
}
