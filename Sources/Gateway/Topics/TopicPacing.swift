// When a consumer reads nothing. Pausing throws away what was fetched, so it is not done for every moment without
// demand: a message in hand bridges that. Pure.

internal import Admission

/// Pauses and resumes a consumer.
struct TopicPacing {
    /// What is to be done.
    enum Step: Equatable {
        case pause, resume
    }

    private(set) var isPaused = false
    /// Since when there was no demand; nil while there is some.
    private var idleSince: Instant?

    /// For how long there is no demand before a consumer is paused.
    private static let patienceNanoseconds: Int64 = 1_000_000_000

    /// Looks at whether another message is wanted; what is to be done about it.
    mutating func look(wantsMore: Bool, now: Instant) -> Step? {
        if wantsMore {
            idleSince = nil
            guard isPaused else { return nil }
            isPaused = false
            return .resume
        }
        let since = idleSince ?? now
        idleSince = since
        guard !isPaused, now >= since.advanced(byNanoseconds: TopicPacing.patienceNanoseconds)
        else { return nil }
        isPaused = true
        return .pause
    }
}
