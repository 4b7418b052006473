// The demo's own use of the processor: figures that were measured on a busy thread would be worth
// nothing.

internal import Admission
internal import Gateway
internal import Telemetry

/// The share of one core that this process uses.
struct ProcessorMeter {
    private var lastAt: Instant
    private var lastNanoseconds = ProcessStatistics.read().cpuNanoseconds
    private var lastShare = 0.0

    /// Begins to measure.
    init(now: Instant) { lastAt = now }

    /// The share since the last call, 1 for one core all the time.
    mutating func share(now: Instant) -> Double {
        let nanoseconds = ProcessStatistics.read().cpuNanoseconds
        let passed = now.nanoseconds(since: lastAt)
        // Two calls in one turn would divide by nothing.
        if passed > 100_000_000 {
            lastShare = Double(nanoseconds - lastNanoseconds) / Double(passed)
            lastAt = now
            lastNanoseconds = nanoseconds
        }
        return lastShare
    }
}
