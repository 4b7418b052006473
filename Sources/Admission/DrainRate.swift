// How many requests a second the pool gets done when it is asked for all it can do. The predicted
// wait and Retry-After rest on it.
//
// Only busy time counts: time in which requests were waiting or no backend had room. A quiet night
// therefore says nothing about capacity, and the first burst after it is not refused. With n
// completions in B busy seconds out of the last 10, a sum of limits L and a mean service time T,
// the estimate is
//
//     rate = (n + k) / (B + k T / L),   k = 8
//
// that is, the measured rate n / B held together by k imagined completions at the rate L / T that
// Little's law gives a full pool. Without busy time it is L / T; the more there is, the less L / T
// matters; with nothing completed (a backend that hangs) it falls towards 0. Until the first
// success T is unknown, and so is the rate.

/// Completions per busy second over a sliding window, steadied by limit over service time.
struct DrainRate: Sendable {
    /// Completions that the prior from limit and service time is worth.
    private static let priorCompletions = 8.0
    /// Share of a new service time in the running mean.
    private static let serviceTimeWeight = 0.1
    private static let bucketNanoseconds: Int64 = 1_000_000_000
    private static let bucketCount = 10

    private struct Bucket: Sendable {
        var completions = 0
        var busyNanoseconds: Int64 = 0
    }

    private var buckets = [Bucket](repeating: Bucket(), count: bucketCount)
    private var total = Bucket()
    private var current = 0
    private var currentStart: Instant?
    private var lastAdvance = Instant(nanoseconds: 0)
    private var serviceTime: Double?

    /// Mean time from grant to success in seconds; nil before the first success.
    var serviceSeconds: Double? { serviceTime }

    /// Accounts for the time since the last call, throughout which the pool was busy or not.
    mutating func advance(to now: Instant, wasBusy: Bool) {
        guard var start = currentStart else {
            currentStart = now
            lastAdvance = now
            return
        }
        let steps = now.nanoseconds(since: start) / Self.bucketNanoseconds
        if steps > Int64(Self.bucketCount) {
            // Whatever lies further back than the window is rotated out of it anyway.
            let skipped = (steps - Int64(Self.bucketCount)) * Self.bucketNanoseconds
            start = start.advanced(byNanoseconds: skipped)
            lastAdvance = start
        }
        for _ in 0..<min(steps, Int64(Self.bucketCount)) {
            start = start.advanced(byNanoseconds: Self.bucketNanoseconds)
            account(until: start, wasBusy: wasBusy)
            rotate()
        }
        account(until: now, wasBusy: wasBusy)
        currentStart = start
    }

    /// A permit came free while the pool was busy.
    mutating func recordBusyCompletion() {
        buckets[current].completions += 1
        total.completions += 1
    }

    /// A request succeeded after that time.
    mutating func recordService(nanoseconds: Int64) {
        let seconds = Double(nanoseconds) / 1e9
        guard let mean = serviceTime else {
            serviceTime = seconds
            return
        }
        serviceTime = mean + Self.serviceTimeWeight * (seconds - mean)
    }

    /// Requests a second that the pool gets done with a sum of limits of `limit`; nil while
    /// unknown.
    func perSecond(limit: Int) -> Double? {
        guard let serviceTime, limit > 0 else { return nil }
        let prior = Self.priorCompletions
        let busySeconds = Double(total.busyNanoseconds) / 1e9
        return (Double(total.completions) + prior)
            / (busySeconds + prior * max(serviceTime, 1e-9) / Double(limit))
    }

    private mutating func account(until instant: Instant, wasBusy: Bool) {
        let elapsed = instant.nanoseconds(since: lastAdvance)
        lastAdvance = instant
        guard wasBusy else { return }
        buckets[current].busyNanoseconds += elapsed
        total.busyNanoseconds += elapsed
    }

    private mutating func rotate() {
        current = (current + 1) % Self.bucketCount
        total.completions -= buckets[current].completions
        total.busyNanoseconds -= buckets[current].busyNanoseconds
        buckets[current] = Bucket()
    }
}
