// What clients bear: the time from a request's arrival to the first byte of its response by which half
// of them have left. It is learnt from those who left, and from those who were still there.
//
// A running quantile (Robbins and Monro, "A Stochastic Approximation Method", 1951) of a time that is
// seen only in part: somebody who is served after 0.2 s says nothing about whether he would have
// borne 2 s. So only two kinds of events count: leaving before the present estimate, which lowers
// it, and being there after it, which raises it by as much. Of clients that all bear the same, nine
// who leave lead from four times the right value to it.
//
// While nobody waits long enough to leave, nothing is learnt, and what was learnt is true for some
// time. After a minute the estimate begins to rise, so that clients with more patience are found.

/// What the clients of one flow bear.
struct Patience: Sendable {
    private static let leastStep = 0.1
    private static let restNanoseconds: Int64 = 60_000_000_000
    private static let doublingSeconds = 300.0
    /// Doublings after which all is forgotten.
    private static let mostDoublings = 4.0
    /// Departures before which nothing is assumed: one who leaves may have had any reason.
    private static let leastDepartures: UInt32 = 4

    /// The estimate, in seconds; infinite before the first departure.
    private var seconds = Double.infinity
    private var departures: UInt32 = 0
    private var changedAt = Instant(nanoseconds: 0)
    /// A running mean over requests that a backend had begun: 1 for a client that stayed, 0 for one that
    /// left.
    private var stayedShare = 1.0
    private static let shareWeight = 1.0 / 64
    private static let most = 0.6
    /// The age by which half of those have left who leave; 0 before the first.
    private var leftAge = 0.0
    /// A running mean over those who left, 0 each, and those who stayed for longer than that age, 1 each.
    private var outlivingShare = 0.0
    private static let outlivingWeight = 1.0 / 16

    /// What is assumed at `now`, in seconds; infinite while too little is known.
    func assumedSeconds(now: Instant) -> Double {
        departures >= Self.leastDepartures ? agedSeconds(now: now) : .infinity
    }

    /// Whether anybody has left so far.
    var hasDepartures: Bool { departures > 0 }

    /// Whether most clients stay whose requests a backend has begun.
    ///
    /// Then it cannot be that most leave within the time that a request takes, whatever those said who left
    /// the queue.
    var isServiceBorne: Bool { stayedShare >= Self.most }

    /// Whether most clients stay for longer than those do who leave: that a part leaves early says nothing of how
    /// much the others bear.
    var isOutlived: Bool { outlivingShare >= Self.most }

    /// A client left that had waited for so long, before its request was begun or `isStarted` after it;
    /// before the first one `prior` is assumed.
    mutating func left(
        afterSeconds age: Double, isStarted: Bool, prior: Double, now: Instant
    ) {
        if isStarted { stayedShare -= Self.shareWeight * stayedShare }
        outlivingShare -= Self.outlivingWeight * outlivingShare
        leftAge = leftAge == 0 ? age : leftAge * exponential(age > leftAge ? 0.1 : -0.1)
        forgetIfOld(now: now)
        if departures == 0 { seconds = max(prior, age) }
        departures = min(departures + 1, 1_000)
        guard age < seconds else { return rise(now: now) }
        let step = max(Self.leastStep, 1 / Double(departures))
        seconds = max(age, seconds * exponential(-0.5 * step))
        changedAt = now
    }

    /// A client was there still when it had waited for so long.
    mutating func stayed(forSeconds age: Double, now: Instant) {
        stayedShare += Self.shareWeight * (1 - stayedShare)
        if leftAge > 0, age > leftAge {
            outlivingShare += Self.outlivingWeight * (1 - outlivingShare)
        }
        guard departures > 0, age >= seconds else { return }
        forgetIfOld(now: now)
        if departures > 0 { rise(now: now) }
    }

    private mutating func rise(now: Instant) {
        seconds *= exponential(0.5 * Self.leastStep)
        changedAt = now
    }

    /// Puts the age of what was learnt into it, before something new is learnt.
    private mutating func forgetIfOld(now: Instant) {
        guard departures > 0 else { return }
        seconds = agedSeconds(now: now)
        if seconds == .infinity { self = Patience() }
    }

    /// The estimate as far as it is still true; infinite once it has been forgotten.
    private func agedSeconds(now: Instant) -> Double {
        let rest = now.nanoseconds(since: changedAt) - Self.restNanoseconds
        guard rest > 0 else { return seconds }
        let doublings = Double(rest) / 1e9 / Self.doublingSeconds
        guard doublings < Self.mostDoublings else { return .infinity }
        return seconds * exponential(doublings * 0.693_147)
    }
}

/// What the clients of a priority class bear, from which a flow starts that knows nothing of its own.
///
/// No tenant speaks for the others: of the last eight departures that count at most two are of the
/// same one. And it never shortens what somebody may wait whose own clients stay: it is only asked
/// when one of them has left.
struct SharedPatience: Sendable {
    private static let remembered = 8
    private static let mostOfOne = 2

    private var patience = Patience()
    private var lastTenants: [Int32] = []
    private var next = 0

    /// What is assumed at `now`, in seconds; infinite while too little is known.
    func assumedSeconds(now: Instant) -> Double {
        lastTenants.count == Self.remembered ? patience.assumedSeconds(now: now) : .infinity
    }

    /// A client of `tenant` left.
    mutating func left(_ tenant: Int32, afterSeconds age: Double, prior: Double, now: Instant) {
        let own = lastTenants.reduce(0) { $0 + ($1 == tenant ? 1 : 0) }
        guard own < Self.mostOfOne else { return }
        if lastTenants.count < Self.remembered {
            lastTenants.append(tenant)
        } else {
            lastTenants[next] = tenant
            next = (next + 1) % Self.remembered
        }
        patience.left(afterSeconds: age, isStarted: false, prior: prior, now: now)
    }

    /// A client was there still when it had waited for so long.
    mutating func stayed(forSeconds age: Double, now: Instant) {
        patience.stayed(forSeconds: age, now: now)
    }
}
