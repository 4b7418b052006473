// Topics of Kafka that the gateway pulls requests from.

internal import Admission

/// A topic that requests are taken from, and where what became of them goes.
package struct TopicSettings: Equatable, Sendable {
    /// What metrics and the log call it: `[a-z0-9][a-z0-9_-]{0,62}`.
    package var name = ""
    /// Brokers that are asked first, `host:port`, 1 to 100.
    package var brokers: [String] = []
    /// The topic that is read.
    package var topic = ""
    /// The consumer group that the gateway is a member of, as all that share the topic are.
    package var group = ""
    /// The topic that results are written to.
    package var results = ""
    /// The topic that messages are written to whose requests have failed for good; nil for `deadLetterTopic`.
    package var deadLetters: String?
    /// The class of the requests, in whichever pool they go to; every pool has it.
    package var className = ""
    /// The tenant that the requests are charged to; nil for what the pools make of requests that name none.
    package var tenant: String?
    /// Which messages go one after the other.
    package var order = Order.none
    /// Messages of one partition from when they are read until their results are written, 1..100,000.
    package var mostOpen = 256
    /// Bytes of the longest answer that stands in a result, 1 KiB..256 MiB.
    package var maxAnswerBytes = 900 << 10
    /// Whether a result and the place where the group goes on are written in one transaction.
    package var isTransactional = false
    /// Settings of librdkafka's, by their names there; at most 32.
    package var properties: [SetField] = []

    /// Which messages go one after the other.
    package enum Order: String, CaseIterable, Sendable {
        /// None.
        case none
        /// Those with the same key; those without one as they come.
        case key
    }

    /// No topic.
    package init() {}

    /// Where messages go whose requests have failed for good.
    package var deadLetterTopic: String { deadLetters ?? "\(topic).dead" }
}
