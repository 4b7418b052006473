// When a drain has taken long enough, whatever is left is cut.

internal import Reactor

/// The deadline of a drain.
final class DrainTimer: EventHandler {
    private unowned let shard: Shard

    init(shard: Shard) { self.shard = shard }

    override func deadlineReached() { shard.stop() }
}
