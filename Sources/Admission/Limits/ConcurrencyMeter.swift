// What one backend's limit algorithm may look back on: sums that grow while requests run. The
// controller keeps them with a few additions at every grant and every release; an algorithm takes
// differences when it looks.
//
// In-flight time, units of work and completions count only while the limit binds. A pool that is
// half used says nothing about what more concurrency would buy, and one that binds now and then is
// measured in just these moments, instead of waiting for minutes that never come.

/// What a backend has got done, and what that took.
struct WorkDone: Sendable {
    /// Requests in flight, integrated over time.
    var requestSeconds = 0.0
    /// Units of progress.
    var units = 0.0
    /// Requests that ended well.
    var completions = 0.0

    static func - (left: WorkDone, right: WorkDone) -> WorkDone {
        WorkDone(
            requestSeconds: left.requestSeconds - right.requestSeconds,
            units: left.units - right.units, completions: left.completions - right.completions)
    }

    static func + (left: WorkDone, right: WorkDone) -> WorkDone {
        WorkDone(
            requestSeconds: left.requestSeconds + right.requestSeconds,
            units: left.units + right.units, completions: left.completions + right.completions)
    }
}

/// Sums over the time in which a backend's limit was used up, and its service times.
struct ConcurrencyMeter: Sendable {
    /// Share of a new service time in the running mean.
    private static let serviceWeight = 0.1
    /// The same for how much of the time is streamed responses'.
    private static let streamedWeight = 1.0 / 64
    private static let peakSeconds = 300.0
    private static let leastPart = 0.125
    private static let leastSilenceSeconds = 0.3
    /// Part of the limit from which on it counts as used up, and below which no longer, in
    /// twentieths.
    private static let boundTwentieths = (from: 18, below: 17)

    /// What was done so far, whether or not the limit was binding.
    private(set) var work = WorkDone()
    /// Requests in flight, integrated over the time in which the limit was binding.
    private(set) var boundRequestSeconds = 0.0
    /// Time in which the limit was binding.
    private(set) var boundSeconds = 0.0
    /// Units of progress reported while the limit was binding.
    private(set) var boundUnits = 0.0
    /// Requests that ended well while the limit was binding.
    private(set) var boundCompletions = 0
    /// Requests whose client left while the limit was binding, without a byte of the response.
    private(set) var boundDepartures = 0
    /// Those of them that left after more than the mean time in which others had the first byte of it, and an
    /// eighth of that in which they had all.
    private(set) var boundLateDepartures = 0
    /// Time for which requests used up the limit, until it ended while the limit was binding, whose clients
    /// had left without a byte of the response.
    private(set) var boundWastedSeconds = 0.0
    /// Requests whose client left without a byte of the response.
    private(set) var departures = 0
    /// How many had before a request last ended well.
    private var departuresBeforeSuccess = 0
    /// Requests that ended well.
    private(set) var successes = 0
    /// Requests whose end said that the backend is overloaded.
    private(set) var drops = 0
    /// Most requests in flight in the present stretch of `peakSeconds`, and in the one before.
    private var peaks = (current: 0, previous: 0)
    private var peakStart: Instant
    /// Running mean of the time from grant to success, in seconds; 0 before the first.
    private(set) var serviceSeconds = 0.0
    /// The same of the time from grant to first byte: streams and responses in one piece may come side by side.
    private var meanFirstByteSeconds = 0.0
    /// Running mean of the distance of service times from their mean, in seconds.
    private(set) var serviceDeviationSeconds = 0.0
    /// Running means of the same time, and of the part of it that streamed responses took.
    private var endedSeconds = (all: 0.0, streamed: 0.0)
    /// When the limit was last seen to bind.
    private(set) var lastBoundAt: Instant?
    /// When a request last ended well; the beginning before the first one.
    private var lastSuccess: Instant
    /// When the backend last finished something, made progress, or was waited for after nobody had.
    private(set) var lastSignOfLife: Instant
    /// When a response last came, or a part of one; the distant past before the first.
    private(set) var lastHeard = Instant(nanoseconds: .min / 2)
    /// Requests in flight that use up the limit.
    private(set) var inFlight = 0
    /// Requests that wait for the backend, and not for their clients.
    private(set) var awaited = 0
    private var isBound = false
    /// Whether it was binding in the time that led up to `clock`.
    ///
    /// Many requests can end at one instant, with their slots given away only afterwards. All of
    /// them were done while the limit was binding, not the first one alone.
    private var wasBound = false
    private var clock: Instant

    init(now: Instant) {
        clock = now
        lastSignOfLife = now
        lastSuccess = now
        peakStart = now
    }

    /// Most requests in flight in the last five to ten minutes.
    var peakInFlight: Int { max(peaks.current, peaks.previous) }

    /// Whether nothing has ended well for as long as three requests take one after the other.
    var servesNobody: Bool {
        clock.seconds(since: lastSuccess) > max(3 * serviceSeconds, Self.leastSilenceSeconds)
    }

    /// Whether nothing has ever come of the backend's requests: no response or a part of one, nor that a client left.
    var isUnheard: Bool {
        successes == 0 && drops == 0 && departures == 0
            && lastHeard == Instant(nanoseconds: .min / 2)
    }

    /// Requests whose client left without a byte since one last ended well.
    var departuresSinceSuccess: Int { departures - departuresBeforeSuccess }

    /// A service time that hardly any request exceeds: the mean and four mean deviations.
    var longServiceSeconds: Double { serviceSeconds + 4 * serviceDeviationSeconds }

    /// The part of the requests in flight whose responses are streamed, as far as ended ones tell; 1
    /// before the first.
    var streamedShare: Double {
        endedSeconds.all > 0 ? endedSeconds.streamed / endedSeconds.all : 1
    }

    /// Accounts for the time up to `now`.
    mutating func advance(to now: Instant) {
        guard now > clock else { return }
        wasBound = isBound
        let seconds = now.seconds(since: clock)
        let requestSeconds = seconds * Double(inFlight)
        work.requestSeconds += requestSeconds
        if isBound {
            boundSeconds += seconds
            boundRequestSeconds += requestSeconds
            lastBoundAt = now
        }
        clock = now
    }

    /// The backend has so many requests in flight from now on.
    mutating func set(inFlight count: Int, limit: Int, now: Instant) {
        advance(to: now)
        inFlight = count
        if now.seconds(since: peakStart) > Self.peakSeconds {
            peaks = (count, peaks.current)
            peakStart = now
        }
        peaks.current = max(peaks.current, count)
        let least = isBound ? Self.boundTwentieths.below : Self.boundTwentieths.from
        isBound = 20 * count >= least * limit
    }

    /// So many more requests wait for the backend from now on; negative for fewer.
    mutating func countAwaited(by change: Int, now: Instant) {
        if awaited == 0 { lastSignOfLife = now }
        awaited += change
    }

    /// The backend gave a sign of life that is no work.
    mutating func moved(now: Instant) {
        lastSignOfLife = now
        lastHeard = now
    }

    /// Running requests made progress.
    mutating func progress(units: Int, now: Instant) {
        advance(to: now)
        moved(now: now)
        work.units += Double(units)
        if wasBound { boundUnits += Double(units) }
    }

    /// A request ended well; called before `set` takes it out.
    mutating func succeeded(
        afterSeconds seconds: Double, firstByteSeconds firstByte: Double, isStreamed: Bool,
        now: Instant
    ) {
        advance(to: now)
        moved(now: now)
        lastSuccess = now
        departuresBeforeSuccess = departures
        successes += 1
        work.completions += 1
        endedSeconds.all += Self.streamedWeight * (seconds - endedSeconds.all)
        let streamed = isStreamed ? seconds : 0
        endedSeconds.streamed += Self.streamedWeight * (streamed - endedSeconds.streamed)
        if wasBound { boundCompletions += 1 }
        if successes == 1 {
            serviceSeconds = seconds
            meanFirstByteSeconds = firstByte
            serviceDeviationSeconds = seconds / 2
        } else {
            let distance = abs(seconds - serviceSeconds)
            serviceSeconds += Self.serviceWeight * (seconds - serviceSeconds)
            meanFirstByteSeconds += Self.serviceWeight * (firstByte - meanFirstByteSeconds)
            serviceDeviationSeconds += Self.serviceWeight * (distance - serviceDeviationSeconds)
        }
    }

    /// A client left that had no byte of its response, so long after the grant.
    mutating func left(afterSeconds seconds: Double, now: Instant) {
        advance(to: now)
        departures += 1
        guard wasBound else { return }
        boundDepartures += 1
        let usual = max(meanFirstByteSeconds, Self.leastPart * serviceSeconds)
        if successes > 0, seconds > usual { boundLateDepartures += 1 }
    }

    /// A request ended, so long after the grant, whose response nobody wanted any more.
    mutating func wasted(seconds: Double, now: Instant) {
        advance(to: now)
        if wasBound { boundWastedSeconds += seconds }
    }

    /// A request ended in a response, or a silence, that means overload.
    mutating func dropped() { drops += 1 }
}
