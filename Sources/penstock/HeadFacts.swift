// What is told of the path and the fields that a request has when it reaches a backend: names, never values.

internal import Gateway
import Policy

/// Words for what a route and a pool change about a request.
struct HeadFacts {
    private let target: String
    private let rules: [(owner: String, request: FieldRules, response: FieldRules)]
    private let pool: PoolSettings

    /// nil where nothing is changed.
    init?(_ policy: Policy, _ found: RequestExplanation, _ pool: PoolSettings) {
        self.pool = pool
        var rules = [("pool", pool.request, pool.response)]
        var changesPaths = pool.changesPaths
        if found.routes.count == 1 {
            let route = policy.routes[found.routes[0]]
            rules.insert(("route", route.request, route.response), at: 0)
            changesPaths = changesPaths || route.changesPath
        }
        self.rules = rules.filter { !$0.1.isEmpty || !$0.2.isEmpty }
        target = changesPaths ? found.target : ""
        if target.isEmpty, self.rules.isEmpty { return nil }
    }

    /// The facts.
    var all: [CheckReport.Fact] {
        var facts: [CheckReport.Fact] = []
        if !target.isEmpty { facts.append(.init("target", target)) }
        for (owner, request, response) in rules {
            for (message, fields) in [("request", request), ("response", response)]
            where !fields.isEmpty {
                facts.append(.init(message, HeadFacts.text(fields, of: owner)))
            }
        }
        if rules.contains(where: { $0.request.hasKey }) {
            facts.append(.init("keys", "those of clients stay here"))
        }
        return facts
    }

    private static func text(_ fields: FieldRules, of owner: String) -> String {
        let set = fields.fields.map { field in
            if let file = field.value.file { return "\(field.name) (from \(file))" }
            if let variable = field.value.variable { return "\(field.name) (from \(variable))" }
            return field.name
        }
        var parts: [String] = []
        if !set.isEmpty { parts.append("sets \(set.joined(separator: ", "))") }
        if !fields.removed.isEmpty {
            parts.append("removes \(fields.removed.joined(separator: ", "))")
        }
        return "the \(owner) \(parts.joined(separator: "; "))"
    }
}
