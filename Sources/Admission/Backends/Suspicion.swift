// What a backend's responses say about its health. An outlier loses its limit and not its existence:
// it is sent one request at a time, on trial, and what its limit has learnt waits for it. So
// ejection, half-open trials and a slow start are one mechanism.
//
// A backend is suspected when
//
// - five requests in a row failed at it, and a sibling answers well; without siblings that are not suspected,
//   only when these were silence or broken connections, and nothing else ended well for as long as
//   requests take: errors of single requests are mostly the requests' fault, and would let one client shut
//   everybody out;
// - it refuses ten requests in a row with 401, 403, 404, 422, or with 429, 503, 529, while a
//   sibling answers well;
// - nothing moves there although somebody waits for it: max(5 s, three long service times);
// - the clients of ten requests in a row have left that were there for twice as long as its siblings
//   take, and nothing has ended well meanwhile.
//
// A sibling answers well if more than four fifths of its last ends, some sixteen, were good, or half of them more than
// of the backend's own: one client whose requests fail anywhere does not protect a sick backend. Where none does, the
// fault is common to all: nobody is suspected by comparison, and who was before, and is no worse, is no more.
//
// One whose checks fail gets nothing, not even a trial, until they pass: see `CheckRecord`.
//
// Three good trials in a row end the suspicion; then it may have 2, 4, 8 .. in flight, one doubling a
// service time, up to what its limit was. A failed trial puts the next one off for 0.5, 1, 2, 3 s:
// more would keep a healthy backend idle, and a trial that fails costs little, as it is tried again
// elsewhere. One that takes longer than hardly any request has failed too: a backend that lost what it
// had, and is well again, never answers that one. Such a trial costs a client all of its patience, so that
// pauses there grow to a tenth of the time that it has been so, and to 30 s.
//
// Apart from that, one that fails in part has its limit halved for as long as its share of good ends
// is surely below that of all others together: the upper bound of Wilson's interval ("Probable
// Inference", 1927; z = 2.6) below theirs less 0.1. Leaving the one out that is judged makes it
// work with two backends, where mean and deviation over all cannot find an outlier.

/// Why a backend is sent less than its limit.
package enum SuspicionCause: UInt8, CaseIterable, Sendable {
    /// Requests failed in a row.
    case failures
    /// Requests were refused in a row that its siblings take.
    case refusals
    /// Nothing moved although somebody waited for it.
    case silence
    /// Requests were given up by their clients that its siblings would have answered long before.
    case slowness
    /// More requests fail there than at its siblings.
    case outlier
    /// Checks of it fail.
    case check

    /// The value of the metric's `cause` label.
    package var name: StaticString {
        switch self {
        case .failures: "failures"
        case .refusals: "refusals"
        case .silence: "silence"
        case .slowness: "slowness"
        case .outlier: "outlier"
        case .check: "check"
        }
    }
}

/// One backend's record of good and bad ends.
struct Suspicion: Sendable {
    /// What is believed of a backend.
    enum State: Sendable {
        case trusted
        /// One request at a time, on trial.
        case suspected
        /// It comes back, and may have that much in flight.
        case returning(most: Int)
    }

    /// Good and bad ends over some time.
    struct Ends: Sendable {
        var good = 0
        var bad = 0

        static func + (one: Ends, other: Ends) -> Ends {
            Ends(good: one.good + other.good, bad: one.bad + other.bad)
        }

        var count: Int { good + bad }
    }

    /// What others are that requests may be sent to without doubt.
    enum Siblings: Sendable {
        /// It is alone in its pool.
        case none
        /// All others are suspected, ejected or drained.
        case out
        /// One of them at least answers well.
        case well
        /// What there are fail as well.
        case unwell
    }

    /// What a bad end led to.
    enum Judgement: Sendable {
        case nothing
        /// The backend is suspected from now on.
        case suspected
        /// It would be, but no sibling answers well: the fault is common to all.
        case common
    }

    private static let failuresInRow = 5
    private static let refusalsInRow = 10
    private static let departuresInRow = 10
    private static let goodTrials = 3
    private static let firstPause: Int64 = 500_000_000
    private static let longestPause: Int64 = 3_000_000_000
    /// The longest pause where a trial costs a client its patience, and the part of the time that the backend has been
    /// suspected for which it is: the longer one is gone, the less often it is tried.
    private static let longestCostlyPause: Int64 = 30_000_000_000
    private static let costlyPausePart: Int64 = 10
    /// For how long a trial may take at least and at most, before the next one is put off for its pause.
    private static let trialNanoseconds: (least: Int64, most: Int64) = (
        1_000_000_000, 30_000_000_000
    )
    private static let windowNanoseconds: Int64 = 15_000_000_000
    private static let leastEnds = 20
    /// By how much its share of good ends is below that of the others at least, of one that fails in part.
    private static let outlierMargin = 0.1
    /// The share of good ends from which on a backend answers well, by how much more than another's it is so anyway, and the
    /// weight of the last end in it.
    private static let wellShare = (least: 0.8, more: 0.5, weight: 1.0 / 16)

    private(set) var state = State.trusted
    /// Whether it is on trial: said apart, because looking into `state` would copy all of a backend.
    private(set) var isSuspected = false
    private(set) var cause = SuspicionCause.failures
    private var suspectedAt = Instant(nanoseconds: .min / 2)
    /// How many have failed, or were refused, since the last good end.
    private var failuresSinceGood = 0
    private var refusalsSinceGood = 0
    private var departuresSinceGood = 0
    private var lastGoodAt = Instant(nanoseconds: .min / 2)
    private var trialsGood = 0
    private var pause = firstPause
    private(set) var nextTrialAt = Instant(nanoseconds: .min / 2)
    private var isOnTrial = false
    /// When the next doubling of a return is due.
    private(set) var nextStepAt = Instant.distantFuture
    /// The factor 1 / 2^k on the limit of one that fails in part, as k.
    private(set) var halvings = 0
    private var current = Ends()
    private var previous = Ends()
    private var windowStart = Instant(nanoseconds: .min / 2)
    /// The share of good ends among the last ones, refusals included.
    private(set) var goodShare = 1.0

    /// Whether it is trusted with its whole limit.
    @inline(__always) var isTrusted: Bool {
        if case .trusted = state { halvings == 0 } else { false }
    }

    /// Ends in the last fifteen to thirty seconds.
    func ends(now: Instant) -> Ends {
        let age = now.nanoseconds(since: windowStart)
        if age >= 2 * Self.windowNanoseconds { return Ends() }
        return age >= Self.windowNanoseconds ? current : current + previous
    }

    /// What is left of `limit`.
    @inline(__always) func allowed(of limit: Int) -> Int {
        switch state {
        case .suspected: 1
        case .returning(let most): max(1, min(limit, most) >> halvings)
        case .trusted: max(1, limit >> halvings)
        }
    }

    /// A trial begins, of a request that should hardly take longer than `longest`.
    mutating func beginTrial(longest: Int64, now: Instant) {
        if isOnTrial {
            // The last one has not ended.
            lengthenPause(now)
            trialsGood = 0
        }
        isOnTrial = true
        let time = min(max(longest, Self.trialNanoseconds.least), Self.trialNanoseconds.most)
        nextTrialAt = now.advanced(byNanoseconds: time + pause)
    }

    /// A trial has ended without saying anything.
    mutating func endTrial(now: Instant) {
        isOnTrial = false
        if !isWithheld { nextTrialAt = now }
    }

    // MARK: Checks

    /// Whether it gets nothing until its checks pass.
    var isWithheld: Bool { isSuspected && cause == .check }

    /// Its checks fail; whether that is why it is suspected from now on.
    ///
    /// One that is on trial already stays so: clients' requests say more.
    mutating func checksFail(now: Instant, random: inout SplitMix64) -> Bool {
        guard suspect(.check, now, &random) else { return false }
        nextTrialAt = .distantFuture
        return true
    }

    /// Its checks pass, or say nothing any more; whether that ended a suspicion.
    mutating func checksPass(serviceNanoseconds: Int64, now: Instant) -> Bool {
        guard isWithheld else { return false }
        beginReturn(serviceNanoseconds, now)
        return true
    }

    // MARK: Ends of requests

    /// Whether it answers well, as far as is known, so that another one that fails does so for reasons of its own.
    func isWell(beside other: Suspicion) -> Bool {
        !isSuspected
            && goodShare >= min(Self.wellShare.least, other.goodShare + Self.wellShare.more)
    }

    /// Another one fails as well, and nobody answers better: what it was suspected of by comparison says nothing of it;
    /// whether that ended a suspicion.
    mutating func acquit(
        beside other: Suspicion, serviceNanoseconds: Int64, now: Instant
    ) -> Bool {
        guard isSuspected, other.goodShare < goodShare + Self.wellShare.more else { return false }
        switch cause {
        case .failures, .refusals, .slowness: break
        case .silence, .outlier, .check: return false
        }
        beginReturn(serviceNanoseconds, now)
        return true
    }

    /// A request ended well; whether that changed what is allowed.
    mutating func good(isTrial: Bool, serviceNanoseconds: Int64, now: Instant) -> Bool {
        turn(now)
        current.good += 1
        goodShare += (1 - goodShare) * Self.wellShare.weight
        failuresSinceGood = 0
        refusalsSinceGood = 0
        departuresSinceGood = 0
        lastGoodAt = now
        if isTrial { isOnTrial = false }
        return isSuspected && countTrial(serviceNanoseconds: serviceNanoseconds, now: now)
    }

    /// Whether its connections broke, and nothing has ended well there since.
    var isUnheard: Bool { isSuspected && cause == .failures && trialsGood == 0 }

    /// It answered what no client had asked; whether that changed what is allowed.
    ///
    /// That says something of connections that broke, and nothing of what requests come to.
    mutating func answered(serviceNanoseconds: Int64, now: Instant) -> Bool {
        cause == .failures && countTrial(serviceNanoseconds: serviceNanoseconds, now: now)
    }

    private mutating func countTrial(serviceNanoseconds: Int64, now: Instant) -> Bool {
        guard case .suspected = state, cause != .check else { return false }
        // What was silent has spoken: that is what was doubted.
        trialsGood += 1
        nextTrialAt = now
        guard trialsGood >= Self.goodTrials else { return false }
        pause = Self.firstPause
        beginReturn(serviceNanoseconds, now)
        return true
    }

    /// What ended before says nothing of how it does from now on.
    private mutating func beginReturn(_ serviceNanoseconds: Int64, _ now: Instant) {
        state = .returning(most: 2)
        isSuspected = false
        halvings = 0
        current = Ends()
        previous = Ends()
        step(serviceNanoseconds, now)
    }

    /// A request failed; what that led to.
    mutating func bad(
        _ outcome: Outcome, isTrial: Bool, siblings: Siblings, serviceNanoseconds: Int64,
        now: Instant, random: inout SplitMix64
    ) -> Judgement {
        turn(now)
        if isTrial { endTrial(now: now) }
        switch outcome {
        case .overload, .failed(.refusal):
            noteUnwell()
            refusalsSinceGood += 1
            if isSuspected, isTrial, cause == .refusals { putOff(now, &random) }
            guard refusalsSinceGood >= Self.refusalsInRow else { return .nothing }
            return judge(.refusals, isOwnFault: siblings == .well, now, &random)
        case .failed(.request), .failed(.local), .cancelled, .success:
            return .nothing
        case .failed:
            noteUnwell()
            current.bad += 1
            failuresSinceGood += 1
            if isSuspected {
                if isTrial { putOff(now, &random) }
                trialsGood = 0
                return .nothing
            }
            let isBroken = outcome != .failed(.status)
            if case .returning = state, siblings == .well || siblings == .none && isBroken {
                return judge(cause == .check ? .failures : cause, isOwnFault: true, now, &random)
            }
            guard failuresSinceGood >= Self.failuresInRow else { return .nothing }
            let isAlone = siblings == .none || siblings == .out
            let isDry = now.nanoseconds(since: lastGoodAt) > max(serviceNanoseconds, 1_000_000_000)
            return judge(
                .failures, isOwnFault: siblings == .well || isAlone && isBroken && isDry, now,
                &random)
        }
    }

    /// A client left a request that its backend's siblings would have answered long before; what that led to.
    mutating func overdue(
        isTrial: Bool, siblings: Siblings, now: Instant, random: inout SplitMix64
    ) -> Judgement {
        departuresSinceGood += 1
        if isTrial {
            isOnTrial = false
            putOff(now, &random)
        }
        guard departuresSinceGood >= Self.departuresInRow else { return .nothing }
        return judge(.slowness, isOwnFault: siblings == .well, now, &random)
    }

    /// Its own record speaks against it: it is suspected where the fault is its own.
    private mutating func judge(
        _ cause: SuspicionCause, isOwnFault: Bool, _ now: Instant, _ random: inout SplitMix64
    ) -> Judgement {
        if isSuspected { return .nothing }
        guard isOwnFault else { return .common }
        _ = suspect(cause, now, &random)
        return .suspected
    }

    private mutating func noteUnwell() { goodShare -= goodShare * Self.wellShare.weight }

    /// Nothing has moved for long.
    mutating func silent(now: Instant, random: inout SplitMix64) -> Bool {
        suspect(.silence, now, &random)
    }

    /// Something moved at a backend that was suspected of silence; whether that cleared it.
    mutating func moved(serviceNanoseconds: Int64, now: Instant) -> Bool {
        guard isSuspected, cause == .silence else { return false }
        beginReturn(serviceNanoseconds, now)
        return true
    }

    // MARK: Time

    /// Takes a step of the way back that is due, or judges the share of bad ends once a window.
    ///
    /// `limit` is what it comes back to.
    mutating func advance(limit: Int, serviceNanoseconds: Int64, now: Instant) {
        guard case .returning(let most) = state, now >= nextStepAt else { return }
        if most >= limit {
            state = .trusted
            nextStepAt = .distantFuture
        } else {
            state = .returning(most: 2 * most)
            step(serviceNanoseconds, now)
        }
    }

    /// Compares its share of good ends with its siblings', of which the last were good to `recentShare`; whether that
    /// changed what is allowed.
    ///
    /// Half a minute in which all failed counts more where more were sent then, so that the last ends have to say it too.
    mutating func compare(with peers: Ends, recentShare: Double, now: Instant) -> Bool {
        let own = ends(now: now)
        guard !isSuspected, own.count >= Self.leastEnds, peers.count >= Self.leastEnds else {
            return false
        }
        let before = halvings
        let theirs = Double(peers.good) / Double(peers.count)
        let isWorse = goodShare < recentShare - Self.outlierMargin
        if isWorse, Self.wilsonUpper(own) < theirs - Self.outlierMargin {
            halvings = min(halvings + 1, 16)
        } else {
            halvings = max(0, halvings - 1)
        }
        if halvings > before, before == 0 { cause = .outlier }
        return halvings != before
    }

    private mutating func step(_ serviceNanoseconds: Int64, _ now: Instant) {
        let time = min(max(serviceNanoseconds, 100_000_000), 2_000_000_000)
        nextStepAt = now.advanced(byNanoseconds: time)
    }

    private mutating func suspect(
        _ cause: SuspicionCause, _ now: Instant, _ random: inout SplitMix64
    ) -> Bool {
        guard !isSuspected else { return false }
        state = .suspected
        isSuspected = true
        self.cause = cause
        suspectedAt = now
        trialsGood = 0
        isOnTrial = false
        nextStepAt = .distantFuture
        putOff(now, &random)
        return true
    }

    private mutating func putOff(_ now: Instant, _ random: inout SplitMix64) {
        if isWithheld { return }
        let shortened = Double(pause) * (1 - 0.25 * random.nextUnit())
        nextTrialAt = now.advanced(byNanoseconds: Int64(shortened))
        lengthenPause(now)
        trialsGood = 0
    }

    /// A trial that fails at once is made up for elsewhere; one that is not answered is lost.
    private mutating func lengthenPause(_ now: Instant) {
        let isCostly = cause == .silence || cause == .slowness
        let age = isCostly ? now.nanoseconds(since: suspectedAt) / Self.costlyPausePart : 0
        let longest = min(max(Self.longestPause, age), Self.longestCostlyPause)
        pause = min(2 * pause, longest)
    }

    private mutating func turn(_ now: Instant) {
        let age = now.nanoseconds(since: windowStart)
        guard age >= Self.windowNanoseconds else { return }
        previous = age < 2 * Self.windowNanoseconds ? current : Ends()
        current = Ends()
        windowStart = now
    }

    /// The upper end of Wilson's interval for the share of good ends, z = 2.6.
    static func wilsonUpper(_ ends: Ends) -> Double {
        let count = Double(ends.count)
        let square = 2.6 * 2.6
        let center = Double(ends.good) + square / 2
        let product = Double(ends.good) * Double(ends.bad) / count
        let spread = 2.6 * (product + square / 4).squareRoot()
        return (center + spread) / (count + square)
    }
}
