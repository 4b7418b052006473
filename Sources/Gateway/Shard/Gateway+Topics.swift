// Topics as the gateway as a whole has them: which are served, and when one ends. Two members of one group in a process
// would take partitions from each other, so what replaces a topic waits for its end.

internal import Admission
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

extension Gateway {
    /// Serves the topics of the policy in force, as far as they can begin; those that cannot are tried again after a pause.
    func followTopicsOrTryAgain() {
        do throws(SystemError) {
            guard !isDraining else { return topicRetry.ended() }
            try followTopics()
            topicRetry.ended()
        } catch {
            topicRetry.failed(now: reactor.now)
            logger.error("\(error.description)")
        }
        arrangeTimer()
    }

    /// Serves the topics of the policy in force, and has all others end; throws where one cannot begin, after the others
    /// have.
    func followTopics() throws(SystemError) {
        var failure: SystemError?
        for service in topics where !policy.topics.contains(service.settings) {
            service.channel.enter(.finishes)
        }
        for settings in policy.topics where !topics.contains(where: { $0.isOf(settings) }) {
            topicNumber += 1
            do throws(SystemError) {
                topics.append(
                    try TopicService(
                        settings, number: topicNumber, in: group,
                        identity: String(random.next(), radix: 16),
                        finishNanoseconds: policy.server.drainTimeout.wholeNanoseconds,
                        logger: logger))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// The thread of a topic has come to its end.
    func topicEnded(_ number: Int) {
        guard let index = topics.firstIndex(where: { $0.number == number }) else { return }
        let service = topics.remove(at: index)
        service.join()
        group.send(to: service.shard) { $0.endTopic(number) }
        guard !isDraining else { return stopIfDrained() }
        followTopicsOrTryAgain()
    }

    /// Has all topics finish what is under way.
    func finishTopics() {
        for service in topics { service.channel.enter(.finishes) }
    }

    /// Ends all topics, and returns when their threads have ended: within a few seconds, in which they write what is
    /// there.
    func endTopics() {
        for service in topics { service.channel.enter(.ends) }
        for service in topics { service.join() }
        topics.removeAll()
    }

    /// The topics of the policy, in its order.
    var observedTopics: [TopicSnapshot] {
        policy.topics.map { settings in
            let service = topics.first { $0.settings.name == settings.name }
            return TopicSnapshot(
                name: settings.name, figures: service?.channel.figures ?? TopicFigures())
        }
    }
}

extension TopicService {
    /// Whether this has to end before a topic with those settings begins, or is it.
    fileprivate func isOf(_ other: TopicSettings) -> Bool {
        settings.name == other.name
            || settings.topic == other.topic && settings.group == other.group
                && settings.brokers == other.brokers
    }
}
