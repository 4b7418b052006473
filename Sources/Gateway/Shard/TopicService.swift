// A topic that is served: its thread, its lane at one of the reactors, and what both share. It lives on the controlling
// thread.

internal import Logging
internal import Policy
internal import Reactor

/// A topic of the policy's, as the gateway has it.
final class TopicService {
    let settings: TopicSettings
    /// How its shard calls it.
    let number: Int
    /// The reactor that its lane is at.
    let shard: Int
    let channel = TopicChannel()
    private let thread: SystemThread

    /// Begins to serve a topic; throws where there can be no thread for it.
    ///
    /// Once it is told to finish, its thread ends within that time and a few seconds, and tells the gateway.
    init(
        _ settings: TopicSettings, number: Int, in group: ReactorGroup, identity: String,
        finishNanoseconds: Int64, logger: Logger
    ) throws(SystemError) {
        self.settings = settings
        self.number = number
        let shard = number % group.count
        self.shard = shard
        let reader = TopicReader(
            settings, channel, identity: identity, finishNanoseconds: finishNanoseconds,
            logger: logger,
            submit: { request in
                group.send(to: shard) { $0.topics[number]?.submit(request) }
            },
            release: { bytes in
                group.send(to: shard) { $0.topics[number]?.release(bytes: bytes) }
            },
            cancel: { keys in
                group.send(to: shard) { $0.topics[number]?.cancel(keys) }
            })
        thread = try SystemThread(name: "topic-\(number)") {
            reader.run()
            group.control.send(isBounded: false) { $0.topicEnded(number) }
        }
        let channel = channel
        group.send(to: shard) { $0.begin(settings, number: number, channel) }
    }

    /// Waits for the end of its thread, which comes soon; called once.
    func join() { thread.join() }
}
