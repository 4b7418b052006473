// How much work a second the pool gets done when it is asked for all it can do. The predicted wait
// and Retry-After rest on it. Work is counted in units of cost, of which a usual request has one.
//
// Only busy time counts: time in which requests were waiting or no backend had room. A quiet night
// therefore says nothing about capacity, and the first burst after it is not refused. With n
// units completed in B busy seconds out of the last 4, a sum of limits L and a mean T of the seconds
// that a unit takes of one slot of the limit,
// the estimate is
//
//     rate = (n + k) / (B + k T / L),   k = 8
//
// that is, the measured rate n / B held together by k imagined units at the rate L / T that
// Little's law gives a full pool. Without busy time it is L / T; the more there is, the less L / T
// matters; with nothing completed (a backend that hangs) it falls towards 0. Until the first
// success T is unknown, and so is the rate.

/// Units of cost per busy second over a sliding window, steadied by limit over service time.
struct DrainRate: Sendable {
    /// Units that the prior from limit and service time is worth.
    private static let priorUnits = 8.0
    /// Share of a new service time in the running mean.
    private static let serviceTimeWeight = 0.1
    private static let bucketNanoseconds: Int64 = 400_000_000
    private static let bucketCount = 10

    private struct Bucket: Sendable {
        var units = 0.0
        var busyNanoseconds: Int64 = 0
    }

    private var buckets = [Bucket](repeating: Bucket(), count: bucketCount)
    private var total = Bucket()
    private var current = 0
    private var currentStart: Instant?
    private var lastAdvance = Instant(nanoseconds: 0)
    /// Mean of seconds times seats; nil before the first success.
    private var seatSeconds: Double?
    private var meanCost = 1.0
    private var median = RunningQuantile()
    private var long = RunningQuantile()
    private var firstByteLate = RunningQuantile()

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

    /// Seconds, times units of the limit, that a unit of cost usually takes; nil before the first
    /// success.
    var seatSecondsPerUnit: Double? {
        seatSeconds.map { max($0 / max(meanCost, 1e-9), 1e-9) }
    }

    /// The usual time from grant to success, in nanoseconds; 0 before the first success.
    var medianServiceNanoseconds: Int64 { Int64(median.value) }

    /// A time from grant to success that one request in a hundred exceeds, in nanoseconds; 0 before the
    /// first success.
    var longServiceNanoseconds: Int64 { Int64(max(long.value, median.value)) }

    /// A time from grant to a response's first byte that one request in ten exceeds, in seconds; 0 before
    /// the first success.
    ///
    /// Who may wait until the usual time is left would be answered too late in half of all cases.
    var firstByteSeconds: Double { firstByteLate.value / 1e9 }

    /// A request's work was done to its end while the pool was busy.
    mutating func recordBusyCompletion(cost: Double = 1) {
        buckets[current].units += cost
        total.units += cost
    }

    /// A request of that cost, which took so many units of the limit, succeeded after that time.
    mutating func recordService(
        nanoseconds: Int64, firstByteNanoseconds: Int64? = nil, cost: Double = 1, seats: Int = 1
    ) {
        let time = Double(nanoseconds)
        let firstByte = Double(firstByteNanoseconds ?? nanoseconds)
        let sample = time / 1e9 * Double(seats)
        median.take(time, downSteps: 1)
        firstByteLate.take(firstByte, downSteps: 9)
        long.take(time, downSteps: 99)
        guard let mean = seatSeconds else {
            seatSeconds = sample
            meanCost = cost
            return
        }
        seatSeconds = mean + Self.serviceTimeWeight * (sample - mean)
        meanCost += Self.serviceTimeWeight * (cost - meanCost)
    }

    /// Units of cost a second that the pool gets done with a sum of limits of `limit`; nil while
    /// unknown.
    func perSecond(limit: Int) -> Double? {
        guard let secondsPerUnit = seatSecondsPerUnit, limit > 0 else { return nil }
        let prior = Self.priorUnits
        let busySeconds = Double(total.busyNanoseconds) / 1e9
        return (total.units + prior)
            / (busySeconds + prior * secondsPerUnit / Double(limit))
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
        // What is left of sums of fractions is not work.
        total.units = max(0, total.units - buckets[current].units)
        total.busyNanoseconds -= buckets[current].busyNanoseconds
        buckets[current] = Bucket()
    }
}
