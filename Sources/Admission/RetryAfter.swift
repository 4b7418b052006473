// When a refused client should come back. Two figures are kept apart: the time the queue needs to
// drain, which the controller computes, and a floor under it that rises while rejections keep
// coming.

/// The floor under Retry-After, in whole seconds.
///
/// The rule of Kubernetes' API Priority and Fairness (apiserver, dropped_requests_tracker.go): once
/// a second, with `r` the floor and `drops` the rejections of the last `r` seconds, `drops >= 3 r`
/// doubles the floor, at most once in `r` seconds; `drops < r` takes one second off. It stays
/// within 1...32.
struct RetryAfterFloor: Sendable {
    private static let highest = 32

    /// Seconds, 1...32.
    private(set) var seconds = 1
    /// Rejections in each of the last seconds, the second `current` included.
    private var rejections = [Int](repeating: 0, count: highest + 1)
    private var origin: Instant?
    private var current: Int64 = 0
    private var raisedAt = Int64.min / 2

    /// Counts a rejection, and judges the seconds that have gone by.
    mutating func recordRejection(now: Instant) {
        advance(to: now)
        rejections[Int(current) % rejections.count] += 1
    }

    private mutating func advance(to now: Instant) {
        guard let origin else {
            self.origin = now
            return
        }
        let second = max(current, now.nanoseconds(since: origin) / 1_000_000_000)
        // After as many silent seconds as this the floor is down at 1 and no count is left.
        if second - current > Int64(2 * rejections.count) {
            for index in rejections.indices { rejections[index] = 0 }
            seconds = 1
            current = second
        }
        while current < second {
            current += 1
            rejections[Int(current % Int64(rejections.count))] = 0
            judge()
        }
    }

    /// Judges the `seconds` seconds before the current one.
    private mutating func judge() {
        var drops = 0
        for age in 1...seconds {
            let index = (current - Int64(age)) % Int64(rejections.count)
            if index >= 0 { drops += rejections[Int(index)] }
        }
        if drops >= 3 * seconds, current - raisedAt >= Int64(seconds) {
            seconds = min(2 * seconds, Self.highest)
            raisedAt = current
        } else if drops < seconds, seconds > 1 {
            seconds -= 1
        }
    }
}

/// The time handed out with one rejection.
enum RetryAfter {
    /// Longest time before jitter: half as much again is just the 60 s that are never exceeded.
    ///
    /// Cutting the jittered time off at 60 s instead would send many clients back at the same
    /// instant.
    private static let longestSeconds = 40.0

    /// Milliseconds, 1,000...60,000, for a wait of that many seconds or the floor, whichever is
    /// longer.
    ///
    /// Up to half as much again is added at random, so that those who were refused together do not
    /// come back together.
    static func milliseconds(
        waitSeconds: Double, floorSeconds: Int, random: inout SplitMix64
    ) -> Int {
        let wait = waitSeconds.isFinite ? waitSeconds : longestSeconds
        let seconds = min(max(wait, Double(floorSeconds), 1), longestSeconds)
        let jittered = seconds * (1 + 0.5 * random.nextUnit()) * 1000
        let whole = Int(jittered)
        return min(Double(whole) < jittered ? whole + 1 : whole, 60_000)
    }
}
