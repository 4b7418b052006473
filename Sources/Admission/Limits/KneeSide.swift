// What was measured at one level of the limit.

/// One side of a measured pair: in-flight time and work while one level was in force and bound.
struct KneeSide: Sendable {
    /// The level that was in force.
    let level: Double
    private(set) var requestSeconds = 0.0
    private(set) var seconds = 0.0
    private(set) var units = 0.0
    private(set) var completions = 0.0
    /// Requests whose clients left after more than a usual service time.
    private(set) var lateDepartures = 0
    private(set) var sized = SizedWork()
    private var unitScatter = CountScatter()
    private var completionScatter = CountScatter()

    init(level: Double) { self.level = level }

    /// Takes in what the meter gathered between two looks.
    mutating func add(from start: ConcurrencyMeter, to end: ConcurrencyMeter) {
        let newSeconds = end.boundSeconds - start.boundSeconds
        let newUnits = end.boundUnits - start.boundUnits
        let newCompletions = Double(end.boundCompletions - start.boundCompletions)
        requestSeconds += end.boundRequestSeconds - start.boundRequestSeconds
        seconds += newSeconds
        units += newUnits
        completions += newCompletions
        lateDepartures += end.boundLateDepartures - start.boundLateDepartures
        unitScatter.add(newUnits, seconds: newSeconds)
        completionScatter.add(newCompletions, seconds: newSeconds)
    }

    /// Takes in a request that began and ended at this level.
    mutating func add(seconds: Double, size: Double) { sized.add(seconds: seconds, size: size) }

    /// Takes in another measurement of the same level.
    mutating func add(_ other: KneeSide) {
        requestSeconds += other.requestSeconds
        seconds += other.seconds
        units += other.units
        completions += other.completions
        lateDepartures += other.lateDepartures
        sized.add(other.sized)
        unitScatter.add(other.unitScatter)
        completionScatter.add(other.completionScatter)
    }

    /// How units scatter about their mean rate.
    var unitExcess: (sum: Double, degrees: Double) {
        unitScatter.excess(count: units, seconds: seconds)
    }

    /// How the ends of requests scatter about their mean rate.
    var completionExcess: (sum: Double, degrees: Double) {
        completionScatter.excess(count: completions, seconds: seconds)
    }

    /// Mean requests in flight while the limit was binding; 0 without such time.
    var meanInFlight: Double { seconds > 0 ? requestSeconds / seconds : 0 }

    /// Successes a second while the limit was binding; 0 without such time.
    var successRate: Double { seconds > 0 ? completions / seconds : 0 }

    /// Whether units of progress came often enough to be counted instead of completions.
    var hasProgress: Bool { units >= 4 * max(completions, 15) }
}
