// The responses that the gateway makes itself: what each reason says, to machines in the status and
// the fields, to people in the body. No text tells anything about a backend's address.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy

/// A response of the gateway's own.
struct LocalReply {
    /// Why.
    let reason: Reason
    /// The status code.
    let status: Int
    /// What it says.
    let source: Source
    /// When to come back and what else the controller said, for answers that come from it.
    let rejection: Rejection?

    /// What decides about the words.
    enum Source: Equatable {
        case reason
        /// A backend's connection ended, and its response had begun.
        case closedWithinResponse
        case fault(BodyFault)
        case parseError(ParseError)
        /// The status of a backend that was to send a stream, and did not.
        case noStream(Int)
    }

    /// The response for `reason`, with what the controller said if it was asked.
    ///
    /// `overloadStatus` is what the policy has instead of 503 for want of capacity, and `hasBegun` says
    /// that something of a backend's response had come.
    init(
        _ reason: Reason, rejection: Rejection? = nil, dialect: Dialect = .plain,
        overloadStatus: Int? = nil, hasBegun: Bool = false
    ) {
        self.reason = reason
        self.rejection = rejection
        source = hasBegun && reason == .upstreamClosed ? .closedWithinResponse : .reason
        let usual = LocalReply.status(of: reason)
        status =
            if usual != 503 {
                usual
            } else if reason.isShortage, let overloadStatus {
                overloadStatus
            } else if case .anthropic = dialect {
                529
            } else {
                503
            }
    }

    /// The response for a request whose body cannot be routed by.
    init(_ fault: BodyFault) {
        reason = fault == .expandsTooMuch ? .bodyTooLarge : .bodyInvalid
        status = LocalReply.status(of: reason)
        source = .fault(fault)
        rejection = nil
    }

    /// What a client is told that was promised a stream, when its backend answers with `status` and
    /// with no stream.
    init(insteadOfStream status: Int) {
        reason = .streamRefused
        self.status = status >= 400 ? status : LocalReply.status(of: reason)
        source = .noStream(status)
        rejection = nil
    }

    /// The response for a request that could not be parsed.
    init(_ error: ParseError) {
        status = error.status
        source = .parseError(error)
        rejection = nil
        reason =
            switch error.status {
            case 414: .targetTooLong
            case 431: .headTooLarge
            case 417: .expectationFailed
            case 501: .notImplemented
            case 505: .versionNotSupported
            default: .badRequest
            }
    }

    /// One sentence for people.
    var message: String {
        switch source {
        case .reason: LocalReply.message(of: reason)
        case .closedWithinResponse:
            "The server behind this gateway closed the connection within its answer."
        case .fault(let fault): fault.message
        case .parseError(let error): error.message
        case .noStream(let status):
            switch status {
            case 429, 503, 529: "The server behind this gateway is overloaded."
            case 400...499: "The server behind this gateway refused the request."
            case 500...: "The server behind this gateway failed."
            default: LocalReply.message(of: reason)
            }
        }
    }

    /// The status that responses each reason (RFC 9110 section 15); 0 for those that are never
    /// answered.
    static func status(of reason: Reason) -> Int {
        switch reason {
        case .none, .clientGone, .writeTimeout, .tunnelIdleTimeout, .bulkHalfDuplex: 0
        case .queueFull, .queueBytesFull, .waitTooLong, .queueTimeout, .deadline, .patience,
            .noBackend, .draining, .displaced, .exhausted:
            503
        case .tenantOverShare, .tenantLimit, .tenantRequestRate, .tenantTokenRate, .retryShed: 429
        case .keyMissing, .keyUnknown: 401
        case .badRequest, .bodyInvalid, .modelMissing, .pathAmbiguous: 400
        case .bodyEncoding: 415
        case .targetTooLong: 414
        case .headTooLarge: 431
        case .bodyTooLarge: 413
        case .notImplemented: 501
        case .versionNotSupported: 505
        case .expectationFailed: 417
        case .clientTimeout: 408
        case .noRoute, .modelUnknown: 404
        case .upgradeRefused: 403
        case .loop: 508
        case .connectFailed, .tlsFailed, .upstreamClosed, .upstreamInvalid, .streamRefused,
            .workerLost:
            502
        case .connectTimeout, .firstByteTimeout, .upstreamIdleTimeout, .streamStalled,
            .deadlinePassed:
            504
        }
    }

    private static func message(of reason: Reason) -> String {
        switch reason {
        case .none, .clientGone, .writeTimeout, .tunnelIdleTimeout: ""
        case .queueFull: "The server is at its limit and its queue is full."
        case .queueBytesFull:
            "The server is at its limit and its queue has no room for this request's size."
        case .waitTooLong: "The server is at its limit and the wait would be too long."
        case .queueTimeout: "The server is at its limit and did not get to this request in time."
        case .deadline: "The request's deadline would pass before it could be started."
        case .patience: "The answer would come later than most clients wait for one."
        case .noBackend: "No server is available for this request at the moment."
        case .draining: "The server is shutting down."
        case .tenantOverShare: "You are using more than your share while others wait."
        case .tenantLimit: "You have as many requests in progress as you may."
        case .displaced: "The request made room for one of a higher priority."
        case .tenantRequestRate: "You have made as many requests as you may a minute."
        case .tenantTokenRate: "You have used as many tokens as you may a minute."
        case .retryShed: "You keep asking for far more than you get; retries make it worse."
        case .keyMissing: "The request needs an API key."
        case .keyUnknown: "The API key is not known."
        case .badRequest: "The request is not valid HTTP/1.1."
        case .targetTooLong: "The request's target is too long."
        case .headTooLarge: "The request's head is too large."
        case .bodyTooLarge: "The request's body is too large."
        case .notImplemented: "The request's method or transfer coding is not supported."
        case .versionNotSupported: "Only HTTP/1.0 and HTTP/1.1 are supported."
        case .expectationFailed: "Only the expectation 100-continue is supported."
        case .clientTimeout: "The request did not arrive in time."
        case .noRoute: "Nothing is served at this address."
        case .modelUnknown: "The model does not exist or is not served here."
        case .modelMissing: "The request does not name a model."
        case .bodyInvalid: "The request's body is not valid."
        case .bodyEncoding: "The request's content coding is not supported here."
        case .upgradeRefused: "WebSocket connections are not allowed at this address."
        case .pathAmbiguous:
            "The request's path has dot segments, a backslash or an encoded slash; write it without."
        case .bulkHalfDuplex:
            "The client took no answer while it sent; read while sending, or send less at once and go on from done_below."
        case .loop: "The request comes back to this gateway again and again."
        case .connectFailed: "The server behind this gateway could not be reached."
        case .connectTimeout: "The server behind this gateway did not accept a connection in time."
        case .tlsFailed: "No secure connection to the server behind this gateway could be made."
        case .upstreamClosed:
            "The server behind this gateway closed the connection before it had answered."
        case .upstreamInvalid: "The server behind this gateway gave an invalid answer."
        case .firstByteTimeout: "The server behind this gateway did not answer in time."
        case .upstreamIdleTimeout: "The server behind this gateway fell silent within its answer."
        case .streamRefused: "The server behind this gateway did not answer with a stream."
        case .streamStalled: "The server behind this gateway stopped in the middle of its stream."
        case .workerLost: "The server behind this gateway went away before it had answered."
        case .deadlinePassed: "The request's deadline passed before there was an answer."
        case .exhausted: "The gateway is out of resources for this request."
        }
    }

    /// Appends the whole response to the request of `exchange`, whose head need not have been complete.
    func append(for exchange: Exchange, to output: inout ByteBuffer) {
        let pool = exchange.pool
        var kind = ReplyTemplate.Kind(
            answer: source, status: status, reason: reason, dialect: exchange.claim.dialect)
        kind.hasRequestID = exchange.intake.isHeadComplete
        if exchange.intake.isHeadComplete, case .head = exchange.intake.head.method {
            kind.omitsBody = true
        }
        kind.tellsTime = rejection != nil
        if rejection != nil, isForWantOfCapacity, let pool {
            kind.saysEnvoyOverloaded = pool.responses.saysEnvoyOverloaded
        }
        (pool?.replies ?? exchange.shard.replies).template(kind, self)
            .append(for: exchange, rejection, to: &output)
    }

    /// What the body says.
    func facts(_ dialect: Dialect) -> ErrorFacts {
        var facts = ErrorFacts(
            status: status, title: ReasonPhrase.of(status), message: message,
            code: code(dialect))
        facts.isQuota = LocalReply.status(of: reason) == 429
        switch reason {
        case .tenantRequestRate: facts.quota = .requests
        case .tenantTokenRate: facts.quota = .tokens
        default: break
        }
        facts.isShortage = isForWantOfCapacity
        return facts
    }

    /// The code that programs compare: the reason, where the service has no word of its own.
    private func code(_ dialect: Dialect) -> String {
        dialect == .openAI && reason == .modelUnknown ? "model_not_found" : reason.name
    }

    /// Whether the pool could not take the request, as opposed to the tenant's being over its
    /// share.
    var isForWantOfCapacity: Bool { reason.isShortage && LocalReply.status(of: reason) == 503 }

    /// Whether the status makes the common clients try again what will fail again.
    var isRetryPointless: Bool {
        switch reason {
        case .notImplemented, .versionNotSupported: true
        default: false
        }
    }
}
