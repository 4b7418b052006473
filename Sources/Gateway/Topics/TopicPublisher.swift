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
        /// What was handed over has no answer yet: the entries at these places. Those at `refused` were not taken, those
        /// at `waiting` have not been handed over.
        case flushing([Int], refused: [Int], waiting: [Int])
        /// What was written needs its offsets in the transaction, its end, or to be undone.
        case sendingOffsets, committing, aborting
    }

    private struct Origin: Hashable {
        let partition: Int32
        let offset: Int64

        init(_ message: KafkaMessage) {
            partition = message.partition
            offset = message.offset
        }
    }

    private let settings: TopicSettings
    private var producer: KafkaProducer
    /// Hears what goes wrong on the way.
    private let note: (String) -> Void
    private var state = State.idle
    private var batch = TopicBatch()
    /// Entries of the batch that go by themselves: brokers refuse all that came together where one of it is too large.
    private var alone: Set<Int> = []
    /// Batches of one entry that are next, for the same reason, where a batch is a transaction.
    private var singleCount = 0
    /// Messages whose results go without their keys, because they were too large with them; of messages in hand.
    private var keyless: Set<Origin> = []
    /// Entries that are not written, because their partitions have gone.
    private var gone: Set<Int> = []
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

    /// Why brokers take nothing, and what would have them; nil while they do.
    private(set) var refusal: String?

    /// Whether it waits for brokers.
    var isBusy: Bool { if case .idle = state { false } else { true } }

    private static let waitMilliseconds: Int32 = 50
    private static let giveUpMilliseconds: Int32 = 500
    /// Steps of a transaction, each of which may begin anew where it was left.
    private static let stepMilliseconds: Int32 = 1000
    private static let mostOfPartition = 64
    private static let mostKeyBytes = 64 << 10
    private static let pauseNanoseconds: Int64 = 1_000_000_000

    /// Closes its producer; what is not sent by then will not be.
    func close() { producer.close() }

    /// Whether something that was handed over, and has no answer yet, is of partitions that have gone.
    func isWritingGone(_ work: TopicWork) -> Bool {
        guard case .flushing(let sent, _, _) = state else { return false }
        return sent.contains { !work.isPresent(batch.entries[$0].message, of: batch) }
    }

    /// Goes on by another producer, outside transactions, and closes the one before.
    ///
    /// What that one has not written comes to nothing as far as it has not been sent, and is written by the other one.
    mutating func goOn(by other: KafkaProducer) {
        if case .flushing(let sent, let refused, let waiting) = state {
            let isKnown = producer.giveUp(milliseconds: TopicPublisher.giveUpMilliseconds)
            let failed = producer.failures().map { Int($0.tag) }
            state = .sending(((isKnown ? failed : sent) + refused + waiting).sorted())
        }
        producer.close()
        producer = other
    }

    /// Brokers have not answered what was handed over to them for so long, while they answer everything else.
    mutating func keptWaiting(seconds: Int64) {
        let text =
            "topic \(settings.results) takes nothing: its brokers answer, and have taken nothing for "
            + "\(seconds) s; see whether its partitions have leaders and enough replicas"
        note(text)
        refusal = text
    }

    /// Does what can be done now; what was written, once all of it is; throws where the producer is lost.
    mutating func step(
        _ work: inout TopicWork, _ consumer: KafkaConsumer, now: Instant
    ) throws(SystemError) -> TopicBatch? {
        if let error = producer.newError() { note(error) }
        switch state {
        case .idle:
            guard now >= notBefore, try initialize() else { return nil }
            if !keyless.isEmpty { keyless = keyless.filter { work.has($0.partition, $0.offset) } }
            batch =
                singleCount > 0
                ? work.batch(most: 1, ofOne: true)
                : work.batch(most: TopicPublisher.mostOfPartition)
            guard !batch.isEmpty else { return nil }
            if settings.isTransactional, try !took(producer.begin()) { return nil }
            state = .sending(Array(batch.entries.indices))
            return nil
        case .sending(let all):
            guard now >= notBefore else { return nil }
            let places = stillHere(all, work)
            guard !places.isEmpty else { return finish(&work) }
            let together = places.prefix { !alone.contains($0) }
            let chosen = together.isEmpty ? places.prefix(1) : together
            let refused = try send(Array(chosen), &work, now: now)
            guard settings.isTransactional else {
                state = .flushing(
                    chosen.filter { !refused.contains($0) }, refused: refused,
                    waiting: Array(places.dropFirst(chosen.count)))
                return nil
            }
            state = refused.isEmpty ? .sendingOffsets : .aborting
            return nil
        case .flushing(let sent, let refused, let waiting):
            return try flush(sent, refused, waiting, &work, consumer, now: now)
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
            let failures = producer.failures()
            try take(failures, of: batch.entries.count, &work, now: now)
            state = .idle
            // What stands in the way of none of its partitions is no reason any more.
            if work.offsets(of: batch).isEmpty { refusal = nil }
            if !alone.isEmpty { singleCount = batch.entries.count }
            forgetPlaces()
            if !failures.contains(where: \.isTooLarge) {
                notBefore = now.advanced(byNanoseconds: TopicPublisher.pauseNanoseconds)
            }
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
        _ sent: [Int], _ refused: [Int], _ waiting: [Int], _ work: inout TopicWork,
        _ consumer: KafkaConsumer, now: Instant
    ) throws(SystemError) -> TopicBatch? {
        guard producer.flush(milliseconds: TopicPublisher.waitMilliseconds) else { return nil }
        answerCount += 1
        let failures = producer.failures()
        try take(failures, of: sent.count, &work, now: now)
        let left = refused + failures.map { Int($0.tag) } + waiting
        guard left.isEmpty else {
            state = .sending(left.sorted())
            // What goes by itself now, or is shorter, has nothing to wait for.
            if !refused.isEmpty || failures.contains(where: { !$0.isTooLarge }) {
                notBefore = now.advanced(byNanoseconds: TopicPublisher.pauseNanoseconds)
            }
            return nil
        }
        let offsets = work.offsets(of: batch)
        if !offsets.isEmpty { consumer.commit(offsets, waits: false) }
        return finish(&work)
    }

    private mutating func finish(_ work: inout TopicWork) -> TopicBatch {
        work.written(batch)
        var written = batch
        written.entries = batch.entries.indices.filter { !gone.contains($0) }.map {
            batch.entries[$0]
        }
        state = .idle
        refusal = nil
        singleCount = max(0, singleCount - 1)
        forgetPlaces()
        return written
    }

    /// Those of the entries whose partitions have not gone since the batch began: others are written by whoever has them now.
    ///
    /// A transaction is written as a whole, or not.
    private mutating func stillHere(_ places: [Int], _ work: TopicWork) -> [Int] {
        if settings.isTransactional { return places }
        let left = places.filter { work.isPresent(batch.entries[$0].message, of: batch) }
        gone.formUnion(Set(places).subtracting(left))
        return left
    }

    private mutating func forgetPlaces() {
        alone.removeAll()
        gone.removeAll()
    }

    /// Hands entries over; those that were not taken.
    private mutating func send(
        _ places: [Int], _ work: inout TopicWork, now: Instant
    ) throws(SystemError) -> [Int] {
        var left: [Int] = []
        for place in places {
            guard let failure = producer.send(record(place), tag: Int64(place)) else { continue }
            // The library says it of this one.
            try take([failure], of: 1, &work, now: now)
            guard failure.isTooLarge else {
                left.append(place)
                continue
            }
            if producer.send(record(place), tag: Int64(place)) != nil { left.append(place) }
        }
        return left
    }

    /// Notes what was not written of so many entries that went together; throws where the producer is lost.
    private mutating func take(
        _ failures: [KafkaProducer.Failure], of count: Int, _ work: inout TopicWork, now: Instant
    ) throws(SystemError) {
        if let failure = failures.first(where: { !$0.isTooLarge && !$0.isGivenUp }) {
            blame(failure)
        }
        for failure in failures {
            if failure.isFatal { throw lost(failure.reason) }
            guard failure.isTooLarge else { continue }
            if count > 1 {
                // Which of them is too large is not said.
                alone.insert(Int(failure.tag))
            } else if !shorten(Int(failure.tag), &work) {
                blame(failure)
                notBefore = now.advanced(byNanoseconds: TopicPublisher.pauseNanoseconds)
            }
        }
    }

    private mutating func blame(_ failure: KafkaProducer.Failure) {
        let text = reason(failure)
        note(text)
        refusal = text
    }

    /// Has an entry that is too large say so instead; where it did, it goes without its key; whether it could be shorter.
    private mutating func shorten(_ place: Int, _ work: inout TopicWork) -> Bool {
        let message = batch.entries[place].message
        let outcome = TopicText.tooLarge(message, TopicText.customID(of: message))
        if batch.entries[place].outcome == outcome {
            if isBare(message) { return false }
            keyless.insert(Origin(message))
            return true
        }
        batch.entries[place].outcome = outcome
        work.replace(message, of: batch, by: outcome)
        return true
    }

    /// Whether a message's result goes without its key.
    ///
    /// A key may be as long as its message may be, and then nothing fits beside it.
    private func isBare(_ message: KafkaMessage) -> Bool {
        guard let key = message.key else { return true }
        return key.count > TopicPublisher.mostKeyBytes || keyless.contains(Origin(message))
    }

    private func reason(_ failure: KafkaProducer.Failure) -> String {
        let place = Int(failure.tag)
        guard batch.entries.indices.contains(place) else { return failure.reason }
        let remedy = failure.remedy.isEmpty ? "" : "; \(failure.remedy)"
        return "topic \(record(place).topic) takes nothing: \(failure.reason)\(remedy)"
    }

    private func record(_ place: Int) -> KafkaRecord {
        let entry = batch.entries[place]
        let message = entry.message
        let key = isBare(message) ? nil : message.key
        let origin = [
            (name: "penstock-partition", value: "\(message.partition)"),
            (name: "penstock-offset", value: "\(message.offset)"),
        ]
        switch entry.outcome {
        case .result(let line, _):
            var record = KafkaRecord(topic: settings.results, key: key, value: line)
            record.headers = origin
            return record
        case .dead(let reason):
            var record = KafkaRecord(
                topic: settings.deadLetterTopic, key: key, value: message.value)
            record.headers = [(name: "penstock-reason", value: reason)] + origin
            return record
        }
    }
}
