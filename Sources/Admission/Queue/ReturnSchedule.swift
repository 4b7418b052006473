// When a refused client should come back: when there will be room, as far as that can be said. What
// others were promised is in front of it, as far as they will come back.
//
// Promises lie one behind the other in time, each half as long as the pool needs for the request. A
// client that comes then meets not many others, and the pool never runs dry while promises wait.
// If it does run dry all the same, they did not come back: then the way is free at once, and for some
// time less is set aside for each promise.

/// The times handed out with rejections.
struct ReturnSchedule: Sendable {
    /// Longest time before jitter: half as much again is just the 60 s that are never exceeded.
    ///
    /// Cutting the jittered time off at 60 s instead would send many clients back at the same
    /// instant.
    private static let longestSeconds = 40.0
    /// How much of the time that requests take is set aside for them: half, so that the pool does not
    /// run dry when it turns out to be faster, or its limit grows, or clients are late.
    private static let shareSetAside = 0.5
    /// Shortest time: who is refused now would be refused in a moment.
    private static let leastSeconds = 0.25
    private static let leastReturning = 0.1
    private static let shareAtStart = 0.25
    private static let lossWhenDry = 0.8
    private static let recoverySeconds = 60.0

    /// Up to when the pool's time is promised.
    private var promisedUntil = Instant(nanoseconds: .min / 2)
    /// The share of promises that are taken to lead to something, 0.1...1.
    ///
    /// At the start little is known of what the pool can do, and a limit that still grows would
    /// leave it idle while a crowd waits for what was promised by a small one.
    private var returning = shareAtStart
    /// Since when that was right.
    private var judgedAt: Instant?

    /// There is room for whoever comes, at `now`.
    mutating func ranDry(now: Instant) {
        let ahead = promisedUntil.nanoseconds(since: now)
        guard ahead > 0 else { return }
        promisedUntil = now
        if ahead > 500_000_000 {
            returning = max(Self.leastReturning, Self.lossWhenDry * share(now))
            judgedAt = now
        }
    }

    private mutating func share(_ now: Instant) -> Double {
        guard let judgedAt else {
            self.judgedAt = now
            return returning
        }
        return min(1, returning + max(0, now.seconds(since: judgedAt)) / Self.recoverySeconds)
    }

    /// Milliseconds, 250...60,000, for a request that would wait that long now and that takes the
    /// pool so long; infinite waits are the longest.
    mutating func promise(
        waitSeconds: Double, requestSeconds: Double, isOutage: Bool = false, now: Instant,
        random: inout SplitMix64
    ) -> Int {
        let promised = max(0, promisedUntil.seconds(since: now))
        let wait = waitSeconds.isFinite ? waitSeconds : Self.longestSeconds
        let seconds = min(max(wait, promised, Self.leastSeconds), Self.longestSeconds)
        // In an outage nothing runs dry: all are to come back one after the other.
        let share = isOutage ? 1 : Self.shareSetAside * share(now)
        let length = min(max(requestSeconds, 0), 10) * share
        let end = min(seconds + length, Self.longestSeconds)
        promisedUntil = now.advanced(byNanoseconds: Int64(end * 1e9))
        // Beyond what is spread already, a tenth is left to chance; at the end of the scale half.
        let spread = seconds >= Self.longestSeconds ? 0.5 : 0.1
        return Self.milliseconds(seconds * (1 + spread * random.nextUnit()))
    }

    /// Milliseconds, 1,000...60,000, for a quota that comes back at its own pace.
    static func milliseconds(quotaSeconds: Double, random: inout SplitMix64) -> Int {
        let seconds = min(max(quotaSeconds, 1), longestSeconds)
        return milliseconds(seconds * (1 + 0.5 * random.nextUnit()))
    }

    private static func milliseconds(_ seconds: Double) -> Int {
        min(max(Int((seconds * 1000).rounded(.up)), 250), 60_000)
    }
}
