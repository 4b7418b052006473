// One membership of a topic's group: from joining it to leaving it, or to its loss. Everything happens in one loop on the
// topic's thread; no step of it waits for long, so that the group is told all the while that the member lives.
//
// Bounds: messages in hand, `max_open` of each partition; bytes of messages and results that are not written, those of
// its work; what the lane has, its demand.

internal import Admission
internal import Glibc
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

/// A member of a topic's group.
struct TopicSession {
    private let reader: TopicReader
    private let settings: TopicSettings
    private let channel: TopicChannel
    private let text: TopicText
    private let consumer: KafkaConsumer
    private var publisher: TopicPublisher
    private var work: TopicWork
    private var pacing = TopicPacing()
    private var lag: TopicLag
    /// What the lane has, and what its message calls itself.
    private var asked: [Int: Asked] = [:]
    /// The time that its end has; nil before it is to finish.
    private var ending: TopicEnding?
    /// When it is said again where the group goes on, since that has failed.
    private var saysAgainAt = Instant.distantFuture

    /// Since when the brokers answer and take nothing all the same; nil where it is not so.
    private var stuckSince: Instant?
    /// For how long that goes on before another producer tries.
    private var patienceNanoseconds = TopicSession.stuckNanoseconds
    private var answerCount = 0

    private struct Asked {
        let message: KafkaMessage
        let customID: [UInt8]?
    }

    private static let pollMilliseconds: Int32 = 100
    /// The same while something is being written.
    private static let busyPollMilliseconds: Int32 = 5
    /// A moment without demand, before the consumer is paused.
    private static let momentMicroseconds: UInt32 = 2000
    /// Messages that are read before anything else has its turn.
    private static let mostPerTurn = 64
    /// For how long what has ended is written when partitions go, and at the end.
    private static let settleNanoseconds: Int64 = 3_000_000_000
    /// The same where everything is to end at once.
    private static let hurriedNanoseconds: Int64 = 300_000_000
    private static let mostLeaveMilliseconds: Int32 = 3000
    private static let sayAgainNanoseconds: Int64 = 1_000_000_000
    /// For how long brokers that answer may take nothing: those that have lost what they knew of a writer never will.
    private static let stuckNanoseconds: Int64 = 15_000_000_000
    /// Between two tries of another producer at most: each may double what the one before had sent.
    private static let mostStuckNanoseconds: Int64 = 240_000_000_000

    /// A member that reads by `consumer` and writes by `producer`; messages are called by numbers above `lastID`.
    init(
        _ reader: TopicReader, _ producer: KafkaProducer, _ consumer: KafkaConsumer,
        after lastID: Int
    ) {
        self.reader = reader
        self.consumer = consumer
        settings = reader.settings
        channel = reader.channel
        text = TopicText(host: settings.name)
        publisher = TopicPublisher(settings, producer) { reader.note($0) }
        lag = TopicLag(settings.topic, producer)
        work = TopicWork(
            mostOpen: settings.mostOpen, keepsKeyOrder: settings.order == .key, after: lastID)
    }

    /// What the last message that was read is called.
    var lastID: Int { work.lastID }

    /// Serves until the channel says that it ends; throws where it is no member any more.
    mutating func run() throws(SystemError) {
        do throws(SystemError) {
            try serve()
        } catch {
            // The next member reads it again.
            cancel(Array(asked.keys))
            throw error
        }
    }

    private mutating func serve() throws(SystemError) {
        while true {
            let now = MonotonicClock.now
            takeResults()
            try publish(now)
            begin()
            if isOver(now) { return try settle() }
            try poll(now)
            lag.look(consumer, work.assigned, now: now)
            sayAgain(now)
            try checkProgress(now)
            tell()
        }
    }

    private mutating func isOver(_ now: Instant) -> Bool {
        switch channel.phase {
        case .reads: return false
        case .ends: return true
        case .finishes:
            let ending =
                ending ?? TopicEnding(now: now, nanoseconds: reader.finishNanoseconds)
            self.ending = ending
            return asked.isEmpty || now >= ending.cutsAt
        }
    }

    /// For how long it tries to leave its group.
    func leaveMilliseconds(_ now: Instant) -> Int32 {
        switch channel.phase {
        case .reads: TopicSession.mostLeaveMilliseconds
        case .finishes:
            ending.map {
                let left = max(0, $0.leavesUntil.nanoseconds(since: now) / 1_000_000)
                return min(Int32(clamping: left), TopicSession.mostLeaveMilliseconds)
            } ?? 0
        case .ends: 0
        }
    }

    /// Ends what is being written; called once.
    func closeProducer() { publisher.close() }

    // MARK: In

    /// Whether another message is wanted, of partitions with that room.
    private func wantsMore(_ rooms: [Int32: TopicWork.Room]) -> Bool {
        channel.phase == .reads && !work.hasReady && work.hasRoomForBytes && channel.hasCredit
            && (rooms.isEmpty || rooms.values.contains { $0 != .none })
    }

    /// Whether whatever message came would have room.
    private var mayRead: Bool {
        let rooms = work.rooms
        return wantsMore(rooms)
            && rooms.allSatisfy { $0.value != .none || pacing.isPaused($0.key) }
    }

    private mutating func poll(_ now: Instant) throws(SystemError) {
        let rooms = work.rooms
        let step = pacing.look(rooms, wantsMore: wantsMore(rooms), now: now)
        consumer.pause(step.pauses, true)
        consumer.pause(step.resumes, false)
        guard mayRead || pacing.isPaused else {
            usleep(TopicSession.momentMicroseconds)
            return
        }
        var waits =
            publisher.isBusy ? TopicSession.busyPollMilliseconds : TopicSession.pollMilliseconds
        var count = 0
        repeat {
            count += 1
            guard try read(waits) else { break }
            begin()
            waits = 0
        } while count < TopicSession.mostPerTurn && mayRead
    }

    /// Waits for a message for so long; whether there was one.
    private mutating func read(_ milliseconds: Int32) throws(SystemError) -> Bool {
        let event = consumer.poll(milliseconds: milliseconds)
        if let error = consumer.newError() { reader.note(error) }
        try applyChanges()
        switch event {
        case .nothing: return false
        case .message(let message):
            try take(message)
            return true
        case .failed(let reason):
            reader.note(reason)
            return false
        case .lost(let reason):
            throw SystemError("read topic \(settings.topic)", because: reason)
        }
    }

    private mutating func take(_ message: KafkaMessage) throws(SystemError) {
        let why: String
        switch work.take(message) {
        case .taken: return channel.note { $0.readCount += 1 }
        case .elsewhere: return
        // Brokers have lost what they had; whoever joins anew goes on from what they know.
        case .known: why = "the offsets of partition \(message.partition) have gone back"
        // Nothing would read it again, and the group would go on behind it.
        case .full: why = "a message of partition \(message.partition) came while it was paused"
        }
        throw SystemError("read topic \(settings.topic)", because: why)
    }

    private mutating func applyChanges() throws(SystemError) {
        let changes = consumer.changes()
        let takes = changes.contains { if case .taken = $0 { true } else { false } }
        // What was lost is somebody else's already, who may have written it.
        if takes && !consumer.hasLostPartitions {
            takeResults()
            try settle()
        }
        for change in changes {
            switch change {
            case .given(let partition): work.given(partition)
            case .taken(let partition):
                cancel(work.taken(partition))
                lag.forget(partition)
                pacing.forget(partition)
            }
        }
        // What was handed over would be written once that is possible, beside what the next owner writes.
        if takes, !settings.isTransactional, publisher.isWritingGone(work) { try renewProducer() }
        consumer.applyChanges()
        guard !changes.isEmpty else { return }
        channel.note { $0.rebalanceCount += 1 }
        reader.logger.info(
            "topic partitions changed",
            metadata: [
                "topic": "\(settings.name)",
                "partitions": .array(work.assigned.map { "\($0)" }),
            ])
    }

    /// Has what is under way of a partition that went come to an end: whoever has it now asks it anew.
    private mutating func cancel(_ messages: [Int]) {
        let gone = messages.filter { asked.removeValue(forKey: $0) != nil }
        for id in gone { work.givenBack(id) }
        guard !gone.isEmpty else { return }
        channel.note { $0.lateCount += gone.count }
        reader.cancel(Set(gone))
    }

    /// Hands over what there is room for.
    private mutating func begin() {
        guard channel.phase == .reads else { return }
        while work.hasReady, asked.isEmpty || work.hasRoomForBytes, channel.takeCredit() {
            guard let (id, message) = work.next() else {
                channel.giveBackCredit()
                break
            }
            switch text.question(message, id: id) {
            case .request(let request, let customID):
                asked[id] = Asked(message: message, customID: customID)
                if !reader.submit(request) { channel.arrived() }
            case .fault(let outcome):
                channel.giveBackCredit()
                work.ended(id, outcome)
            }
        }
    }

    // MARK: Out

    private mutating func takeResults() {
        var bytes = 0
        for result in channel.takeResults() {
            bytes += result.body.count
            // What was cancelled, or an earlier membership has asked, was counted then.
            guard let asked = asked.removeValue(forKey: result.key) else { continue }
            guard let outcome = TopicText.outcome(of: asked.message, asked.customID, result)
            else {
                work.givenBack(result.key)
                continue
            }
            if !work.ended(result.key, outcome) { channel.note { $0.lateCount += 1 } }
        }
        // From here on the bounds of the work hold, not those of the lane.
        if bytes > 0 { reader.release(bytes) }
    }

    private mutating func publish(_ now: Instant) throws(SystemError) {
        guard let written = try publisher.step(&work, consumer, now: now) else { return }
        stuckSince = nil
        for offset in work.offsets(of: written) { lag.committed(offset) }
        channel.note { figures in
            figures.commitCount += 1
            for entry in written.entries {
                switch entry.outcome {
                case .result(_, isCompleted: true): figures.completedCount += 1
                case .result: figures.failedCount += 1
                case .dead: figures.deadCount += 1
                }
            }
        }
    }

    /// Writes what has ended, for as long as that may take.
    private mutating func settle() throws(SystemError) {
        let begun = MonotonicClock.now
        while publisher.isBusy || !work.batch(most: 1).isEmpty {
            let now = MonotonicClock.now
            guard now < settleEnd(begun) else { return }
            try publish(now)
            // Where a step has nothing to wait for, it waits for its time.
            usleep(200)
        }
    }

    private func settleEnd(_ begun: Instant) -> Instant {
        if channel.phase == .ends {
            return begun.advanced(byNanoseconds: TopicSession.hurriedNanoseconds)
        }
        let end = begun.advanced(byNanoseconds: TopicSession.settleNanoseconds)
        return ending.map { min(end, $0.settlesUntil) } ?? end
    }

    /// Says again where the group goes on, after the brokers did not take it.
    private mutating func sayAgain(_ now: Instant) {
        if let failure = consumer.commitFailure() {
            reader.note(failure)
            saysAgainAt = now.advanced(byNanoseconds: TopicSession.sayAgainNanoseconds)
        }
        guard now >= saysAgainAt, !settings.isTransactional else { return }
        saysAgainAt = .distantFuture
        let offsets = lag.offsets(of: work.assigned)
        if !offsets.isEmpty { consumer.commit(offsets, waits: false) }
    }

    private mutating func checkProgress(_ now: Instant) throws(SystemError) {
        // A writer that is told no is none that they have forgotten.
        guard publisher.isBusy, lag.isAnswered, publisher.answerCount == answerCount else {
            stuckSince = nil
            patienceNanoseconds = TopicSession.stuckNanoseconds
            answerCount = publisher.answerCount
            return
        }
        let since = stuckSince ?? now
        stuckSince = since
        let stuckNanoseconds = now.nanoseconds(since: since)
        guard stuckNanoseconds > patienceNanoseconds else { return }
        let seconds = stuckNanoseconds / 1_000_000_000
        guard !settings.isTransactional else {
            throw SystemError(
                "write results of topic \(settings.topic)",
                because: "its brokers answer, and have not taken any for \(seconds) s")
        }
        patienceNanoseconds += min(patienceNanoseconds, TopicSession.mostStuckNanoseconds)
        publisher.keptWaiting(seconds: seconds)
        try renewProducer()
    }

    /// Has another producer write what is not written: brokers know nothing of it that they could have forgotten.
    private mutating func renewProducer() throws(SystemError) {
        let producer = try reader.makeProducer()
        publisher.goOn(by: producer)
        lag.goOn(by: producer)
    }

    private func tell() {
        let (open, lags, isPaused) = (work.openCount, lag.lags, pacing.isPaused)
        let (partitions, isAnswered) = (work.assigned.count, lag.isAnswered)
        let refusal = publisher.refusal ?? ""
        channel.note { figures in
            figures.openCount = open
            figures.lags = lags
            figures.isPaused = isPaused
            figures.partitionCount = partitions
            figures.isUp = isAnswered && refusal.isEmpty
            figures.refusal = refusal
        }
    }
}
