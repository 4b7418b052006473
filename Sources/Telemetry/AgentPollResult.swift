// How questions to agents end, as the metric's label has it.

/// How a question to an agent ended.
package enum AgentPollResult: UInt8, CaseIterable, Sendable {
    /// With a line that could be read.
    case answered
    /// With something else.
    case unreadable
    /// Without an answer in time.
    case failed

    /// The value of the metric's `result` label.
    package var name: StaticString {
        switch self {
        case .answered: "answered"
        case .unreadable: "unreadable"
        case .failed: "failed"
        }
    }
}
