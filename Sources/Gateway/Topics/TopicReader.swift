// A topic's thread: it reads as many messages as the lane has demand for, hands them over, and writes what has become of
// them. It polls all the time, so that its group keeps it, however long nothing is wanted.
//
// Life: started with its topic, and ended by its channel. A member of the group that is lost is made anew, after a pause
// that grows; the group gives it partitions again.

internal import Admission
internal import Glibc
internal import Logging
internal import Policy
internal import Reactor
internal import Synchronization
internal import Telemetry

/// Reads one topic, on a thread of its own.
final class TopicReader: Sendable {
    let settings: TopicSettings
    let channel: TopicChannel
    let logger: Logger
    /// For how long it goes on once it is to finish.
    let finishNanoseconds: Int64
    /// What tells this gateway's transactions from all others'.
    private let identity: String
    /// Hands a request to the lane; false where there is none any more.
    let submit: @Sendable (LaneRequest) -> Bool
    /// Tells the lane that so many bytes of answers were taken over.
    let release: @Sendable (Int) -> Void
    /// Tells the lane that nobody waits for those requests any more.
    let cancel: @Sendable (Set<Int>) -> Void
    private let quietLines = Mutex(QuietLines(1))

    private static let mostPauseSeconds = 30
    /// A member that lasted for so long was no failed try to become one.
    private static let calmSeconds = 60.0
    private static let looksPerSecond = 10

    init(
        _ settings: TopicSettings, _ channel: TopicChannel, identity: String,
        finishNanoseconds: Int64, logger: Logger,
        submit: @escaping @Sendable (LaneRequest) -> Bool,
        release: @escaping @Sendable (Int) -> Void,
        cancel: @escaping @Sendable (Set<Int>) -> Void
    ) {
        self.settings = settings
        self.channel = channel
        self.identity = identity
        self.finishNanoseconds = finishNanoseconds
        self.logger = logger
        self.submit = submit
        self.release = release
        self.cancel = cancel
    }

    /// Runs until the channel says that it ends.
    func run() {
        var pauseSeconds = 1
        var lastID = 0
        while channel.phase == .reads {
            let begun = MonotonicClock.now
            do throws(SystemError) {
                return try serve(&lastID)
            } catch {
                hasNothing()
                note(error.description)
            }
            if MonotonicClock.now.seconds(since: begun) > TopicReader.calmSeconds {
                pauseSeconds = 1
            }
            // What was asked before is told late, and dropped: the group has begun it anew.
            var left = pauseSeconds * TopicReader.looksPerSecond
            while left > 0, channel.phase == .reads {
                usleep(UInt32(1_000_000 / TopicReader.looksPerSecond))
                left -= 1
            }
            pauseSeconds = min(2 * pauseSeconds, TopicReader.mostPauseSeconds)
        }
    }

    /// Serves as one member of the group until the end; messages are called by numbers above `lastID`.
    private func serve(_ lastID: inout Int) throws(SystemError) {
        let producer = try makeProducer()
        let consumer: KafkaConsumer
        do throws(SystemError) {
            consumer = try KafkaConsumer(topic: settings.topic, settings.consumerProperties)
        } catch {
            producer.close()
            throw error
        }
        channel.wakes(consumer.waker)
        var session = TopicSession(self, producer, consumer, after: lastID)
        defer {
            lastID = session.lastID
            channel.wakes(nil)
            // What is not written by now is the next owner's to write.
            session.closeProducer()
            let milliseconds = session.leaveMilliseconds(MonotonicClock.now)
            consumer.close(leavingWithinMilliseconds: milliseconds)
        }
        try session.run()
    }

    /// A writer of results, which whoever asked for it closes.
    func makeProducer() throws(SystemError) -> KafkaProducer {
        try KafkaProducer(settings.producerProperties(identity))
    }

    /// Tells nothing more of partitions that another gateway may have by now, which tells it as well.
    private func hasNothing() {
        channel.note { figures in
            figures.isUp = false
            figures.partitionCount = 0
            figures.lags = [:]
            figures.openCount = 0
            figures.isPaused = false
        }
    }

    /// Counts something that went wrong, and says it where that is not said too often.
    func note(_ error: String) {
        guard !error.isEmpty else { return }
        channel.note {
            $0.errorCount += 1
            $0.lastError = error
        }
        let count = quietLines.withLock { $0.note(0, now: MonotonicClock.now) }
        guard let count else { return }
        logger.warning(
            "topic fault",
            metadata: [
                "topic": "\(settings.name)", "reason": "\(error)", "faults": "\(count)",
            ])
    }
}
