// Pools whose backends are looked up: another set of them is put in force while the gateway serves. Everything else
// of the policy stays as it is, so that this costs little, and who looks them up stands in `Control`.

internal import Admission
package import Policy
internal import Reactor
package import Telemetry

/// A pool whose backends are looked up.
package struct DiscoveringPool {
    /// Its name.
    package let name: String
    /// Where.
    package let source: DiscoverySettings
    /// The backends that it has now.
    package let backends: [BackendAddress]
}

extension Gateway {
    /// The pools under the policy in force whose backends are looked up.
    package var discoveringPools: [DiscoveringPool] {
        policy.pools.compactMap { pool in
            pool.discovery.map {
                DiscoveringPool(name: pool.name, source: $0, backends: pool.backends)
            }
        }
    }

    /// Puts another set of backends in force for the pool of that name, whose backends are looked up.
    ///
    /// Those that stay keep all they have, connections included. Those that leave get nothing new: what runs there
    /// runs to its end, and idle connections are closed. An empty set is ignored, for it is more likely that
    /// nothing is known of the backends than that there are none. Those with the keys `unready` are said not to be
    /// ready.
    package func replaceBackends(
        of pool: String, with backends: [BackendAddress], unready: Set<String>
    ) {
        guard !backends.isEmpty,
            let index = policy.pools.firstIndex(where: { $0.name == pool && $0.discovery != nil }),
            let place = members.lastIndex(where: { !$0.isRetired && $0.settings.name == pool })
        else { return }
        policy.pools[index].backends = backends
        members[place].settings.backends = backends
        let admission = members[place].admission
        admission.replaceBackends(backends, unready: unready, now: reactor.now)
        group.sendToAll { $0.follow(admission) }
    }

    /// The backends with those keys, of the pool of that name, whose backends are looked up, are said not to be ready,
    /// and no others.
    ///
    /// What follows is the controller's to decide: where all are, it may be the probe that is wrong.
    package func setUnready(_ keys: Set<String>, of pool: String) {
        guard let member = members.last(where: { !$0.isRetired && $0.settings.name == pool }),
            member.settings.discovery != nil
        else { return }
        let admission = member.admission
        admission.setUnready(keys, now: reactor.now)
        group.send(to: 0) { $0.poll(admission) }
    }

    /// Notes how the backends of the pool of that name are looked up, for the pages.
    package func note(_ discovery: DiscoverySnapshot, of pool: String) {
        discoveries[pool] = discovery
    }

    /// `policy`, in which pools whose backends are looked up have those that are known already, unless it knows
    /// some itself.
    func withKnownBackends(_ policy: Policy) -> Policy {
        var policy = policy
        for index in policy.pools.indices {
            let pool = policy.pools[index]
            guard let source = pool.discovery, pool.backends.isEmpty else { continue }
            let present = members.filter { !$0.isRetired }
            let former =
                present.last { $0.settings.name == pool.name }
                ?? present.last { $0.settings.discovery == source }
            policy.pools[index].backends = former?.settings.backends ?? []
        }
        return policy
    }
}

extension PoolSettings {
    /// Whether both pools have the same backends, or look them up in the same place.
    func sharesBackends(with other: PoolSettings) -> Bool {
        if workers != nil || other.workers != nil { return false }
        if discovery != nil || other.discovery != nil { return discovery == other.discovery }
        return backends.map(\.label).sorted() == other.backends.map(\.label).sorted()
    }
}

extension Shard {
    /// The set of a pool's backends has changed.
    func follow(_ admission: SharedAdmission) {
        for pool in pools where pool.admission === admission { pool.catchUp() }
    }
}
