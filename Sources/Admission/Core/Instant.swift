// The only notion of time in Penstock's pure cores: a point on a monotonic clock that the caller
// read.
//
// It is public, as little is, because only then other modules have it inlined: a call for each
// comparison of two numbers was 400 instructions of a request.

/// A point in time, in nanoseconds on a monotonic clock whose zero has no meaning.
@frozen public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's arbitrary zero.
    public var nanoseconds: Int64

    /// Makes an instant from nanoseconds since the clock's arbitrary zero.
    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The end of time: later than any deadline.
    @inlinable public static var distantFuture: Instant { Instant(nanoseconds: .max) }

    // Written out: what is synthesized, other modules call through a table of the conformance.

    /// Whether both are the same point in time.
    @inlinable public static func == (left: Instant, right: Instant) -> Bool {
        left.nanoseconds == right.nanoseconds
    }

    /// Orders by time.
    @inlinable public static func <= (left: Instant, right: Instant) -> Bool {
        left.nanoseconds <= right.nanoseconds
    }

    /// Orders by time.
    @inlinable public static func >= (left: Instant, right: Instant) -> Bool {
        left.nanoseconds >= right.nanoseconds
    }

    /// Orders by time.
    @inlinable public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Nanoseconds from `earlier` to this instant; negative when `earlier` is later.
    @inlinable public func nanoseconds(since earlier: Instant) -> Int64 {
        nanoseconds - earlier.nanoseconds
    }

    /// Seconds from `earlier` to this instant; negative when `earlier` is later.
    @inlinable public func seconds(since earlier: Instant) -> Double {
        Double(nanoseconds - earlier.nanoseconds) / 1e9
    }

    /// The instant `nanoseconds` later; saturates at `distantFuture`.
    @inlinable public func advanced(byNanoseconds nanoseconds: Int64) -> Instant {
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
