// One priority class of a pool's queue: its flows in the order of service, its requests in the
// order of arrival, and what it has running.

/// What a queue keeps of one priority class.
struct PriorityClass: Sendable {
    var settings: PriorityClassSettings
    /// Index among the classes, 0 the highest.
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
    /// The bytes that they hold.
    var bytes = 0
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
    /// What the clients of several of its tenants bear.
    var patience = SharedPatience()
    var grants = GrantRate()

    init(_ settings: PriorityClassSettings) { self.settings = settings }
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
