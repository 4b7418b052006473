// Writes what has become of messages, and says where the group goes on, in this order: a crash between the two has a
// message asked again, and never leaves one without its result. With transactions both happen or neither does.
//
// Life: one batch at a time, in steps that wait for a moment at most, so that the consumer is polled all the while.

internal import Admission
internal import Policy
internal import Reactor

/// A topic's writer.
struct TopicPublisher {
    /// What the batch in hand waits for.
    private enum State {
        /// There is none.
        case idle
        /// The entries at these places are to be handed over.
        case sending([Int])
        /// What was handed over has no answer yet; the entries at these places were not taken.
        case flushing([Int])
        /// What was written needs its offsets in the transaction, its end, or to be undone.
        case sendingOffsets, committing, aborting
    }

    private let settings: TopicSettings
    private let producer: KafkaProducer
    /// Hears what goes wrong on the way.
    private let note: (String) -> Void
    private var state = State.idle
    private var batch = TopicBatch()
    /// Nothing is begun before; what failed is tried again then.
    private var notBefore = Instant(nanoseconds: .min / 2)
    private var isInitialized: Bool

    /// The writer for a topic.
    init(
        _ settings: TopicSettings, _ producer: KafkaProducer, note: @escaping (String) -> Void
    ) {
        self.settings = settings
        self.producer = producer
        self.note = note
        isInitialized = !settings.isTransactional
    }

    /// How often brokers have answered all that was handed over, be it that they take none of it.
    private(set) var answerCount = 0

    /// Whether it waits for brokers.
    var isBusy: Bool { if case .idle = state { false } else { true } }

    private static let waitMilliseconds: Int32 = 50
    /// Steps of a transaction, each of which may begin anew where it was left.
    private static let stepMilliseconds: Int32 = 1000
    private static let mostOfPartition = 64
    private static let mostKeyBytes = 64 << 10
    private static let pauseNanoseconds: Int64 = 1_000_000_000

    /// Does what can be done now; what was written, once all of it is; throws where the producer is lost.
    mutating func step(
        _ work: inout TopicWork, _ consumer: KafkaConsumer, now: Instant
    ) throws(SystemError) -> TopicBatch? {
        if let error = producer.newError() { note(error) }
        switch state {
        case .idle:
            guard now >= notBefore, try initialize() else { return nil }
            batch = work.batch(most: TopicPublisher.mostOfPartition)
            guard !batch.isEmpty else { return nil }
            if settings.isTransactional, try !took(producer.begin()) { return nil }
            state = .sending(Array(batch.entries.indices))
            return nil
        case .sending(let places):
            guard now >= notBefore else { return nil }
            let left = try send(places, &work)
            guard settings.isTransactional else {
                state = .flushing(left)
                return nil
            }
            state = left.isEmpty ? .sendingOffsets : .aborting
            return nil
        case .flushing(let left): return try flush(left, &work, consumer, now: now)
        case .sendingOffsets:
            let offsets = work.offsets(of: batch)
            guard offsets.count == batch.places.count else {
                state = .aborting
                return nil
            }
            let step = producer.send(
                offsets, of: consumer, milliseconds: TopicPublisher.stepMilliseconds)
            if try took(step) { state = .committing }
            return nil
        case .committing:
            let step = producer.commit(milliseconds: TopicPublisher.stepMilliseconds)
            return try took(step) ? finish(&work) : nil
        case .aborting:
            note(producer.lastError)
            guard try took(producer.abort(milliseconds: TopicPublisher.stepMilliseconds)) else {
                return nil
            }
            try shorten(producer.failures(), &work)
            state = .idle
            notBefore = now.advanced(byNanoseconds: TopicPublisher.pauseNanoseconds)
            return nil
        }
    }

    private mutating func initialize() throws(SystemError) -> Bool {
        if isInitialized { return true }
        let step = producer.initTransactions(milliseconds: TopicPublisher.stepMilliseconds)
        isInitialized = try took(step)
        return isInitialized
    }

    /// Whether a step is done; one that is not is called again, or the transaction aborted.
    private mutating func took(_ step: KafkaProducer.Step) throws(SystemError) -> Bool {
        switch step {
        case .done: return true
        case .again: return false
        case .abort:
            state = .aborting
            return false
        case .lost: throw lost(producer.lastError)
        }
    }

    private func lost(_ reason: String) -> SystemError {
        SystemError("write results of topic \(settings.topic)", because: reason)
    }

    /// Waits for the answers to what was handed over; what was written where that is everything.
    private mutating func flush(
        _ left: [Int], _ work: inout TopicWork, _ consumer: KafkaConsumer, now: Instant
    ) throws(SystemError) -> TopicBatch? {
        guard producer.flush(milliseconds: TopicPublisher.waitMilliseconds) else { return nil }
        answerCount += 1
        let failures = producer.failures()
        guard failures.isEmpty, left.isEmpty else {
            try shorten(failures, &work)
            state = .sending((left + failures.map { Int($0.tag) }).sorted())
            notBefore = now.advanced(byNanoseconds: TopicPublisher.pauseNanoseconds)
            return nil
        }
        let offsets = work.offsets(of: batch)
        if !offsets.isEmpty { consumer.commit(offsets, waits: false) }
        return finish(&work)
    }

    private mutating func finish(_ work: inout TopicWork) -> TopicBatch {
        work.written(batch)
        state = .idle
        return batch
    }

    /// Hands entries over; those that were not taken.
    private mutating func send(
        _ places: [Int], _ work: inout TopicWork
    ) throws(SystemError) -> [Int] {
        var left: [Int] = []
        for place in places {
            guard var failure = producer.send(record(batch.entries[place]), tag: Int64(place))
            else { continue }
            try shorten([failure], &work)
            if failure.isTooLarge {
                guard let again = producer.send(record(batch.entries[place]), tag: Int64(place))
                else { continue }
                failure = again
            }
            left.append(place)
        }
        return left
    }

    /// Has those that are too large say so instead; throws where the producer is lost.
    private mutating func shorten(
        _ failures: [KafkaProducer.Failure], _ work: inout TopicWork
    ) throws(SystemError) {
        if let failure = failures.first { note(failure.reason) }
        for failure in failures {
            if failure.isFatal { throw lost(failure.reason) }
            guard failure.isTooLarge else { continue }
            let place = Int(failure.tag)
            let message = batch.entries[place].message
            let outcome = TopicText.tooLarge(message, nil)
            batch.entries[place].outcome = outcome
            work.replace(message, of: batch, by: outcome)
        }
    }

    private func record(_ entry: TopicBatch.Entry) -> KafkaRecord {
        let message = entry.message
        // A key may be as long as its message may be, and then nothing fits beside it.
        let key = (message.key?.count ?? 0) <= TopicPublisher.mostKeyBytes ? message.key : nil
        let place = [
            (name: "penstock-partition", value: "\(message.partition)"),
            (name: "penstock-offset", value: "\(message.offset)"),
        ]
        switch entry.outcome {
        case .result(let line, _):
            var record = KafkaRecord(topic: settings.results, key: key, value: line)
            record.headers = place
            return record
        case .dead(let reason):
            var record = KafkaRecord(
                topic: settings.deadLetterTopic, key: key, value: message.value)
            record.headers = [(name: "penstock-reason", value: reason)] + place
            return record
        }
    }
}
