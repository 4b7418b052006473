// Writes messages to topics, each once: the broker knows a message that is sent again (acks=all, idempotent). Where it
// has a transactional id, what is written becomes visible together with the offsets of what it answers, or not at all.
//
// Life: made, used and closed on one thread.

internal import CShims

/// A message that is to be written.
package struct KafkaRecord: Equatable, Sendable {
    /// Where to.
    package var topic: String
    /// Its key; nil for none.
    package var key: [UInt8]?
    package var value: [UInt8]
    /// Its headers, three at most.
    package var headers: [(name: String, value: String)] = []

    /// A message for `topic`.
    package init(topic: String, key: [UInt8]?, value: [UInt8]) {
        self.topic = topic
        self.key = key
        self.value = value
    }

    package static func == (one: KafkaRecord, other: KafkaRecord) -> Bool {
        one.topic == other.topic && one.key == other.key && one.value == other.value
            && one.headers.map(\.name) == other.headers.map(\.name)
            && one.headers.map(\.value) == other.headers.map(\.value)
    }
}

/// A writer of messages.
@safe package final class KafkaProducer {
    /// What a step of a transaction came to.
    package enum Step: Equatable, Sendable {
        case done
        /// It has to be called again.
        case again
        /// The transaction has to be aborted.
        case abort
        /// The producer is of no use any more.
        case lost
    }

    /// A message that was not written.
    package struct Failure: Equatable, Sendable {
        /// What the message was called.
        package var tag: Int64
        /// Whether it is longer than brokers take.
        package var isTooLarge: Bool
        /// Whether the producer is of no use any more.
        package var isFatal: Bool
        /// Whether the gateway itself has given it up, as by aborting its transaction.
        package var isGivenUp: Bool
        /// What would have it written; empty where nothing is known to.
        package var remedy: String
        /// Why.
        package var reason: String
    }

    /// Made in `init`, freed once, in `close`.
    private var handle: OpaquePointer?

    /// A producer with those settings; throws what is wrong with them.
    package init(_ properties: [KafkaProperty]) throws(SystemError) {
        try KafkaLibrary.open()
        let settings = unsafe try properties.settings()
        var why = [CChar](repeating: 0, count: 512)
        let room = why.count
        // The settings are the handle's from here on, or gone with it.
        guard let made = unsafe penstock_kafka_producer(settings, &why, room) else {
            throw SystemError("write to topics", because: KafkaLibrary.text(why))
        }
        unsafe handle = made
    }

    deinit { unsafe precondition(handle == nil, "a producer was let go without being closed") }

    /// Drops what is not written yet, and ends; called once.
    package func close() {
        if let handle = unsafe handle { unsafe penstock_kafka_free(handle, 0) }
        unsafe handle = nil
    }

    private var open: OpaquePointer {
        guard let handle = unsafe handle else { preconditionFailure("the producer is closed") }
        return unsafe handle
    }

    /// What the library said last; empty where it said nothing.
    package var lastError: String {
        // Valid until the next call on this handle; copied at once.
        unsafe String(cString: penstock_kafka_last_error(open))
    }

    /// What went wrong since the last call that is no answer to any call, such as a broker that is away; the library
    /// goes on from it by itself.
    package func newError() -> String? {
        unsafe penstock_kafka_next_error(open) == 0 ? nil : lastError
    }

    /// Hands a message over, which `tag` names in failures; nil, or why it is not taken.
    package func send(_ record: KafkaRecord, tag: Int64) -> Failure? {
        precondition(record.headers.count <= 3, "a message has more headers than are written")
        let none = (name: "", value: "")
        let headers = record.headers + Array(repeating: none, count: 3 - record.headers.count)
        let key = record.key ?? []
        // Everything is borrowed for the call, and copied by the library.
        let code = unsafe penstock_kafka_send(
            open, record.topic, record.key == nil ? 0 : 1, key, key.count, record.value,
            record.value.count, headers[0].name, headers[0].value, headers[1].name,
            headers[1].value, headers[2].name, headers[2].value, tag)
        return code == 0 ? nil : KafkaProducer.failure(tag, code)
    }

    private static func failure(_ tag: Int64, _ code: Int32) -> Failure {
        Failure(
            tag: tag, isTooLarge: Int(code) == Int(PENSTOCK_KAFKA_TOO_LARGE),
            isFatal: Int(code) == Int(PENSTOCK_KAFKA_FATAL),
            isGivenUp: [Int(PENSTOCK_KAFKA_PURGED_IN_FLIGHT), Int(PENSTOCK_KAFKA_PURGED)]
                .contains(Int(code)), remedy: remedy(Int(code)), reason: KafkaLibrary.text(code))
    }

    private static func remedy(_ code: Int) -> String {
        switch code {
        case Int(PENSTOCK_KAFKA_NO_TOPIC), Int(PENSTOCK_KAFKA_NO_SUCH_TOPIC),
            Int(PENSTOCK_KAFKA_NO_PARTITION):
            "make the topic, or have brokers make it (auto.create.topics.enable)"
        case Int(PENSTOCK_KAFKA_FORBIDDEN): "allow the gateway's user to write to it"
        default: ""
        }
    }

    /// Waits until everything that was handed over was written or has failed, for at most so long; whether it is so.
    package func flush(milliseconds: Int32) -> Bool {
        unsafe penstock_kafka_flush(open, milliseconds) == 0
    }

    /// Has what was handed over and has no answer fail, and waits for that, for at most so long; whether all of it did.
    ///
    /// What was sent before may be written all the same.
    package func giveUp(milliseconds: Int32) -> Bool {
        unsafe penstock_kafka_give_up(open, milliseconds) == 0
    }

    /// Messages that were not written, since the last call.
    package func failures() -> [Failure] {
        var failures: [Failure] = []
        var tag: Int64 = 0
        var code: Int32 = 0
        while unsafe penstock_kafka_next_failure(open, &tag, &code) != 0 {
            failures.append(KafkaProducer.failure(tag, code))
        }
        return failures
    }

    /// The first and the next offset of a topic's partition, by asking its broker for at most so long; nil where it
    /// does not answer.
    ///
    /// A consumer that reads no further than transactions have ended would be told where that is instead.
    package func offsets(
        of topic: String, _ partition: Int32, milliseconds: Int32
    ) -> Range<Int64>? {
        var low: Int64 = 0
        var high: Int64 = 0
        // The name is borrowed for the call.
        let code = unsafe penstock_kafka_offsets(
            open, topic, partition, &low, &high, milliseconds)
        return code == 0 && 0 <= low && low <= high && high < KafkaOffset.end ? low..<high : nil
    }

    // MARK: Transactions

    /// Ends what an earlier producer with the same transactional id left behind; called once, until it is done.
    package func initTransactions(milliseconds: Int32) -> Step {
        step(unsafe penstock_kafka_transactions_init(open, milliseconds))
    }

    /// Begins one.
    package func begin() -> Step { step(unsafe penstock_kafka_transaction_begin(open)) }

    /// Has the group of `consumer` go on from `offsets` when the transaction is committed.
    package func send(
        _ offsets: [KafkaOffset], of consumer: KafkaConsumer, milliseconds: Int32
    ) -> Step {
        let list = offsets.map {
            penstock_kafka_offset(partition: $0.partition, offset: $0.offset)
        }
        // The list and the other handle are borrowed for the call.
        return unsafe step(
            consumer.withHandle { other in
                unsafe penstock_kafka_transaction_offsets(
                    open, other, list, list.count, milliseconds)
            })
    }

    /// Makes everything visible.
    package func commit(milliseconds: Int32) -> Step {
        step(unsafe penstock_kafka_transaction_commit(open, milliseconds))
    }

    /// Has nothing of it be.
    package func abort(milliseconds: Int32) -> Step {
        step(unsafe penstock_kafka_transaction_abort(open, milliseconds))
    }

    private func step(_ outcome: Int32) -> Step {
        switch Int(outcome) {
        case Int(PENSTOCK_KAFKA_DONE): .done
        case Int(PENSTOCK_KAFKA_AGAIN): .again
        case Int(PENSTOCK_KAFKA_ABORT): .abort
        default: .lost
        }
    }

    // MARK: Brokers that are played

    /// The addresses of the brokers that a producer with `test.mock.num.brokers` plays.
    package var playedBrokers: String? {
        // The text lives as long as the handle; copied at once.
        unsafe penstock_kafka_played_brokers(open).map { unsafe String(cString: $0) }
    }

    /// Has the first broker that it plays answer so much later.
    package func playDelay(milliseconds: Int32) {
        unsafe penstock_kafka_play_delay(open, milliseconds)
    }

    /// Has the brokers that it plays refuse that many requests of a kind, a number of Kafka's protocol, with one of its
    /// codes.
    package func playRefusals(of request: Int32, code: Int32, count: Int) {
        unsafe penstock_kafka_play_refusals(open, request, code, count)
    }

    /// Has the brokers that it plays say with one of Kafka's codes what is wrong with a topic; 0 for nothing.
    package func playFault(of topic: String, code: Int32) {
        // The name is borrowed for the call.
        unsafe penstock_kafka_play_fault(open, topic, code)
    }
}
