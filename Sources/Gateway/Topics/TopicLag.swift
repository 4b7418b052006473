// How far a group is behind, as its brokers say it: the next offset of a partition, less where the group goes on. What is
// asked for that tells, too, whether the brokers are there.

internal import Admission
internal import Reactor

/// The lags of a topic's partitions that this gateway has.
struct TopicLag {
    private let topic: String
    private var producer: KafkaProducer
    /// Where the group goes on, by partition; below 0 where nothing says it.
    private var places: [Int32: Int64] = [:]
    /// Messages behind that; none where it is not known.
    private(set) var lags: [Int32: Int64] = [:]
    /// Whether the last question was answered.
    private(set) var isAnswered = false
    private var last: Int32 = -1
    private var nextLook = Instant(nanoseconds: .min / 2)

    /// Between two questions, each of which is of one partition; the second where the first has no answer.
    private static let pauseNanoseconds: Int64 = 250_000_000
    private static let longPauseNanoseconds: Int64 = 2_000_000_000
    private static let patienceMilliseconds: Int32 = 500

    /// The lags of `topic`, as `producer` is told the ends of its partitions.
    init(_ topic: String, _ producer: KafkaProducer) {
        self.topic = topic
        self.producer = producer
    }

    /// Asks `other` from now on.
    mutating func goOn(by other: KafkaProducer) { producer = other }

    /// Asks about the partition whose turn it is; where there is none, about the first of the topic.
    mutating func look(_ consumer: KafkaConsumer, _ assigned: [Int32], now: Instant) {
        guard now >= nextLook else { return }
        let partition = assigned.first { $0 > last } ?? assigned.first ?? 0
        last = partition
        isAnswered = ask(consumer, partition, isAssigned: !assigned.isEmpty)
        nextLook = now.advanced(
            byNanoseconds: isAnswered ? TopicLag.pauseNanoseconds : TopicLag.longPauseNanoseconds)
    }

    private mutating func ask(
        _ consumer: KafkaConsumer, _ partition: Int32, isAssigned: Bool
    ) -> Bool {
        if isAssigned, places[partition] == nil {
            places[partition] = consumer.committed(
                partition, milliseconds: TopicLag.patienceMilliseconds)
        }
        guard
            let offsets = producer.offsets(
                of: topic, partition, milliseconds: TopicLag.patienceMilliseconds)
        else { return false }
        if isAssigned, let place = places[partition] {
            lags[partition] = max(0, offsets.upperBound - max(place, offsets.lowerBound))
        }
        return true
    }

    /// The group goes on from there.
    mutating func committed(_ offset: KafkaOffset) { places[offset.partition] = offset.offset }

    /// Where the group goes on with those of `partitions` of which that is known.
    func offsets(of partitions: [Int32]) -> [KafkaOffset] {
        partitions.compactMap { partition in
            places[partition].flatMap { place in
                place < 0 ? nil : KafkaOffset(partition: partition, offset: place)
            }
        }
    }

    /// A partition is somebody else's.
    mutating func forget(_ partition: Int32) {
        places[partition] = nil
        lags[partition] = nil
    }
}
