// Whether closing a connection stops the engine behind it. A slot of the limit is free when the
// engine is done with it; many engines go on with work that nobody wants any more, and say nothing.
//
// Where nothing is known and others want the slot, the work goes on as if the client were there,
// and its slot comes back at its end, or when surely no request would take longer: that is right
// for either kind of engine, and costs one that would have stopped the work. Without the second
// bound clients that ask for endless responses and leave would take all slots for good. Where
// nobody wants it, the connection is closed, and the slot is kept free for as long as the work
// would take. Meanwhile a few connections are closed at once although others want the slot, in one
// of each two stretches of time, left to chance, and their slots given away. If the engine stops,
// requests that start beside such closed work take as long as those that start without it, at equal
// numbers in flight. If it goes on, there are more inside than are counted, and they take longer:
// with z requests that nobody counts beside n that are, by Little's law, up to
//
//     ln T' - ln T = ln(1 + z / n)
//
// and as much as two thirds of it were found with engines that go on. Less than 0.45 of it says
// that the engine stops, soon at least; more says that it goes on. What is compared are
// neighbouring stretches. At first so few are closed at a time that it harms nobody, which takes
// long to tell anything; as it becomes likely that the engine stops, twice as many are.

/// How a response comes, as far as it matters to engines that look whether their client is there.
package enum RequestKind: UInt8, CaseIterable, Sendable {
    /// In one piece.
    case whole
    /// As a stream.
    case streamed
}

/// What is known of a pool's engines and clients that leave.
package enum CancelRule: String, CaseIterable, Sendable {
    /// It is learnt for each backend and kind of request.
    case auto
    /// They stop when the connection is closed.
    case stops
    /// They go on to the end of the response.
    case continues
}

/// What to do with the backend's connection of a request whose client has left.
package enum Departure: Equatable, Sendable {
    /// Close it, and spend the permit: the slot is free.
    case close
    /// Read the response to its end, and spend the permit then; close the connection where it has not
    /// ended until that instant.
    case keep(until: Instant)
}

/// What one backend does about closed connections of one kind of request.
struct CancelLearning: Sendable {
    /// What is believed.
    enum Verdict: Sendable {
        case unknown
        case stops
        case continues
    }

    /// What a request that starts now will be counted as when it ends.
    enum Comparison: Sendable {
        /// The limit was not used up, or closed work of both kinds was there.
        case none
        /// It started beside so many closed requests of that kind.
        case beside(RequestKind, Int32)
        /// It started without any.
        case without
    }

    /// Mean and variance of numbers that come one by one (Welford, 1962).
    struct Mean: Sendable {
        private(set) var count = 0.0
        private(set) var mean = 0.0
        private var squares = 0.0

        mutating func add(_ value: Double) {
            count += 1
            let distance = value - mean
            mean += distance / count
            squares += distance * (value - mean)
        }

        /// The square of the mean's standard error.
        var error: Double { count > 1 ? squares / (count - 1) / count : .infinity }
    }

    /// Pairs of stretches that a verdict needs, and after which nothing more is to be found out.
    private static let pairs = (least: 5.0, most: 60.0)
    /// The part of the expected difference that divides the two.
    private static let divide = 0.45
    /// How often the number of requests that are closed at a time is doubled before a verdict.
    private static let doublings = 1
    /// Requests of either sort that a pair needs.
    private static let leastRequests = 3.0
    /// Standard errors by which verdicts, and the next doubling, have to be sure.
    ///
    /// To take an engine
    /// that goes on for one that stops is the worse mistake.
    private static let certainty = (stops: 2.5, continues: 2.5, doubling: 1.0)
    private static let reportsEnough = 8
    /// After so long a verdict is looked at anew: engines are upgraded.
    private static let memoryNanoseconds: Int64 = 900_000_000_000

    private(set) var verdict = Verdict.unknown
    private var judgedAt = Instant(nanoseconds: 0)
    /// When closed work would end if the engine went on with it.
    private var closed: [Instant] = []
    /// When the last of them would surely have ended.
    private var surelyEnded: [Instant] = []
    private var lastClosedEnd = Instant(nanoseconds: .min / 2)
    /// Logarithms of times in the present pair of stretches.
    private var besideClosed = Mean()
    private var withoutClosed = Mean()
    /// Their differences, by pair: neighbours in time, so that a machine that gets slower for other
    /// reasons does not count.
    private var differences = Mean()
    /// Mean of ln(1 + z / n) over the requests that started beside closed work.
    private var expected = Mean()
    /// Whether connections are closed in this stretch; the other one of its pair is the opposite.
    private var isTesting = false
    private var doubled = 0
    private var isSecond = true
    private var stretchEnd = Instant(nanoseconds: .min / 2)
    /// Reports that spoke for going on, less those that spoke for stopping.
    private var reportsInside = 0

    /// How many of the closed would still be at work at `now`.
    mutating func closedCount(now: Instant) -> Int {
        guard !closed.isEmpty else { return 0 }
        closed.removeAll { $0 <= now }
        return closed.count
    }

    /// Whether the connection of a client that leaves is closed; `rest` is for how long its work would go on, and
    /// `longestRest` for how long at most.
    ///
    /// `isBound` says whether others want the slot, `limit` how many there are.
    mutating func closes(
        rest: Int64, longestRest: Int64, service: Int64, isBound: Bool, limit: Int, now: Instant,
        random: inout SplitMix64
    ) -> Bool {
        if verdict != .unknown, now.nanoseconds(since: judgedAt) > Self.memoryNanoseconds {
            self = CancelLearning()
        }
        switch verdict {
        case .stops: return true
        case .continues: return false
        case .unknown: break
        }
        turn(service: service, now: now, random: &random)
        let most = (limit <= 4 ? 1 : max(2, limit / 8)) << doubled
        surelyEnded.removeAll { $0 <= now }
        guard isBound, isTesting, surelyEnded.count < most else { return false }
        surelyEnded.append(now.advanced(byNanoseconds: max(0, longestRest)))
        let end = now.advanced(byNanoseconds: max(0, rest))
        closed.append(end)
        lastClosedEnd = max(lastClosedEnd, end)
        return true
    }

    /// Whether what closed work has held up has left by `now`.
    @inline(__always) func isClear(service: Int64, now: Instant) -> Bool {
        now >= lastClosedEnd.advanced(byNanoseconds: service)
    }

    /// A request has succeeded that started beside closed work, after that time for each unit.
    mutating func learn(besideClosed closed: Int32, inFlight: Int, nanosecondsPerUnit time: Double)
    {
        guard verdict == .unknown else { return }
        besideClosed.add(naturalLogarithm(max(time, 1)))
        expected.add(naturalLogarithm(1 + Double(max(closed, 1)) / Double(max(inFlight, 1))))
    }

    /// The same of one that started without.
    mutating func learn(nanosecondsPerUnit time: Double) {
        guard verdict == .unknown else { return }
        withoutClosed.add(naturalLogarithm(max(time, 1)))
    }

    /// A report says how many the engine has inside while `closed` would be at work beside the
    /// `inFlight` that are counted: which of the two it is nearer to.
    mutating func note(inside: Int, inFlight: Int, now: Instant) {
        let count = closedCount(now: now)
        guard verdict == .unknown, count > 0 else { return }
        reportsInside += 2 * (inside - inFlight) > count ? 1 : -1
        guard abs(reportsInside) >= Self.reportsEnough else { return }
        settle(reportsInside > 0 ? .continues : .stops, now: now)
    }

    /// Begins the next stretch if the last one is over.
    private mutating func turn(service: Int64, now: Instant, random: inout SplitMix64) {
        guard now >= stretchEnd else { return }
        if isSecond {
            endPair(now: now)
            isTesting = random.next() & 1 == 0
        } else {
            isTesting.toggle()
        }
        isSecond.toggle()
        let length = min(max(4 * service, 500_000_000), 10_000_000_000)
        stretchEnd = now.advanced(byNanoseconds: length)
    }

    private mutating func endPair(now: Instant) {
        if besideClosed.count >= Self.leastRequests, withoutClosed.count >= Self.leastRequests {
            differences.add(besideClosed.mean - withoutClosed.mean)
        }
        besideClosed = Mean()
        withoutClosed = Mean()
        guard differences.count >= Self.pairs.least else { return }
        let error = differences.error.squareRoot()
        let divide = Self.divide * expected.mean
        if differences.mean - Self.certainty.continues * error > divide
            || differences.count >= Self.pairs.most
        {
            settle(.continues, now: now)
        } else if doubled < Self.doublings {
            guard differences.mean + Self.certainty.doubling * error < divide else { return }
            doubled += 1
            differences = Mean()
            expected = Mean()
        } else if differences.mean + Self.certainty.stops * error < divide {
            settle(.stops, now: now)
        }
    }

    private mutating func settle(_ verdict: Verdict, now: Instant) {
        self = CancelLearning()
        self.verdict = verdict
        judgedAt = now
    }
}
