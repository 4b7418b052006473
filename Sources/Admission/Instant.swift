// The only notion of time in Penstock's pure cores: a point on a monotonic clock that the caller
// read.

/// A point in time, in nanoseconds on a monotonic clock whose zero has no meaning.
package struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's arbitrary zero.
    package var nanoseconds: Int64

    /// Makes an instant from nanoseconds since the clock's arbitrary zero.
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The end of time: later than any deadline.
    package static var distantFuture: Instant { Instant(nanoseconds: .max) }

    // Written out: what is synthesized, other modules call through a table of the conformance.

    /// Whether both are the same point in time.
    package static func == (left: Instant, right: Instant) -> Bool {
        left.nanoseconds == right.nanoseconds
    }

    /// Orders by time.
    package static func <= (left: Instant, right: Instant) -> Bool {
        left.nanoseconds <= right.nanoseconds
    }

    /// Orders by time.
    package static func >= (left: Instant, right: Instant) -> Bool {
        left.nanoseconds >= right.nanoseconds
    }

    /// Orders by time.
    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Nanoseconds from `earlier` to this instant; negative when `earlier` is later.
    package func nanoseconds(since earlier: Instant) -> Int64 {
        nanoseconds - earlier.nanoseconds
    }

    /// Seconds from `earlier` to this instant; negative when `earlier` is later.
    package func seconds(since earlier: Instant) -> Double {
        Double(nanoseconds - earlier.nanoseconds) / 1e9
    }

    /// The instant `nanoseconds` later; saturates at `distantFuture`.
    package func advanced(byNanoseconds nanoseconds: Int64) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }
}

extension Duration {
    /// This duration in whole nanoseconds, saturating at about 292 years.
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, overflowSum) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowSum ? .max : sum
    }

    /// This duration in seconds.
    package var inSeconds: Double { Double(wholeNanoseconds) / 1e9 }
}
