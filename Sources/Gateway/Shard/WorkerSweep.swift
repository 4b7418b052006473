// Looks at all connections of workers that a shard has, now and then.

internal import Admission
internal import Reactor

/// The looks of one shard, from its first worker on.
final class WorkerSweep: EventHandler {
    private unowned let shard: Shard

    init(of shard: Shard) {
        self.shard = shard
        super.init()
        shard.reactor.register(self)
        arm()
    }

    override func deadlineReached() {
        for pool in shard.pools {
            for case let connections? in pool.upstreams.map({ $0?.worker }) {
                connections.lookForSilence()
            }
        }
        arm()
    }

    private func arm() {
        shard.reactor.setDeadline(
            of: self, to: shard.reactor.now.advanced(byNanoseconds: SilenceWatch.lookNanoseconds))
    }

    /// Ends them.
    func stop() { shard.reactor.deregister(self) }
}
