// How much may be tried again. Without a bound a backend that fails doubles the load on the others
// just when they have to do its work too.
//
// Finagle's form (RetryBudget): each request earns a share of a retry, each retry spends a whole one,
// and some a second are there anyway. Both are counted over the last ten to twenty seconds, so that
// a quiet night saves nothing up for a bad morning.

/// A pool's budget of retries.
struct RetryBudget: Sendable {
    private static let windowNanoseconds: Int64 = 10_000_000_000

    private struct Window: Sendable {
        var requests = 0
        var retries = 0
    }

    var settings: RetrySettings
    private var current = Window()
    private var previous = Window()
    private var windowStart: Instant?

    init(_ settings: RetrySettings) { self.settings = settings }

    /// A request was started for the first time.
    mutating func deposit(now: Instant) {
        turn(now)
        current.requests += 1
    }

    /// Whether a retry may be made now.
    mutating func allowsRetry(now: Instant) -> Bool {
        turn(now)
        let requests = Double(current.requests + previous.requests)
        let retries = Double(current.retries + previous.retries)
        let seconds = Double(Self.windowNanoseconds) / 1e9
        return retries + 1 <= settings.share * requests + settings.floorPerSecond * seconds
    }

    /// A retry is made.
    mutating func withdraw(now: Instant) {
        turn(now)
        current.retries += 1
    }

    private mutating func turn(_ now: Instant) {
        guard let start = windowStart else {
            windowStart = now
            return
        }
        let elapsed = now.nanoseconds(since: start)
        guard elapsed >= Self.windowNanoseconds else { return }
        previous = elapsed < 2 * Self.windowNanoseconds ? current : Window()
        current = Window()
        windowStart = now
    }
}

/// How much of a pool's requests may be tried again at another backend.
package struct RetrySettings: Equatable, Sendable {
    /// Retries for each request, 0...1; 0 with a floor of 0 for none.
    package var share = 0.1
    /// Retries a second that may be made in any case, 0...1,000.
    package var floorPerSecond = 1.0

    /// The defaults.
    package init() {}
}
