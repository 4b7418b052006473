// How long somebody waits who was disappointed: longer each time, and never as long as the next one.

internal import Admission

/// Pauses between tries that fail.
struct Backoff {
    /// The first pause, and the longest.
    private static let firstNanoseconds: Int64 = 500_000_000
    private static let longestNanoseconds: Int64 = 30_000_000_000

    private var next = Backoff.firstNanoseconds

    /// It went well.
    mutating func reset() { next = Backoff.firstNanoseconds }

    /// It failed; how long to wait, in nanoseconds: twice as long as the last time, of which half is left to chance.
    mutating func pause(_ random: inout SplitMix64) -> Int64 {
        let pause = Double(next) * (0.5 + 0.5 * random.nextUnit())
        next = min(2 * next, Backoff.longestNanoseconds)
        return Int64(pause)
    }
}
