// A gateway that is other gateways' worker.

internal import Reactor

extension Gateway {
    /// Serves other gateways as their worker, for as long as it runs; called once.
    ///
    /// One thread does it: what it takes is told from one place.
    package func giveCredits(_ settings: CreditSettings) {
        group.send(to: 0) { shard in
            guard !shard.isDraining, !shard.hasEnded else { return }
            shard.credits = Credits(settings, in: shard)
        }
    }
}
