// Whether so many more requests of a flow come than there is room for that one which makes room is
// replaced at once. Then nobody need wait long only to be refused.
//
// A standing queue would show it too, but none stands where a batch that keeps in step gives all its
// slots back at once: then the queue is empty for a moment each time, and who came first in between
// waits longest, and often for nothing.

/// Refusals on arrival, because the wait would have been too long, in stretches of what clients bear.
struct Surplus: Sendable {
    /// Refusals in a stretch that are plenty: with fewer, a slot might find nobody waiting.
    private static let plenty: UInt32 = 32

    private var start = Instant(nanoseconds: .min / 2)
    private var count: UInt32 = 0
    private var countBefore: UInt32 = 0

    /// A request was refused on arrival.
    mutating func refused(now: Instant, stretchSeconds: Double) {
        advance(to: now, stretchSeconds)
        count &+= 1
    }

    /// Whether plenty were refused on arrival in this stretch or in the last one.
    mutating func isPlenty(now: Instant, stretchSeconds: Double) -> Bool {
        advance(to: now, stretchSeconds)
        return max(count, countBefore) >= Self.plenty
    }

    private mutating func advance(to now: Instant, _ stretch: Double) {
        let elapsed = now.seconds(since: start)
        guard elapsed >= stretch else { return }
        countBefore = elapsed < 2 * stretch ? count : 0
        count = 0
        start = now
    }
}
