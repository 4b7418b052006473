// What a pool is asked for, whether or not it can do it: the places of limits that requests take, wait for, or would take
// had they not been refused. What an autoscaler goes by has to be that: in flight is never more than what there is, and a
// queue is short where requests are refused in time.
//
// A refused request would be in flight for the mean time T that requests are (Little, "A Proof for the Queuing Formula
// L = λW", 1961). But it may come again, and then it is one request and not two: a further try that begins is set against one
// that was refused, and takes no place here. With f the places that all others take and wait for, and s the first tries
// that are refused each second for want of capacity,
//
//     demand = f + s T
//
// Of n first tries a second n - s begin in the long run, so that this is n T, whatever becomes of the others. Further tries
// that no refusal of here explains count in full: of what backends failed, or other gateways refused.

/// Whose doing it is that a request takes a place.
enum DemandKind: UInt8, Sendable {
    /// A client's, for the first time.
    case first
    /// A client's, which says that it has tried before.
    case again
    /// The same, of one that was refused here and is counted as that.
    case returned
    /// The gateway's own: a copy for which no client waits, and which is made only where there is room.
    case copy
    /// A request's whose class gets only what nobody else wants: it is no reason to have more.
    case slack
}

/// What is counted of a pool's demand besides what its backends and its queue know.
struct DemandEstimate: Sendable {
    /// First tries that were refused for want of capacity.
    private var refusals = RefusedTries()
    /// Places that are taken and not asked for: by those that are counted as refused, and by copies.
    private(set) var uncounted = 0
    /// Means of what requests take: seconds times places, how much of that is streams', and the same for each unit of
    /// a stream.
    private var service = RecentMean(of: usualSamples)
    private var streamed = RecentMean(of: usualSamples)
    private var unit = RecentMean(of: usualSamples)
    /// What full backends get done.
    var full = FullThroughput()
    /// Requests that means go back: with times as varied as an exponential distribution's, their standard error is an
    /// eleventh.
    private static let usualSamples = 128.0
    /// The part of the time from which on a pool's work is measured by units of streams.
    private static let mostlyStreamed = 0.9

    /// A request begins to take so many places; what it counts as from now on.
    @inline(__always) mutating func begin(
        _ kind: DemandKind, _ seats: Int, now: Instant
    ) -> DemandKind {
        kind == .first ? .first : beginOther(kind, seats, now: now)
    }

    /// It takes them no more.
    @inline(__always) mutating func end(_ kind: DemandKind, _ seats: Int) {
        if kind != .first, kind != .again { uncounted -= seats }
    }

    private mutating func beginOther(
        _ kind: DemandKind, _ seats: Int, now: Instant
    ) -> DemandKind {
        var kind = kind
        if kind == .again, refusals.explainsReturn(now: now) { kind = .returned }
        if kind != .again { uncounted += seats }
        return kind
    }

    /// A first try was refused for want of capacity.
    @inline(__always) mutating func refused(now: Instant) { refusals.note(now: now) }

    /// A request was served that took places for `seatSeconds`, in so many pieces.
    mutating func served(seatSeconds: Double, units: Int) {
        service.add(seatSeconds)
        streamed.add(units > 1 ? seatSeconds : 0)
        if units > 1 { unit.add(seatSeconds / Double(units)) }
    }

    /// Mean of seconds times places that a request takes; nil before the first success.
    var seatSeconds: Double? { service.samples > 0 ? service.value : nil }

    /// Places that are at work in a backend that does all it can, at the present speed, from 1; nil while none was
    /// full for long.
    var placesAtWork: Double? {
        if streamed.value >= Self.mostlyStreamed * service.value,
            let unitsPerSecond = full.unitsPerSecond
        {
            return max(1, unitsPerSecond * unit.value)
        }
        return full.completionsPerSecond.map { max(1, $0 * service.value) }
    }

    /// First tries that were refused each second.
    func refusedPerSecond(now: Instant) -> Double { refusals.perSecond(now: now) }

    /// What is asked for, in places of limits, where so many are taken and such requests wait.
    func places(inFlight: Int, waiting: WaitingPlaces, now: Instant) -> Double {
        let waits = refusals.mayReturn ? waiting.all - waiting.again : waiting.all
        let refused = refusedPerSecond(now: now) * (seatSeconds ?? 0)
        return Double(max(0, inFlight - uncounted) + waits) + refused
    }
}
