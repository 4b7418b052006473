// One priority class of a pool's queue: its flows in the order of service, its requests in the
// order of arrival, and what it has running.

/// What a queue keeps of one priority class.
struct PriorityClass: Sendable {
    var settings: PriorityClassSettings
    /// Place among the classes, 0 the highest.
    var rank = 0
    /// Whether the policy in force has this class; one that it has not drains.
    var isPresent = true
    /// The tenants whose flows may be served.
    var heap = FlowHeap()
    /// Start tag of the request that was served last; it never goes back.
    var virtualTime = 0.0
    /// Waiting requests in the order of their arrival.
    var arrivals = SlotList()
    /// When the last of their waits ends; meaningless while nothing waits.
    var latestWaitEnd = Instant.distantFuture
    /// How many these are.
    var count = 0
    /// The sum of the expected costs of those that wait in flows.
    var cost = 0.0
    /// The sum of the weights of the tenants that have requests waiting in flows.
    var weight = 0.0
    /// Permits granted and not yet spent.
    var running = 0
    /// Units of the limit that these take.
    var seats = 0
    /// Grants to higher classes since one went to this class, while something waited here.
    var passes = 0
    var standing = StandingQueue()
    var grants = GrantRate()

    init(_ settings: PriorityClassSettings) { self.settings = settings }
}

/// Whether a class's queue stands: whether it is more than a burst that passes.
///
/// CoDel's test (Nichols, Jacobson: "Controlling Queue Delay", ACM Queue 2012): the *minimum* of
/// the wait over an interval is above a target. What is measured is the wait of the oldest request
/// at each grant, so that serving the newest first, which follows from a standing queue, does not
/// hide the queue from the test.
struct StandingQueue: Sendable {
    /// Whether the last interval's minimum was above the target.
    private(set) var isStanding = false
    private var intervalEnd: Instant?
    private var minimumNanoseconds = Int64.max

    /// A request of the class is granted, at which time the oldest has waited for that long.
    mutating func observe(
        oldestWaitNanoseconds wait: Int64, now: Instant, target: Int64, interval: Int64
    ) {
        minimumNanoseconds = min(minimumNanoseconds, wait)
        guard let end = intervalEnd else {
            intervalEnd = now.advanced(byNanoseconds: interval)
            return
        }
        guard now >= end else { return }
        isStanding = minimumNanoseconds > target
        minimumNanoseconds = .max
        intervalEnd = now.advanced(byNanoseconds: interval)
    }

    /// Nobody waits any more.
    mutating func emptied() { self = StandingQueue() }
}

/// Cost granted a second, over the last five to ten seconds.
struct GrantRate: Sendable {
    private static let windowNanoseconds: Int64 = 5_000_000_000

    private var windowStart: Instant?
    private var current = 0.0
    private var previous = 0.0

    /// Counts a grant.
    mutating func record(cost: Double, now: Instant) {
        turn(now)
        current += cost
    }

    /// Units of cost a second; what a window has not yet seen is filled up by the one before.
    mutating func perSecond(now: Instant) -> Double {
        turn(now)
        guard let start = windowStart else { return 0 }
        let window = Double(Self.windowNanoseconds) / 1e9
        let share = now.seconds(since: start) / window
        return (current + previous * (1 - share)) / window
    }

    private mutating func turn(_ now: Instant) {
        guard let start = windowStart else {
            windowStart = now
            return
        }
        let elapsed = now.nanoseconds(since: start)
        guard elapsed >= Self.windowNanoseconds else { return }
        previous = elapsed < 2 * Self.windowNanoseconds ? current : 0
        current = 0
        windowStart = now
    }
}
