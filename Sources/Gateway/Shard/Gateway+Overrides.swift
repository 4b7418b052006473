// What operators change while the gateway serves. The policy in force stays what its file says; what members of the gateway go
// by is the policy with the changes.

internal import Admission
package import Policy
internal import Reactor
internal import Telemetry

extension Gateway {
    /// Puts what an operator has changed of the pool of that name in force, in place of what he had changed before.
    ///
    /// A pool that the policy does not have gets it when it has it.
    package func override(_ overrides: PoolOverrides, of pool: String) {
        self.overrides[pool] = overrides == PoolOverrides() ? nil : overrides
        guard let configured = policy.pools.first(where: { $0.name == pool }),
            let place = members.lastIndex(where: { !$0.isRetired && $0.settings.name == pool })
        else { return }
        let settings = configured.overridden(by: overrides)
        let admission = members[place].admission
        members[place].settings = settings
        admission.reconfigure(
            settings, credentials: admission.credentials, hashKey: hashKey, now: reactor.now)
        admission.override(overrides.backends, now: reactor.now)
        group.sendToAll { $0.follow(admission) }
        group.send(to: 0) { $0.poll(admission) }
    }

    /// Has the threads look at the log's level, which has changed.
    package func followLogLevel() { group.sendToAll { $0.followLogLevel() } }

    /// The pool of that name, as the policy has it; nil for no such pool.
    package func configured(pool name: String) -> PoolSettings? {
        policy.pools.first { $0.name == name }
    }
}
