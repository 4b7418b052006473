// The families about topics that requests are taken from. A page of a gateway that reads none has none of them.

extension MetricFamily {
    static let topicFamilies: [MetricFamily] = topic.map { $0.of(.topics) }

    private static let topic: [MetricFamily] = [
        .source(
            "penstock_source_up", .gauge,
            "1 while the topic's brokers answer what they are asked and take what is written, else 0."
        ) { $0.isUp ? 1 : 0 },
        MetricFamily(
            name: "penstock_source_lag", kind: .gauge, unit: nil, labels: ["topic", "partition"],
            help:
                "Messages that the topic's group has not got behind, of each partition that this gateway has."
        ) { writer, scrape in
            for topic in scrape.gateway.topics {
                for (partition, lag) in topic.figures.lags.sorted(by: { $0.key < $1.key }) {
                    writer.sample(
                        topic.label, "partition=\"\(partition)\"", UInt64(clamping: lag))
                }
            }
        },
        .source(
            "penstock_source_partitions", .gauge,
            "Partitions of the topic that the group has given this gateway."
        ) { $0.partitionCount },
        .source(
            "penstock_source_messages_open", .gauge,
            "Messages of the topic that are under way in this gateway."
        ) { $0.openCount },
        .source(
            "penstock_source_paused", .gauge,
            "1 while nothing of the topic is read, because there is no room for more, else 0."
        ) { $0.isPaused ? 1 : 0 },
        .source(
            "penstock_source_messages_read_total", .counter,
            "Messages of the topic that were read."
        ) { $0.readCount },
        MetricFamily(
            name: "penstock_source_messages_total", kind: .counter, unit: nil,
            labels: ["topic", "result"],
            help:
                "Messages by what came of them: completed with a status of 2xx, failed, dead, or late and dropped."
        ) { writer, scrape in
            for topic in scrape.gateway.topics {
                let figures = topic.figures
                let counts = [
                    ("completed", figures.completedCount), ("failed", figures.failedCount),
                    ("dead", figures.deadCount), ("late", figures.lateCount),
                ]
                for (result, count) in counts {
                    writer.sample(topic.label, "result=\"\(result)\"", UInt64(clamping: count))
                }
            }
        },
        .source(
            "penstock_source_commits_total", .counter,
            "Times that it was said where the topic's group goes on."
        ) { $0.commitCount },
        .source(
            "penstock_source_rebalances_total", .counter,
            "Times that the topic's group has given this gateway partitions or taken some."
        ) { $0.rebalanceCount },
        .source(
            "penstock_source_errors_total", .counter,
            "Times that something went wrong between this gateway and the topic's brokers."
        ) { $0.errorCount },
    ]

    /// A family with a sample for each topic.
    private static func source(
        _ name: String, _ kind: Kind, _ help: String,
        _ value: @escaping @Sendable (TopicFigures) -> Int
    ) -> MetricFamily {
        MetricFamily(name: name, kind: kind, unit: nil, labels: ["topic"], help: help) {
            writer, scrape in
            for topic in scrape.gateway.topics {
                writer.sample(topic.label, UInt64(clamping: value(topic.figures)))
            }
        }
    }
}

extension TopicSnapshot {
    fileprivate var label: String { "topic=\"\(escapedLabel(name))\"" }
}
