// What follows from what a backend reports of its load. The gateway's own count of what is in flight is exact, and its
// limit is measured; a report tells only what cannot be seen from here, such as other gateways' requests. So it may lower what a
// backend gets, or stop its limit from growing, and raises nothing (`docs/faults.md`).
//
// A report may be a lie, or old. It counts by when it was received, for five seconds (fifteen where it was asked for), and not in the first ten after the
// backend was heard again. A queue is believed if it gets shorter when less is sent: one that does not is no queue of
// ours, and reports of it count for nothing for a minute, and for longer each time. A full cache is believed for half a minute.

/// What a backend says of its load beside one response.
package struct ReportedLoad: Equatable, Sendable {
    /// Requests that wait within it, from 0; nil where that is not said.
    package var queued: Double?
    /// The share of its cache that is in use, 0...1; nil where that is not said.
    package var cacheUse: Double?
    /// Whether its page of metrics says so, which was asked for, and not a response.
    package var isByPage: Bool

    /// A report of these.
    package init(queued: Double? = nil, cacheUse: Double? = nil, isByPage: Bool = false) {
        self.queued = queued
        self.cacheUse = cacheUse
        self.isByPage = isByPage
    }
}

/// What a backend has reported, and what follows.
package struct ReportStatus: Equatable, Sendable {
    /// What it said last.
    package var load: ReportedLoad
    /// How long ago, in nanoseconds.
    package var ageNanoseconds: Int64
    /// The most that it may have in flight for it; nil for no such bound.
    package var cap: Int?
    /// Whether its limit may not grow.
    package var holdsGrowth: Bool
    /// Whether its reports count: not in the first ten seconds, and not while its queue is not believed.
    package var isBelieved: Bool

    /// What is there to be shown.
    package init(
        load: ReportedLoad, ageNanoseconds: Int64, cap: Int?, holdsGrowth: Bool, isBelieved: Bool
    ) {
        self.load = load
        self.ageNanoseconds = ageNanoseconds
        self.cap = cap
        self.holdsGrowth = holdsGrowth
        self.isBelieved = isBelieved
    }
}

/// What one backend's reports come to.
struct ReportEvidence: Sendable {
    /// What is in flight when a report comes, and what it is judged by.
    struct Surroundings {
        /// Units in flight, the request of the report among them.
        var inFlight: Int
        /// Units that a request takes, from 1: a backend counts requests.
        var unitsPerRequest = 1.0
        /// What its limit has learnt.
        var limit: Int
        /// Gateways that share the backend, from 1.
        var replicas: Int
        /// How long a request takes.
        var serviceNanoseconds: Int64
    }

    /// A queue that all reports of some time have spoken of, in units.
    private struct Queue {
        var since: Instant
        var least: Double
    }

    /// What was in flight, and waited, when the cap was lowered last.
    private struct Lowering {
        var inFlight: Int
        var queued: Double
    }

    /// The last report, and when it came.
    private(set) var latest = ReportedLoad()
    private(set) var heardAt = longAgo
    /// The most that it may have in flight; nil for no such bound.
    private(set) var cap: Int?
    /// What its limit was when it was told to grow no more; nil where it may.
    private var held: Int?
    /// From when on reports count, after a silence.
    private var countsFrom = longAgo
    private var queue: Queue?
    private var lowering: Lowering?
    private var cappedAt = longAgo
    /// Until when queues are not believed, and how often in a row that was found.
    private var disbelievesUntil = longAgo
    private var disbeliefs = 0
    /// Since when the cache is full, and until when that is not believed.
    private var fullSince: Instant?
    private var ignoresFullUntil = longAgo

    private static let longAgo = Instant(nanoseconds: .min / 2)
    /// For how long a report counts: five seconds beside a response, and three times the interval where a page is
    /// asked for it.
    private static let freshNanoseconds: (field: Int64, page: Int64) = (
        5_000_000_000, 15_000_000_000
    )
    private var freshNanoseconds: Int64 {
        latest.isByPage ? Self.freshNanoseconds.page : Self.freshNanoseconds.field
    }
    /// For how long reports do not count after a silence: ten seconds, as gRPC's weighted round robin has it (A58).
    static let blackoutNanoseconds: Int64 = 10_000_000_000
    /// How long a queue has to last: a tenth of a second.
    static let queueNanoseconds: Int64 = 100_000_000
    private static let longestSettleNanoseconds: Int64 = 5_000_000_000
    private static let disbeliefNanoseconds: Int64 = 60_000_000_000
    /// Doublings of that, to 16 min.
    private static let mostDoublings = 4
    private static let longestFullNanoseconds: Int64 = 30_000_000_000
    private static let ignoredFullNanoseconds: Int64 = 300_000_000_000
    /// A cache as full as that lets the limit grow no more; as empty as that it lets the cap go.
    private static let full = 0.95
    private static let roomy = 0.8

    /// When what is in force ends by itself; the distant future for never.
    var nextEnd: Instant {
        cap == nil && !holdsGrowth
            ? .distantFuture : heardAt.advanced(byNanoseconds: freshNanoseconds)
    }

    /// Whether its limit may not grow.
    var holdsGrowth: Bool { held != nil }

    /// What is left of `limit`.
    @inline(__always) func allowed(of limit: Int) -> Int {
        min(limit, cap ?? limit, held ?? limit)
    }

    /// Takes in a report; whether that changes what follows.
    mutating func note(_ load: ReportedLoad, _ around: Surroundings, now: Instant) -> Bool {
        if now.nanoseconds(since: heardAt) > freshNanoseconds {
            reset()
            countsFrom = now.advanced(byNanoseconds: Self.blackoutNanoseconds)
        }
        heardAt = now
        latest = load
        guard now >= countsFrom else { return false }
        let former = (cap, held)
        if let queued = load.queued {
            if queued > 0 {
                noteQueue(queued * around.unitsPerRequest, around, now: now)
            } else {
                noteNoQueue(load, around, now: now)
            }
        }
        if let use = load.cacheUse { noteCache(use, around, now: now) }
        return former != (cap, held)
    }

    /// What is there to be shown; nil where nothing fresh is.
    func status(now: Instant) -> ReportStatus? {
        let age = now.nanoseconds(since: heardAt)
        guard age <= freshNanoseconds else { return nil }
        return ReportStatus(
            load: latest, ageNanoseconds: age, cap: cap, holdsGrowth: holdsGrowth,
            isBelieved: now >= countsFrom && now >= disbelievesUntil)
    }

    /// Forgets what was heard too long ago; whether anything followed from it.
    mutating func expire(now: Instant) -> Bool {
        guard nextEnd <= now else { return false }
        reset()
        return true
    }

    /// Its connections broke: what comes next may be another server.
    mutating func reset() {
        cap = nil
        held = nil
        queue = nil
        lowering = nil
        heardAt = Self.longAgo
    }

    /// `queued` in units.
    private mutating func noteQueue(_ queued: Double, _ around: Surroundings, now: Instant) {
        // More than it should have: the queue is what was sent before.
        guard now >= disbelievesUntil, around.inFlight <= allowed(of: around.limit) else {
            queue = nil
            return
        }
        guard var lasting = queue else {
            queue = Queue(since: now, least: queued)
            return
        }
        lasting.least = min(lasting.least, queued)
        queue = lasting
        guard now.nanoseconds(since: lasting.since) >= Self.queueNanoseconds else { return }
        queue = nil
        if let lowering, isDisbelieved(lasting.least, after: lowering, around) {
            disbelieve(now: now)
            return
        }
        lower(by: lasting.least, around, now: now)
    }

    /// Whether a queue has not become shorter by half of what is in flight less.
    private func isDisbelieved(
        _ queued: Double, after lowering: Lowering, _ around: Surroundings
    ) -> Bool {
        let fewer = Double(max(0, lowering.inFlight - around.inFlight))
        return queued > lowering.queued - fewer / 2
    }

    private mutating func lower(by queued: Double, _ around: Surroundings, now: Instant) {
        let own = Int(min(queued / Double(max(1, around.replicas)), 1e9))
        guard own > 0, around.inFlight > 1 else { return }
        lowering = Lowering(inFlight: around.inFlight, queued: queued)
        cap = max(1, (around.inFlight + 1) / 2, around.inFlight - own)
        cappedAt = now
    }

    private mutating func disbelieve(now: Instant) {
        let doublings = min(disbeliefs, Self.mostDoublings)
        disbelievesUntil = now.advanced(byNanoseconds: Self.disbeliefNanoseconds << doublings)
        disbeliefs += 1
        cap = nil
        lowering = nil
    }

    private mutating func noteNoQueue(
        _ load: ReportedLoad, _ around: Surroundings, now: Instant
    ) {
        queue = nil
        if lowering != nil {
            lowering = nil
            disbeliefs = 0
        }
        guard let cap, load.cacheUse ?? 0 < Self.roomy else { return }
        let settle = min(
            max(around.serviceNanoseconds, Self.queueNanoseconds), Self.longestSettleNanoseconds)
        guard now.nanoseconds(since: cappedAt) >= settle else { return }
        cappedAt = now
        let next = max(cap + 1, cap + cap / 10)
        self.cap = next < around.limit ? next : nil
    }

    private mutating func noteCache(_ use: Double, _ around: Surroundings, now: Instant) {
        if use < Self.full {
            held = nil
            if use < Self.roomy {
                fullSince = nil
                ignoresFullUntil = Self.longAgo
            }
            return
        }
        guard now >= ignoresFullUntil else { return }
        let since = fullSince ?? now
        fullSince = since
        if now.nanoseconds(since: since) < Self.longestFullNanoseconds {
            // A limit that falls meanwhile is not to come back to where it was.
            held = min(held ?? around.limit, around.limit)
        } else {
            held = nil
            fullSince = nil
            ignoresFullUntil = now.advanced(byNanoseconds: Self.ignoredFullNanoseconds)
        }
    }
}
