// What is told of a request's way through a policy, a fact a line.

internal import Admission
internal import Gateway
import Policy

/// Words for an explanation.
struct ExplanationFacts {
    let policy: Policy
    let found: RequestExplanation
    /// Where a route stands, by its index, if not in the policy's own file.
    let place: (Int) -> String?

    /// The facts, in the order of the request's way.
    var all: [CheckReport.Fact] {
        var facts = [CheckReport.Fact("route", route)]
        if !found.model.isEmpty { facts.append(.init("model", found.model)) }
        if let pool = found.pool.map({ policy.pools[$0] }) {
            facts.append(.init("pool", pool.name))
            if let split { facts.append(.init("split", split)) }
            facts.append(.init("tenant", tenant(in: pool)))
            if let index = found.priorityClass {
                facts.append(.init("class", pool.admission.classes[index].name))
            }
            facts.append(.init("quota", quota(in: pool)))
            facts.append(.init("limit", pool.limitText))
            facts.append(.init("queue", queue(of: pool)))
            facts.append(.init("backends", backends(of: pool)))
            if let changes = HeadFacts(policy, found, pool) { facts += changes.all }
            if pool.affinity.by != .off {
                facts.append(.init("affinity", affinity(of: pool.affinity)))
            }
        }
        if found.routes.count == 1 { facts.append(.init("fallback", fallback)) }
        if let mirror { facts.append(.init("mirror", mirror)) }
        facts.append(.init("outcome", outcome))
        return facts
    }

    private func backends(of pool: PoolSettings) -> String {
        let names = pool.backends.map(\.weighedText).joined(separator: ", ")
        guard let discovery = pool.discovery else { return names }
        return names.isEmpty ? "from \(discovery.text)" : "\(names) (from \(discovery.text))"
    }

    /// By what the backend is found that knows the request's prompt.
    private func affinity(of rule: AffinityRule) -> String {
        var text = "by \(rule.header ?? "what prompts begin with")"
        if rule.header != nil, found.outcome == .forwarded {
            text +=
                found.hasPrompt
                ? ", which the request has"
                : ", which the request has not: it goes where there is most room"
        }
        if rule.scope == .tenant { text += "; for each tenant by itself" }
        return text
    }

    private var route: String {
        if found.routes.isEmpty { return "none" }
        return found.routes.map { index in
            let route = policy.routes[index]
            var text = "routes[\(index)] (\(route.path.text)"
            if !route.hosts.isEmpty { text += ", hosts \(route.hosts.joined(separator: " "))" }
            if !route.methods.isEmpty {
                text += ", methods \(route.methods.joined(separator: " "))"
            }
            if !route.models.isEmpty { text += ", models \(route.models.joined(separator: " "))" }
            return text + ")" + (place(index).map { " in \($0)" } ?? "")
        }.joined(separator: " or ")
    }

    private func tenant(in pool: PoolSettings) -> String {
        if let index = found.namedTenant {
            return "\(pool.admission.tenants[index].name) (named)"
        }
        return found.hasTenant
            ? "one that is not named, with the terms of `default`"
            : "nobody, with the terms of `default`"
    }

    private func quota(in pool: PoolSettings) -> String {
        let terms =
            found.namedTenant.map { pool.admission.tenants[$0] } ?? pool.admission.otherTenants
        var parts = ["weight \(terms.weight)"]
        if let most = terms.requestsPerMinute { parts.append("\(most) requests a minute") }
        if let most = terms.tokensPerMinute { parts.append("\(most) tokens a minute") }
        if let most = terms.maxInFlight { parts.append("\(most) in flight") }
        if let most = terms.maxQueued { parts.append("\(most) queued") }
        return parts.joined(separator: ", ")
    }

    private func queue(of pool: PoolSettings) -> String {
        let queue = pool.admission.queue
        return "\(queue.maxRequests) requests, \(queue.maxBytes) bytes, "
            + "waits up to \(queue.maxWait)"
    }

    /// How the route shares its requests among pools; nil where it does not.
    private var split: String? {
        guard found.routes.count == 1 else { return nil }
        let route = policy.routes[found.routes[0]]
        if route.split.isEmpty { return nil }
        let shares = route.split.map { part in
            let percent = (route.share(of: part) * 1e4).rounded() / 100
            return "\(policy.pools[part.pool].name) \(percent) %"
        }
        let sticky = "sticky: \(route.stickiness.text)"
        let spill = route.spills ? "goes to the next pool" : "stays refused"
        return shares.joined(separator: ", ") + "; \(sticky); what is refused \(spill)"
    }

    /// Where copies of the route's requests go; nil for nowhere.
    private var mirror: String? {
        guard found.routes.count == 1, let mirror = policy.routes[found.routes[0]].mirror else {
            return nil
        }
        let percent = (mirror.share * 1e4).rounded() / 100
        return "\(percent) % are copied to pool \(policy.pools[mirror.pool].name)"
    }

    private var fallback: String {
        guard let fallback = policy.routes[found.routes[0]].fallback else { return "none" }
        let model = fallback.model.map { ", as model \($0)" } ?? ""
        return "pool \(policy.pools[fallback.pool].name) where the wait would be over "
            + "\(fallback.maxWait)\(model)"
    }

    private var outcome: String {
        switch found.outcome {
        case .forwarded: return "a backend is asked"
        case .waits: return "waits for the rest of the request"
        case .closed: return "the connection is closed"
        case .answered(let status, let reason?): return "refused with \(status), reason \(reason)"
        case .answered(let status, nil): return "answered by the gateway with \(status)"
        }
    }
}
