// What a topic's clients are told in librdkafka's own words. What every message having one result hangs on is said last,
// so that nothing of the policy's changes it.

internal import Policy
internal import Reactor

extension TopicSettings {
    /// Settings of the policy's, as the library wants them.
    private var given: [KafkaProperty] {
        properties.map {
            KafkaProperty($0.name, String(decoding: $0.value.bytes, as: UTF8.self))
        }
    }

    /// A property, where the library has it.
    ///
    /// Versions from 2.2 on wait for a second before they fetch more where anything is left of what was fetched.
    private static func known(_ name: String, _ value: String) -> [KafkaProperty] {
        let properties = [KafkaProperty(name, value)]
        do throws(SystemError) {
            try properties.check()
            return properties
        } catch {
            return []
        }
    }

    private var shared: [KafkaProperty] {
        [KafkaProperty("bootstrap.servers", brokers.joined(separator: ","))]
    }

    /// What its consumers are told.
    var consumerProperties: [KafkaProperty] {
        [
            KafkaProperty("client.id", "penstock"), KafkaProperty("auto.offset.reset", "earliest"),
            // A partition that is read again waits for the answer to what was asked without it.
            KafkaProperty("fetch.wait.max.ms", "100"),
        ] + TopicSettings.known("fetch.queue.backoff.ms", "10") + given + shared + [
            KafkaProperty("group.id", group), KafkaProperty("enable.auto.commit", "false"),
            KafkaProperty("enable.auto.offset.store", "false"),
            KafkaProperty("partition.assignment.strategy", "cooperative-sticky"),
            // What is fetched ahead is thrown away by every pause.
            KafkaProperty("queued.min.messages", "1"),
            KafkaProperty("queued.max.messages.kbytes", "1024"),
            KafkaProperty("isolation.level", "read_committed"),
        ]
    }

    /// What its producers are told, with the name of their transactions.
    func producerProperties(_ identity: String) -> [KafkaProperty] {
        let own = [
            KafkaProperty("client.id", "penstock"), KafkaProperty("linger.ms", "0"),
            // A topic that is not there is told after that, and not taken for brokers that have forgotten their writer.
            KafkaProperty("topic.metadata.propagation.max.ms", "5000"),
        ]
        let promises = [
            // What it is asked about ends of partitions is of all that is written.
            KafkaProperty("isolation.level", "read_uncommitted"),
            KafkaProperty("acks", "all"), KafkaProperty("enable.idempotence", "true"),
        ]
        guard isTransactional else {
            // However long brokers are away: a result that is given up would hold up all behind it.
            return own + given + shared + promises + [KafkaProperty("message.timeout.ms", "0")]
        }
        let transactions = [
            KafkaProperty("transactional.id", "penstock-\(group)-\(name)-\(identity)"),
            // What a gateway that was killed has begun holds readers up for no longer.
            KafkaProperty("transaction.timeout.ms", "10000"),
            KafkaProperty("message.timeout.ms", "9000"),
        ]
        return own + given + shared + promises + transactions
    }
}
