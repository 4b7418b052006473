// The list of models that clients are answered, with what backends say of theirs. Backends are asked on the
// controlling thread; a shard only takes over what the list has become.

package import Inference
package import Policy
package import Reactor

/// A backend that may be asked which models it has.
package struct ModelSource {
    /// Index of its pool in the policy.
    package let pool: Int
    /// The backend.
    package let address: BackendAddress
    /// Where to ask it.
    package let target: DialTarget
}

extension Gateway {
    /// The backends whose models the gateway lists: those of pools that routes with `models` lead to.
    ///
    /// None where a backend answers for the list itself, or no route has `models`.
    package var modelSources: [ModelSource] {
        guard ModelList(policy).isServed else { return [] }
        let pools = Set(policy.routes.filter { !$0.models.isEmpty }.flatMap(\.pools))
            .sorted()
        return pools.flatMap { index in
            let settings = policy.pools[index]
            let member = members.last { !$0.isRetired && $0.settings.name == settings.name }
            return settings.backends.map { address in
                ModelSource(
                    pool: index, address: address,
                    target: DialTarget(
                        address, verifies: settings.tls.verify,
                        credentials: member?.admission.credentials))
            }
        }
    }

    /// Lists models to clients with what the backends of each pool, by its index in the policy, have
    /// said.
    package func list(_ models: [[ListedModel]]) {
        let list = ModelList(policy, listed: models)
        group.sendToAll { shard in shard.snapshot.routes.modelList = list }
    }
}
