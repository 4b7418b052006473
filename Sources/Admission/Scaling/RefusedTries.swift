// How many requests a second are refused of late, and how many of them may come again. Both are counted in steps of a second, so that
// a refusal costs a comparison and an addition, and what is older weighs less and less: with steps of length d,
//
//     rate <- rate a + (1 - a) n / d,   a = e^(-d / 15 s),   d = 1 s
//
// for n refusals in a step, the exponentially weighted moving average of the steps' rates. Of those that may come again
// the share b = e^(-d / 120 s) is left after a step: common clients try three times in all, and are told to wait a minute at most.

/// Tries that were refused: an average of each second's, in which fifteen seconds count for 63 %.
package struct RefusedTries: Sendable {
    private static let stepNanoseconds: Int64 = 1_000_000_000
    /// e to the power of -1/15 and of -1/120.
    private static let kept = (rate: 0.935_506_985, returning: 0.991_701_293)
    /// What is less than one in a thousand seconds is nothing.
    private static let least = 1e-3
    /// Steps after which nothing is left of any rate: e^-40, and e^-5 of what may come again.
    private static let longestMemory: Int64 = 600

    private var perSecond = 0.0
    /// Those of the steps that are over that may come again.
    private var returning = 0.0
    private var count = 0
    private var stepEnd = Instant(nanoseconds: .min / 2)

    /// Nothing was refused.
    package init() {}

    /// One more was refused.
    @inline(__always) package mutating func note(now: Instant) {
        if now >= stepEnd { advance(to: now) }
        count &+= 1
    }

    /// A try begins that is a further one: whether one that was refused here, and counted, explains it.
    mutating func explainsReturn(now: Instant) -> Bool {
        if now >= stepEnd { advance(to: now) }
        guard returning >= 1 else { return false }
        returning -= 1
        return true
    }

    /// Whether one that was refused here may still come again.
    var mayReturn: Bool { returning >= 1 }

    /// What was refused each second of late, from 0; the step that is not over does not count.
    package func perSecond(now: Instant) -> Double {
        var copy = self
        if now >= stepEnd { copy.advance(to: now) }
        return copy.perSecond
    }

    /// Ends the steps that are over by `now`.
    @inline(never) private mutating func advance(to now: Instant) {
        let steps = now.nanoseconds(since: stepEnd) / Self.stepNanoseconds
        guard steps < Self.longestMemory else {
            self = RefusedTries()
            stepEnd = now.advanced(byNanoseconds: Self.stepNanoseconds)
            return
        }
        perSecond = perSecond * Self.kept.rate + (1 - Self.kept.rate) * Double(count)
        returning = returning * Self.kept.returning + Double(count)
        count = 0
        for _ in 0..<steps {
            perSecond *= Self.kept.rate
            returning *= Self.kept.returning
        }
        if perSecond < Self.least { perSecond = 0 }
        stepEnd = stepEnd.advanced(byNanoseconds: (steps + 1) * Self.stepNanoseconds)
    }
}
