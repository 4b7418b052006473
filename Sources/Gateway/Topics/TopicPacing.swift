// When a consumer reads nothing, of all partitions or of one. Pausing throws away what was fetched, so it is not done for
// every moment without demand or room: a message in hand bridges that, and a partition without room holds the others up
// for a moment before it is paused by itself. Pure.

internal import Admission

/// Pauses and resumes partitions.
struct TopicPacing {
    /// What is to be done.
    struct Step: Equatable {
        var pauses: [Int32] = []
        var resumes: [Int32] = []
    }

    /// Whether nothing is read at all.
    private(set) var isPaused = false
    /// Since when there was no demand; nil while there is some.
    private var idleSince: Instant?
    /// Since when partitions have had no room; those that have some are not among them.
    private var fullSince: [Int32: Instant] = [:]
    /// Partitions that are not read before they have much room again.
    private var held: Set<Int32> = []
    /// Partitions that the consumer was told to pause.
    private var paused: Set<Int32> = []

    /// For how long there is no demand before nothing is read.
    private static let patienceNanoseconds: Int64 = 1_000_000_000
    /// For how long a partition has no room before it is paused, and others wait for it.
    private static let momentNanoseconds: Int64 = 50_000_000

    /// Whether a partition is not read.
    func isPaused(_ partition: Int32) -> Bool { paused.contains(partition) }

    /// A partition is somebody else's.
    mutating func forget(_ partition: Int32) {
        fullSince[partition] = nil
        held.remove(partition)
        paused.remove(partition)
    }

    /// Looks at whether another message is wanted, and what room partitions have; what is to be done about it.
    mutating func look(
        _ rooms: [Int32: TopicWork.Room], wantsMore: Bool, now: Instant
    ) -> Step {
        lookAtDemand(wantsMore, now)
        for (partition, room) in rooms { look(partition, room, now) }
        let wanted = isPaused ? Set(rooms.keys) : held
        let step = Step(
            pauses: wanted.subtracting(paused).sorted(),
            resumes: paused.subtracting(wanted).sorted())
        paused = wanted
        return step
    }

    private mutating func lookAtDemand(_ wantsMore: Bool, _ now: Instant) {
        guard !wantsMore else {
            idleSince = nil
            isPaused = false
            return
        }
        let since = idleSince ?? now
        idleSince = since
        if now >= since.advanced(byNanoseconds: TopicPacing.patienceNanoseconds) { isPaused = true }
    }

    private mutating func look(_ partition: Int32, _ room: TopicWork.Room, _ now: Instant) {
        guard room == .none else {
            fullSince[partition] = nil
            if room == .much { held.remove(partition) }
            return
        }
        let since = fullSince[partition] ?? now
        fullSince[partition] = since
        if now >= since.advanced(byNanoseconds: TopicPacing.momentNanoseconds) {
            held.insert(partition)
        }
    }
}
