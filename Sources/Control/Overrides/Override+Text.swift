// An override as a line for the next process of the gateway. Both run since the same start of the machine, so that instants
// of one are instants of the other.

internal import Admission
internal import Policy
internal import Reactor
internal import Telemetry

extension Override {
    /// The override as a form.
    var text: String {
        var form = Form()
        form["verb"] = change.verb.rawValue
        form["pool"] = change.pool
        form["backend"] = change.backend?.label
        form["key"] = change.backend?.key
        form["tenant"] = change.tenant
        form["value"] = change.value
        form["replaced"] = replaced
        form["since"] = "\(since.nanoseconds)"
        form["until"] = until.map { "\($0.nanoseconds)" }
        form["uid"] = "\(author.user)"
        form["pid"] = "\(author.process)"
        return form.text
    }

    /// The one that `text` says; nil where it says none that is known here.
    init?(_ text: String) {
        guard let form = Form(text), let change = Change(form), let replaced = form["replaced"],
            let since = form["since"].flatMap({ Int64($0) }),
            let user = form["uid"].flatMap({ UInt32($0) }),
            let process = form["pid"].flatMap({ Int32($0) })
        else { return nil }
        let until = form["until"].flatMap { Int64($0) }
        if form["until"] != nil, until == nil { return nil }
        self.init(
            change: change, replaced: replaced, since: Instant(nanoseconds: since),
            until: until.map { Instant(nanoseconds: $0) },
            author: PeerCredentials(process: process, user: user))
    }
}

extension Change {
    fileprivate init?(_ form: Form) {
        guard let verb = form["verb"].flatMap({ OverrideSnapshot.Verb(rawValue: $0) }),
            let value = form["value"]
        else { return nil }
        let backend = form["backend"].flatMap { label in
            form["key"].map { BackendName(label: label, key: $0) }
        }
        switch (verb, form["pool"]) {
        case (.drain, let pool?):
            guard let backend else { return nil }
            self = .drain(pool: pool, backend)
        case (.limit, let pool?):
            guard let limit = Int(value), Change.limits.contains(limit) else { return nil }
            self = .limit(pool: pool, backend, limit)
        case (.mode, let pool?):
            guard let mode = AdmissionMode(rawValue: value) else { return nil }
            self = .mode(pool: pool, mode)
        case (.weight, let pool?):
            guard let tenant = form["tenant"], let weight = Double(value),
                Change.weights.contains(weight)
            else { return nil }
            self = .weight(pool: pool, tenant: tenant, weight)
        case (.log, _):
            guard let level = LogSettings.Level(rawValue: value) else { return nil }
            self = .logLevel(level)
        default: return nil
        }
    }

    /// Limits that can be pinned, as a policy may say them.
    static let limits = 1...100_000
    /// Weights of tenants, as a policy may say them.
    static let weights = 0.01...1_000
}
