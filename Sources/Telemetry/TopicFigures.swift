// What is told of a topic that requests are taken from.

/// The figures of a topic.
package struct TopicFigures: Equatable, Sendable {
    /// Whether the brokers have answered what they were last asked, and take what is written.
    package var isUp = false
    /// Why they take nothing, and what would have them; empty while they do.
    package var refusal = ""
    /// Messages that were read.
    package var readCount = 0
    /// Results that were written, with a status of 2xx and others.
    package var completedCount = 0
    package var failedCount = 0
    /// Messages that were written to the dead letters.
    package var deadCount = 0
    /// Results that were dropped, because their partitions had gone.
    package var lateCount = 0
    /// Times that it was said where the group goes on.
    package var commitCount = 0
    /// Times that the group has given or taken partitions.
    package var rebalanceCount = 0
    /// Times that something went wrong between the gateway and the brokers.
    package var errorCount = 0
    /// What did last; empty where nothing has.
    package var lastError = ""
    /// Whether nothing is read, because there is no demand.
    package var isPaused = false
    /// Messages that are under way.
    package var openCount = 0
    /// By partition, how many messages there are behind those whose results are written; none where that is not
    /// known yet.
    package var lags: [Int32: Int64] = [:]
    /// Partitions that the gateway has.
    package var partitionCount = 0

    /// Messages behind those whose results are written, in the partitions of which that is known.
    package var lag: Int { lags.values.reduce(0) { $0 + Int($1) } }

    /// Nothing so far.
    package init() {}
}

/// A topic at one moment.
package struct TopicSnapshot: Sendable {
    /// What the policy calls it.
    package let name: String
    /// Its figures.
    package let figures: TopicFigures

    /// The figures of the topic that the policy calls `name`.
    package init(name: String, figures: TopicFigures) {
        self.name = name
        self.figures = figures
    }
}
