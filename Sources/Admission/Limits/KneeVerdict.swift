// What two levels of the limit, held against one another, say about concurrency's worth.

/// The elasticity of throughput between two levels, and where it puts the knee.
struct KneeVerdict: Sendable {
    /// Closer to one another than this, in ln n, two levels say nothing.
    private static let narrowestStep = 0.04
    /// What a measurement is off by at least, relatively: traffic changes while it lasts, and each
    /// other gateway in front of the same backends holds levels of its own meanwhile.
    private static let leastError = (alone: 0.003, amongOthers: 0.04)
    /// What no completions count for where requests were given up.
    private static let leastCompletions = 0.5
    /// Standard errors below 0 from which on a fall of throughput is believed.
    private static let surelyNegative = 3.0
    /// Elasticities beyond these are taken for these: without end there is no place for the knee.
    private static let range = 0.03...0.97

    /// d ln(throughput) / d ln(concurrency): 1 where it all pays, 0 where none of it does.
    let elasticity: Double
    /// Its standard error.
    let standardError: Double
    /// The lower one of the levels.
    let lowLevel: Double
    /// Whether a level was measured by the requests that began at it first, while its queue came about.
    let isGeneration: Bool
    /// The mean requests in flight there, and how many times as many there were at the higher one, as a
    /// logarithm.
    private let lowInFlight: Double
    private let step: Double

    /// Compares two levels; nil when they were too close to one another or too little was seen.
    ///
    /// With `n` the mean in-flight requests and `X` the work a second, the elasticity between the
    /// levels is ln(X_hi/X_lo) / ln(n_hi/n_lo). Work is units of progress; without them it is the
    /// ends of requests or, by Little's law X = n / T, the time that they took or the size that responses
    /// have for their time, whichever is known best. Ends come in bursts where an engine takes requests
    /// in step, and their times do not. A count's variance is its index of dispersion times the count.
    init?(
        low: KneeSide, high: KneeSide, usesProgress: Bool, unitDispersion: Double,
        completionDispersion: Double, replicas: Int = 1
    ) {
        guard low.seconds > 0, high.seconds > 0, low.meanInFlight > 0, high.meanInFlight > 0
        else { return nil }
        let step = naturalLogarithm(high.meanInFlight / low.meanInFlight)
        guard step > Self.narrowestStep else { return nil }
        self.step = step
        lowLevel = low.level
        isGeneration = low.isGeneration || high.isGeneration
        lowInFlight = low.meanInFlight
        var gain = 0.0
        var variance = Double.infinity
        if usesProgress {
            guard low.units > 0, high.units > 0 else { return nil }
            gain = naturalLogarithm((high.units / high.seconds) / (low.units / low.seconds))
            variance =
                unitDispersion * (1 / low.units + 1 / high.units) + low.mixture + high.mixture
        } else {
            if !isGeneration, low.ends > 0, high.ends > 0 {
                // A level at which all have left is one that serves hardly anybody.
                let counts = (
                    low: max(low.completions, Self.leastCompletions),
                    high: max(high.completions, Self.leastCompletions)
                )
                gain = naturalLogarithm((counts.high / high.seconds) / (counts.low / low.seconds))
                variance = completionDispersion * (1 / counts.low + 1 / counts.high)
            }
            if let timed = Self.timed(low: low, high: high), timed.variance < variance {
                gain = step + timed.gain
                variance = timed.variance
            }
        }
        guard variance.isFinite else { return nil }
        let others = 1 - 1 / Double(replicas)
        let least = Self.leastError.alone + Self.leastError.amongOthers * others
        standardError = (variance + 2 * least * least).squareRoot() / step
        // More concurrency seldom makes throughput fall: while it may be chance, it is taken for that.
        let measured = gain / step
        let isChance = measured > -Self.surelyNegative * standardError
        elasticity = isChance ? max(measured, -standardError / 2) : measured
    }

    /// What throughput gained by time alone, as a logarithm that lacks the step between the levels, and its
    /// variance: by the size of responses or by their number, whichever is known better.
    private static func timed(
        low: KneeSide, high: KneeSide
    ) -> (gain: Double, variance: Double)? {
        let isGeneration = low.isGeneration || high.isGeneration
        let sized = difference(low, low.sized.mean, high, high.sized.mean)
        let times = isGeneration ? (low.wholeTimes, high.wholeTimes) : (low.timed, high.timed)
        let means = times.0.flatMap { one in
            times.1.flatMap { other in KindTimes.means(low: one, high: other) }
        }
        let numbered = difference(low, means?.low, high, means?.high)
        guard let sized, let numbered else { return sized ?? numbered }
        return numbered.variance < sized.variance ? numbered : sized
    }

    private static func difference(
        _ low: KneeSide, _ ofLow: KindTimes.Mean?, _ high: KneeSide, _ ofHigh: KindTimes.Mean?
    ) -> (gain: Double, variance: Double)? {
        guard let ofLow, let ofHigh else { return nil }
        let slow = high.usedSeconds(ofHigh)
        let fast = low.usedSeconds(ofLow)
        return (
            -naturalLogarithm(slow.seconds / fast.seconds), slow.variance + fast.variance
        )
    }

    /// The number of slots that it speaks of.
    ///
    /// Where throughput grows in proportion up to a number of slots and then no more, the elasticity
    /// e between two levels puts that number at low (high / low)^e. A generation of k times as many as
    /// there are slots, all sent at once, takes (k + 1) / 2 service times on average.
    var slots: Double {
        guard isGeneration else { return lowInFlight * exponential(min(1, elasticity) * step) }
        let longer = max(1, exponential((1 - elasticity) * step))
        return max(lowInFlight, lowInFlight * exponential(step) / (2 * longer - 1))
    }

    /// How far above the middle of the two levels the knee lies, in ln n.
    ///
    /// For throughput n / (a + b n), the elasticity at n is a / (a + b n), so that it is e at
    /// ln n = ln(a / b) - logit(e): the logits' difference is the distance.
    func distance(to wanted: Double) -> Double { logit(elasticity) - logit(wanted) }

    /// The standard error of the distance.
    var distanceError: Double {
        (logit(elasticity + standardError) - logit(elasticity - standardError)) / 2
    }

    private func logit(_ elasticity: Double) -> Double {
        let inRange = min(max(elasticity, Self.range.lowerBound), Self.range.upperBound)
        return naturalLogarithm(inRange / (1 - inRange))
    }
}
