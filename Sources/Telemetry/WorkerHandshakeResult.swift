// What comes of the handshakes of workers, as the metrics have it.

/// What came of a worker's handshake.
package enum WorkerHandshakeResult: UInt8, CaseIterable, Sendable {
    /// The connection carries requests from now on.
    case accepted
    /// Something about it is not as it should be: 400, 408 and other faults of HTTP.
    case bad
    /// It has no key that is known: 401.
    case unauthorized
    /// Its key is for other pools: 403.
    case forbidden
    /// There is no such pool: 404.
    case unknown
    /// It asks for no upgrade: 426.
    case upgradeRequired
    /// There is no room, or the gateway drains: 503.
    case unavailable

    /// What a refusal with `status` is.
    package init(status: Int) {
        switch status {
        case 101: self = .accepted
        case 401: self = .unauthorized
        case 403: self = .forbidden
        case 404: self = .unknown
        case 426: self = .upgradeRequired
        case 503: self = .unavailable
        default: self = .bad
        }
    }

    /// The value of the metric's `result` label.
    package var name: StaticString {
        switch self {
        case .accepted: "accepted"
        case .bad: "bad"
        case .unauthorized: "unauthorized"
        case .forbidden: "forbidden"
        case .unknown: "unknown"
        case .upgradeRequired: "upgrade_required"
        case .unavailable: "unavailable"
        }
    }
}
