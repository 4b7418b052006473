// What became of a message of a topic, and what of that is written together.

internal import Reactor

/// What became of a message.
enum TopicOutcome: Equatable {
    /// Its result, and whether that is what was asked for.
    case result([UInt8], isCompleted: Bool)
    /// It failed for good: it goes to where somebody looks at it, with the reason.
    case dead(reason: String)

    /// Bytes that are kept until it is written, besides its message.
    var heldBytes: Int { if case .result(let line, _) = self { line.count } else { 0 } }
}

/// What is written together, and where the group goes on then.
struct TopicBatch: Equatable {
    /// A message with what became of it.
    struct Entry: Equatable {
        let message: KafkaMessage
        var outcome: TopicOutcome
    }

    /// Where a partition goes on, in which of its times with this gateway.
    struct Place: Equatable {
        let offset: KafkaOffset
        let generation: Int
    }

    var entries: [Entry] = []
    var places: [Place] = []
    var isEmpty: Bool { entries.isEmpty }
}
