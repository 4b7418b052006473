// A topic's requests on a shard: what its thread reads is asked for here, and what becomes of it goes back to the thread.

internal import Policy
internal import Reactor

/// The lane of a topic.
final class TopicLane: LaneUser {
    private let channel: TopicChannel
    private var lane: Lane?

    init(in shard: Shard, _ settings: TopicSettings, _ channel: TopicChannel) {
        self.channel = channel
        super.init()
        var identity = LaneIdentity(priorityClass: Array(settings.className.utf8))
        identity.tenant = settings.tenant.map { Array($0.utf8) }
        var bounds = LaneSettings()
        bounds.mostAnswerBytes = settings.maxAnswerBytes
        bounds.mostHeldBytes = max(bounds.mostHeldBytes, 2 * settings.maxAnswerBytes)
        let lane = Lane(in: shard, as: identity, bounds, user: self)
        self.lane = lane
        channel.offer(lane.demand)
    }

    /// Asks for something that its thread has read.
    func submit(_ request: LaneRequest) {
        channel.arrived()
        // What a lane that has ended was to ask is read again by whoever has its partition then.
        guard let lane, !lane.isCancelled else { return }
        lane.submit(request)
        channel.offer(lane.demand)
    }

    /// Its thread has written so many bytes of answers.
    func release(bytes: Int) {
        guard let lane, !lane.isCancelled else { return }
        lane.release(bytes: bytes)
    }

    /// Nobody waits for those requests any more.
    func cancel(_ keys: Set<Int>) {
        guard let lane, !lane.isCancelled else { return }
        lane.cancel(keys)
        channel.offer(lane.demand)
    }

    /// The topic is read no more.
    func end() {
        lane?.cancel()
        lane = nil
    }

    override func laneHasDemand() {
        if let lane { channel.offer(lane.demand) }
    }

    override func laneEnded(_ result: consuming LaneResult) {
        channel.give(result)
        if let lane { channel.offer(lane.demand) }
    }
}
