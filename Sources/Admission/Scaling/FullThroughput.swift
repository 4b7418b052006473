// What a backend gets done while it is full, from which follows how many of its places are really at work. A limit says how many
// requests make a backend full, and full ones are slower than others: an engine with 32 slots and a limit of 48 does with 32 in
// flight all that it can do, and one that batches does nearly as much at half of its limit. Whoever counts the places of
// an idle fleet by the limit of a full one stops backends that are needed, finds the rest overloaded, and starts them again.
//
// What does not change with the level is how much a full backend gets done. At X units a second, and with the time u that
// a unit takes a request at present, by Little's law
//
//     places = X u
//
// which is the limit while backends are full, and less while they are not.

/// What a backend had done while it was full when that was last looked at.
struct FullMark: Sendable {
    /// When that was, and when to look again.
    private(set) var at: Instant?
    private(set) var nextLook = Instant(nanoseconds: .min / 2)
    /// For how long it had been full then without an end.
    fileprivate var stretchSeconds = 0.0
    fileprivate var seconds = 0.0
    fileprivate var units = 0.0
    fileprivate var completions = 0

    fileprivate mutating func note(now: Instant, seconds: Double) {
        at = now
        nextLook = now.advanced(byNanoseconds: Int64(seconds * 1e9))
    }
}

/// What full backends get done each second, in units of progress and in responses.
struct FullThroughput: Sendable {
    /// Seconds that a sample takes at least, and the part of it for which the backend has to be full.
    private static let sampleSeconds = 4.0
    private static let fullPart = 0.9
    /// Samples that means go back, and from which on they count: units come evenly, and responses by chance.
    private static let mostSamples = 64.0
    private static let leastSamples = (units: 2.0, completions: 4.0)

    private var units = RecentMean(of: mostSamples)
    private var completions = RecentMean(of: mostSamples)

    /// Units a second; nil until it is known.
    var unitsPerSecond: Double? {
        units.samples >= Self.leastSamples.units && units.value > 0 ? units.value : nil
    }
    /// Responses a second; nil until it is known.
    var completionsPerSecond: Double? {
        completions.samples >= Self.leastSamples.completions && completions.value > 0
            ? completions.value : nil
    }

    /// Looks at a backend whose meter this is; what it did counts if its limit `isLearnt`.
    ///
    /// What was begun before it was full ends for as long as requests take, so that ends tell later than units.
    mutating func look(
        _ meter: ConcurrencyMeter, since mark: inout FullMark, isLearnt: Bool, now: Instant
    ) {
        let elapsed = max(1e-9, mark.at.map { now.seconds(since: $0) } ?? .infinity)
        let isFull = meter.boundSeconds - mark.seconds >= Self.fullPart * elapsed
        if isFull, isLearnt {
            units.add((meter.boundUnits - mark.units) / elapsed)
            if mark.stretchSeconds >= meter.serviceSeconds {
                completions.add(Double(meter.boundCompletions - mark.completions) / elapsed)
            }
        }
        mark.note(now: now, seconds: Self.sampleSeconds)
        mark.stretchSeconds = isFull ? mark.stretchSeconds + elapsed : 0
        mark.seconds = meter.boundSeconds
        mark.units = meter.boundUnits
        mark.completions = meter.boundCompletions
    }
}
