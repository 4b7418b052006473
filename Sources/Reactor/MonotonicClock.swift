// The clock that becomes every `now` in the program. The reactor reads it once a turn.

package import Admission
internal import Glibc

/// The machine's monotonic clock.
package enum MonotonicClock {
    /// What an instant's nanoseconds have to be increased by to be those since 1970, at present.
    package static var nanosecondsToWall: Int64 {
        var time = timespec()
        // The structure lives through the call, which cannot fail for this clock.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec) - now.nanoseconds
    }

    /// The present instant in microseconds, as service managers want it.
    package static var microseconds: Int64 { now.nanoseconds / 1_000 }

    /// The present instant.
    package static var now: Instant {
        var time = timespec()
        // The structure lives through the call, which cannot fail for this clock.
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
