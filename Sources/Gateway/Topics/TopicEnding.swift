// How a topic divides the time that it has for its end, so that the gateway is gone when that is over whether or not
// brokers answer: most of it is for what is under way, the rest for writing what has ended and for leaving the group. Pure.

internal import Admission

/// The end of a topic, from when it is to finish.
struct TopicEnding {
    /// What is under way is given up then.
    let cutsAt: Instant
    /// What has ended and is not written is left to whoever reads it next.
    let settlesUntil: Instant
    /// The group finds out by itself.
    let leavesUntil: Instant

    /// What is kept of it for the end of the end, at most.
    private static let mostReserveNanoseconds: Int64 = 2_000_000_000

    /// The end that begins at `now` and has that time.
    init(now: Instant, nanoseconds: Int64) {
        let reserve = min(nanoseconds / 8, TopicEnding.mostReserveNanoseconds)
        cutsAt = now.advanced(byNanoseconds: nanoseconds - reserve)
        settlesUntil = now.advanced(byNanoseconds: nanoseconds - reserve / 2)
        leavesUntil = now.advanced(byNanoseconds: nanoseconds - reserve / 4)
    }
}
