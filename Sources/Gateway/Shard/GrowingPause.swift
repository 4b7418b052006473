// The time until something that failed is tried again: a second at first, twice as long after each further failure, half a
// minute at most. Pure.

internal import Admission

/// A pause that grows while what comes after it fails.
struct GrowingPause {
    /// When the pause ends; far away where nothing has failed.
    private(set) var endsAt = Instant.distantFuture
    private var nextNanoseconds = GrowingPause.leastNanoseconds

    private static let leastNanoseconds: Int64 = 1_000_000_000
    private static let mostNanoseconds: Int64 = 30_000_000_000

    /// It has failed at `now`.
    mutating func failed(now: Instant) {
        endsAt = now.advanced(byNanoseconds: nextNanoseconds)
        nextNanoseconds = min(2 * nextNanoseconds, GrowingPause.mostNanoseconds)
    }

    /// It has not, or is wanted no more.
    mutating func ended() { self = GrowingPause() }
}
