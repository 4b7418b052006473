// The vocabulary of refusals and failures. One value travels from the decision that was taken to
// the response the client gets, the access log's line and the metric's label, so that the three
// always agree.

/// Why a request ended otherwise than with its backend's complete response; `none` when it did not.
package enum Reason: UInt8, CaseIterable, Sendable {
    /// The backend's response reached the client whole.
    case none

    // Decided by the admission controller.
    /// The pool's queue holds `queue.max_requests` already.
    case queueFull
    /// The request's body would take the held bytes above `queue.max_bytes`.
    case queueBytesFull
    /// The predicted wait is longer than `queue.max_wait`, so queueing would only delay the
    /// refusal.
    case waitTooLong
    /// The request waited for `queue.max_wait` and no permit came free.
    case queueTimeout
    /// The request's own deadline ends before it could be started.
    case deadline
    /// The response would come later than most clients of its kind wait for one.
    case patience
    /// Every backend of the pool is ejected after refused connections, for longer than the wait
    /// allows.
    case noBackend
    /// The gateway is shutting down.
    case draining
    /// The tenant is over its fair share, and others wait.
    case tenantOverShare
    /// The tenant has as many requests in flight or waiting as it may.
    case tenantLimit
    /// The request waited and had to make room for one of a higher class, or for a newer one.
    case displaced
    /// The tenant has made as many requests as it may a minute.
    case tenantRequestRate
    /// The tenant has used as many tokens as it may a minute.
    case tenantTokenRate
    /// The request is a retry of a tenant that has long asked for more than twice what it gets.
    case retryShed

    // The client's doing.
    /// The request's bytes break HTTP/1.1's grammar or framing.
    case badRequest
    /// The request line is longer than the head's limit.
    case targetTooLong
    /// The head is larger, or has more fields, than the limits allow.
    case headTooLarge
    /// The body is larger than `server.max_body_size`.
    case bodyTooLarge
    /// The request uses a method, transfer coding or expectation that is not implemented.
    case notImplemented
    /// The request speaks a version of HTTP other than 1.0 and 1.1.
    case versionNotSupported
    /// The `Expect` field asks for something other than `100-continue`.
    case expectationFailed
    /// The head or the body did not arrive in time.
    case clientTimeout
    /// The client did not take the response in time.
    case writeTimeout
    /// The client closed the connection before the response was complete.
    case clientGone
    /// No route of the policy matches the request.
    case noRoute
    /// No route is for the model that the request names.
    case modelUnknown
    /// The request names no model, and every route that matches it is for some.
    case modelMissing
    /// The body has to be read and is not what it says it is, or names its model twice.
    case bodyInvalid
    /// The body has to be read and is encoded in a way that cannot be.
    case bodyEncoding
    /// The request has no API key, and needs one.
    case keyMissing
    /// The request's API key is not in the keys file.
    case keyUnknown
    /// The request asks for a WebSocket and its pool does not allow them.
    case upgradeRefused
    /// The request's path means another one to some servers: it has dot segments or an encoded slash.
    case pathAmbiguous
    /// The request has passed gateways of this one's name twice already.
    case loop

    /// The client of a bulk request took no answer while it had more to send: it reads nothing before it has sent
    /// everything.
    case bulkHalfDuplex

    // The backend's doing.
    /// No backend could be connected to.
    case connectFailed
    /// Connecting took longer than `timeouts.connect`.
    case connectTimeout
    /// The TLS handshake failed or the certificate could not be verified.
    case tlsFailed
    /// The backend closed the connection before its response was complete.
    case upstreamClosed
    /// The backend's bytes break HTTP/1.1's grammar or framing.
    case upstreamInvalid
    /// The first byte of the response, or the first event of a stream, did not arrive within
    /// `timeouts.first_byte`.
    case firstByteTimeout
    /// The backend fell silent within its response for longer than `timeouts.idle`.
    case upstreamIdleTimeout
    /// The backend fell silent within a stream for longer than `timeouts.stream_stall`.
    case streamStalled
    /// The backend did not answer with a stream, after the client had been promised one by a
    /// comment that kept it waiting.
    case streamRefused
    /// The worker that had the request went away before its response was complete.
    case workerLost
    /// The request's deadline passed before the response's first byte.
    case deadlinePassed
    /// Nothing passed through a WebSocket tunnel in either direction for `timeouts.tunnel_idle`.
    case tunnelIdleTimeout

    // The gateway's own.
    /// The gateway is out of descriptors or memory for this request.
    case exhausted

    /// The name in `x-penstock-reason`, in the log's `reason` and in the metrics' `reason` label.
    package var name: String {
        switch self {
        case .none: "none"
        case .queueFull: "queue_full"
        case .queueBytesFull: "queue_bytes_full"
        case .waitTooLong: "wait_too_long"
        case .queueTimeout: "queue_timeout"
        case .deadline: "deadline"
        case .patience: "patience"
        case .noBackend: "no_backend"
        case .draining: "draining"
        case .tenantOverShare: "tenant_over_share"
        case .tenantLimit: "tenant_limit"
        case .displaced: "displaced"
        case .tenantRequestRate: "tenant_request_rate"
        case .tenantTokenRate: "tenant_token_rate"
        case .retryShed: "retry_shed"
        case .badRequest: "bad_request"
        case .targetTooLong: "target_too_long"
        case .headTooLarge: "head_too_large"
        case .bodyTooLarge: "body_too_large"
        case .notImplemented: "not_implemented"
        case .versionNotSupported: "version_not_supported"
        case .expectationFailed: "expectation_failed"
        case .clientTimeout: "client_timeout"
        case .writeTimeout: "write_timeout"
        case .clientGone: "client_gone"
        case .noRoute: "no_route"
        case .modelUnknown: "model_unknown"
        case .modelMissing: "model_missing"
        case .bodyInvalid: "body_invalid"
        case .bodyEncoding: "body_encoding"
        case .keyMissing: "key_missing"
        case .keyUnknown: "key_unknown"
        case .upgradeRefused: "upgrade_refused"
        case .pathAmbiguous: "path_ambiguous"
        case .loop: "loop"
        case .bulkHalfDuplex: "bulk_half_duplex"
        case .connectFailed: "connect_failed"
        case .connectTimeout: "connect_timeout"
        case .tlsFailed: "tls_failed"
        case .upstreamClosed: "upstream_closed"
        case .upstreamInvalid: "upstream_invalid"
        case .firstByteTimeout: "first_byte_timeout"
        case .upstreamIdleTimeout: "upstream_idle_timeout"
        case .streamStalled: "stream_stalled"
        case .streamRefused: "stream_refused"
        case .workerLost: "worker_lost"
        case .deadlinePassed: "deadline_passed"
        case .tunnelIdleTimeout: "tunnel_idle_timeout"
        case .exhausted: "exhausted"
        }
    }
}

extension Reason {
    /// Whether there was not room for everybody, as opposed to a fault, an end, or a deadline.
    package var isShortage: Bool {
        switch self {
        case .queueFull, .queueBytesFull, .waitTooLong, .queueTimeout, .patience, .displaced,
            .tenantOverShare, .tenantLimit, .tenantRequestRate, .tenantTokenRate, .retryShed:
            true
        default:
            false
        }
    }

    /// Whether more backends would have served the request, so that an autoscaler should hear of it.
    ///
    /// `deadline` is one where the request could have been answered in time by an idle backend, which the reason alone
    /// does not tell.
    package var isWantOfCapacity: Bool {
        switch self {
        // The pool's queue, its bytes, and waits: all of them long for want of backends.
        case .queueFull, .queueBytesFull, .waitTooLong, .queueTimeout, .patience, .displaced: true
        // With more backends the share of each tenant is larger; what a tenant may have at most is a quota's to say.
        case .tenantOverShare: true
        // Nobody is there: of a pool that was scaled to nothing this is all that is seen of its demand.
        case .noBackend: true
        // Bounds of the tenant's own, which more backends do not move.
        case .tenantLimit, .tenantRequestRate, .tenantTokenRate: false
        // A further try, of a request that was counted when it came first.
        case .retryShed: false
        // The gateway ends, and another one serves the client.
        case .draining: false
        // Faults of requests, of clients and of backends.
        default: false
        }
    }

    /// Whether another pool may have room: for want of room or of backends in this one, and not because
    /// the tenant has had what it may have.
    package var isOfPool: Bool {
        switch self {
        case .tenantLimit, .tenantRequestRate, .tenantTokenRate: false
        default: isShortage || self == .noBackend
        }
    }

    /// Whether the admission controller gives this reason, before any backend was asked.
    package var isDecision: Bool {
        switch self {
        case .queueFull, .queueBytesFull, .waitTooLong, .queueTimeout, .deadline, .patience,
            .noBackend, .draining, .tenantOverShare, .tenantLimit, .displaced, .tenantRequestRate,
            .tenantTokenRate, .retryShed:
            true
        default:
            false
        }
    }
}
