// What was measured at one level of the limit.

/// One side of a measured pair: in-flight time and work while one level was in force and bound.
struct KneeSide: Sendable {
    /// The level that was in force.
    let level: Double
    /// Whether it was measured from the moment at which the level was put in force, so that only the
    /// requests that began then tell of it.
    var isGeneration = false
    private(set) var requestSeconds = 0.0
    private(set) var seconds = 0.0
    private(set) var units = 0.0
    /// The part of the requests whose responses are streamed.
    private var streamedShare = 1.0
    private(set) var completions = 0.0
    /// Requests whose clients left after more than a usual service time.
    private(set) var lateDepartures = 0
    /// Requests whose clients left without a byte of the response.
    private(set) var departures = 0
    /// Time that requests used up the limit for whose clients had left without a byte of the response.
    private var wastedSeconds = 0.0
    /// Requests that began and ended at this level, by the sizes of their responses.
    private(set) var sized = SizedWork()
    /// Requests that ended at this level, by their kinds.
    private(set) var timed = KindTimes()
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
        departures += end.boundDepartures - start.boundDepartures
        wastedSeconds += end.boundWastedSeconds - start.boundWastedSeconds
        streamedShare = end.streamedShare
        unitScatter.add(newUnits, seconds: newSeconds)
        completionScatter.add(newCompletions, seconds: newSeconds)
    }

    /// A square of a relative standard error that is small enough, and the requests that it takes to
    /// know it.
    private static let surely = (variance: 0.0001, count: 16.0)
    /// Part of the requests from which on those that were given up are too many to be left out where they are
    /// few: they would have been the longest.
    private static let mostDepartures = 0.02
    /// Ends of requests that tell whether many leave.
    private static let enoughEnds = 24.0

    /// Departures for each success from which on it is many who leave.
    private static let manyDepartures = 0.5

    /// Requests that ended well or were given up.
    var ends: Double { completions + Double(departures) }

    /// The part of the ends that were departures; 0 without any ends.
    var departureShare: Double { ends > 0 ? Double(departures) / ends : 0 }

    /// Part of the ends that few departures are.
    static let fewDepartures = 0.03
    /// Departures that say something.
    private static let leastDepartures = 12

    /// Whether it is certain that many leave.
    var isLeft: Bool { departures >= Self.leastDepartures && isLeftByMany }

    /// Whether so many leave that the level may be the reason.
    var isLeftByMany: Bool { Double(departures) > Self.manyDepartures * completions }

    /// Takes in the response to a request that began and ended at this level.
    mutating func add(seconds: Double, size: Double) { sized.add(seconds: seconds, size: size) }

    /// Takes in a request of a kind that ended at this level.
    @inline(__always) mutating func add(seconds: Double, kind: UInt8) {
        timed.add(seconds: seconds, kind: kind)
    }

    /// How long requests took that ended at this level; nil where so many clients left before that those who
    /// stayed say little.
    var wholeTimes: KindTimes? {
        let isKnown =
            Double(departures) <= Self.mostDepartures * completions || ends >= Self.enoughEnds
        return isLeftByMany || !isKnown ? nil : timed
    }

    /// For how long the limit is used up for each unit of work, in seconds, and the relative variance of that, where
    /// so much is what those took who stayed.
    ///
    /// Of the time in which requests are in flight a part goes to those whose clients leave, who are few or
    /// many as chance has it: their number's variance is the number.
    func usedSeconds(_ each: KindTimes.Mean) -> KindTimes.Mean {
        guard departures > 0, timed.seconds > 0 else { return each }
        let share = wastedSeconds / (timed.seconds + wastedSeconds)
        let variance = share * share * (1 / Double(departures) + 1 / max(1, completions))
        return (each.seconds / (1 - share), each.variance + variance)
    }

    /// Whether it is known so well how long work takes that the end of a measurement need not be waited
    /// for.
    var isTimed: Bool {
        let isSized =
            sized.count >= Self.surely.count && sized.relativeVariance < Self.surely.variance
        guard !isSized, let wholeTimes else { return isSized }
        return wholeTimes.count >= Self.surely.count
            && wholeTimes.relativeVariance < Self.surely.variance
    }

    /// Takes in another measurement of the same level.
    mutating func add(_ other: KneeSide) {
        requestSeconds += other.requestSeconds
        seconds += other.seconds
        units += other.units
        completions += other.completions
        lateDepartures += other.lateDepartures
        sized.add(other.sized)
        timed.add(other.timed)
        departures += other.departures
        wastedSeconds += other.wastedSeconds
        streamedShare = other.streamedShare
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

    /// Most relative variance of how many of the requests are streamed with which their units are counted.
    private static let mostMixture = 0.002

    /// Whether units of progress came often enough to be counted instead of completions, and from nearly all
    /// requests: of some of each kind in flight, by chance now more are streamed and now fewer.
    var hasProgress: Bool {
        units >= 4 * max(completions, 15) && mixture <= Self.mostMixture
    }

    /// The relative variance of the number of streamed requests among those in flight; infinite without any.
    var mixture: Double {
        let streamed = streamedShare * meanInFlight
        return streamed > 0 ? (1 - streamedShare) / streamed : .infinity
    }
}
