// A policy as canonical YAML: every setting, defaults included, in the order of the reference, with the values of variables in
// their place.

import Admission

/// Writes policies back.
package enum PolicyDump {
    /// YAML that loads to a policy equal to `policy`, the same text for equal policies.
    package static func yaml(_ policy: Policy) -> String {
        literal(policy).escapingVariables.yaml
    }

    /// The same as data.
    static func literal(_ policy: Policy) -> Literal {
        let written = PolicySections.policy.write(policy)
        guard case .mapping(var entries) = written,
            let routes = entries.firstIndex(where: { $0.key == "routes" })
        else { preconditionFailure("a policy is written as a mapping with routes") }
        entries[routes].value = .list(policy.routes.map { literal($0, policy) })
        return .mapping(entries)
    }

    /// A route with its pool's name, which only the policy knows.
    private static func literal(_ route: Route, _ policy: Policy) -> Literal {
        guard case .mapping(var entries) = PolicySections.route.write(route) else {
            preconditionFailure("a route is written as a mapping")
        }
        if let index = entries.firstIndex(where: { $0.key == "split" }) {
            entries[index].value = .list(
                route.split.map { part in
                    .mapping([
                        ("pool", .text(policy.pools[part.pool].name)),
                        ("share", .number(part.share)),
                    ])
                })
        } else {
            entries.insert(("pool", .text(policy.pools[route.pool].name)), at: 1)
        }
        for (key, pool) in [("fallback", route.fallback?.pool), ("mirror", route.mirror?.pool)] {
            guard let pool, let index = entries.firstIndex(where: { $0.key == key }),
                case .mapping(var inner) = entries[index].value
            else { continue }
            inner.insert(("pool", .text(policy.pools[pool].name)), at: 0)
            entries[index].value = .mapping(inner)
        }
        return .mapping(entries)
    }
}

extension PoolSettings {
    /// How each backend's limit is found, on one line of YAML.
    package var limitText: String {
        (PolicySections.limit.write(admission.limit) ?? .text("")).yamlInline
    }
}
