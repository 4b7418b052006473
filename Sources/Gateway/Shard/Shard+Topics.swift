// What a reactor does for topics: the requests of each are asked by a lane here.

internal import Policy

extension Shard {
    /// Opens a lane for a topic that has that number.
    func begin(_ settings: TopicSettings, number: Int, _ channel: TopicChannel) {
        guard !hasEnded else { return }
        topics[number] = TopicLane(in: self, settings, channel)
    }

    /// A topic is served no more.
    func endTopic(_ number: Int) {
        topics.removeValue(forKey: number)?.end()
    }
}
