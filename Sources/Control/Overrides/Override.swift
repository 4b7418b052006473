// One thing that an operator has changed while the gateway serves. It lies over what the policy says, and remembers what
// that was: when a reload says something else there, the change has had its day.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor
internal import Telemetry

/// What an operator may change.
enum Change: Equatable {
    /// A backend gets nothing new, and goes on with what it has.
    case drain(pool: String, BackendName)
    /// The limit of a backend, or of all of a pool, is pinned.
    case limit(pool: String, BackendName?, Int)
    /// A pool's decisions are carried out, or only counted.
    case mode(pool: String, AdmissionMode)
    /// The weight of a tenant among those of a pool.
    case weight(pool: String, tenant: String, Double)
    /// The least severe level that the log writes.
    case logLevel(LogSettings.Level)

    /// A backend by its URL, and by what it is known by inside.
    struct BackendName: Equatable {
        var label: String
        var key: String
    }

    /// What kind of change it is.
    var verb: OverrideSnapshot.Verb {
        switch self {
        case .drain: .drain
        case .limit: .limit
        case .mode: .mode
        case .weight: .weight
        case .logLevel: .log
        }
    }

    /// The pool that it is about; nil where it is about none.
    var pool: String? {
        switch self {
        case .drain(let pool, _), .limit(let pool, _, _), .mode(let pool, _),
            .weight(let pool, _, _):
            pool
        case .logLevel: nil
        }
    }

    /// The backend that it is about; nil where it is about none, or about all.
    var backend: BackendName? {
        switch self {
        case .drain(_, let backend): backend
        case .limit(_, let backend, _): backend
        case .mode, .weight, .logLevel: nil
        }
    }

    /// The tenant that it is about; nil where it is about none.
    var tenant: String? {
        if case .weight(_, let tenant, _) = self { tenant } else { nil }
    }

    /// What is in force by it.
    var value: String {
        switch self {
        case .drain: "drained"
        case .limit(_, _, let limit): "\(limit)"
        case .mode(_, let mode): mode.rawValue
        case .weight(_, _, let weight): "\(weight)"
        case .logLevel(let level): level.rawValue
        }
    }

    /// Whether both change the same thing.
    func isAbout(_ other: Change) -> Bool {
        verb == other.verb && pool == other.pool && backend == other.backend
            && tenant == other.tenant
    }

    /// What `policy` says of it; nil where it has no such thing any more.
    func configured(in policy: Policy) -> String? {
        if case .logLevel = self { return policy.log.level.rawValue }
        guard let pool = policy.pools.first(where: { $0.name == pool }) else { return nil }
        switch self {
        case .drain(_, let backend): return Change.standing(of: backend, in: pool)
        case .limit(_, let backend, _):
            if let backend, Change.standing(of: backend, in: pool) == nil { return nil }
            return pool.limitText
        case .mode: return pool.admission.mode.rawValue
        case .weight(_, let tenant, _):
            return pool.admission.tenants.first { $0.name == tenant }.map { "\($0.weight)" }
        case .logLevel: return nil
        }
    }

    /// The same in few words, for people.
    func configuredName(in policy: Policy) -> String? {
        guard case .limit(let name, _, _) = self, configured(in: policy) != nil else {
            return configured(in: policy)
        }
        return policy.pools.first { $0.name == name }.map { pool in
            switch pool.admission.limit {
            case .fixed(let fixed): "fixed \(fixed.limit)"
            case .aimd: "aimd"
            case .gradient: "gradient"
            case .vegas: "vegas"
            case .knee: "knee"
            case .reference: "reference"
            }
        }
    }

    /// How a backend stands in the policy; nil where it is not in it.
    ///
    /// One that is looked up may be gone for a while.
    private static func standing(of backend: BackendName, in pool: PoolSettings) -> String? {
        if let discovery = pool.discovery { return discovery.text }
        return pool.backends.first { $0.label == backend.label }.map { "weight \($0.weight)" }
    }
}

/// A change, and when and by whom it was made.
struct Override: Equatable {
    var change: Change
    /// What the policy said in its place.
    var replaced: String
    var since: Instant
    /// When it ends by itself; nil for never.
    var until: Instant?
    /// Who made it.
    var author: PeerCredentials
}
