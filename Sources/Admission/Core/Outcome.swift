// How a forwarded request ended. One value says it to the limit, to the judgement of backends, to
// the drain rate and to the quotas; each makes of it what it needs.

/// What a spent permit says.
package enum Outcome: Equatable, Sendable {
    /// The backend answered whole and well; the latency is a sample.
    case success
    /// The backend said that it has too much to do, and did not begin: 429, 503 or 529.
    case overload
    /// The backend failed, or was found at fault.
    case failed(Failure)
    /// Somebody left before the response's end; says nothing of the backend.
    case cancelled(by: Party, in: Phase)

    /// How a backend failed.
    package enum Failure: UInt8, CaseIterable, Sendable {
        /// It answered with a 5xx other than 503 and 529.
        case status
        /// It answered 401, 403, 404 or 422: the request's fault, unless it does so to everybody.
        case refusal
        /// It answered with another 4xx: the request's fault.
        case request
        /// Its bytes are no HTTP.
        case invalid
        /// It closed the connection before the response's end.
        case closed
        /// It sent no first byte in time.
        case timeout
        /// It fell silent within its response.
        case stalled
        /// The gateway was short of something itself; says nothing of the backend.
        case local
    }

    /// Who ended a request.
    package enum Party: UInt8, CaseIterable, Sendable {
        /// Its client closed the connection.
        case client
        /// The gateway: a deadline passed, the client took nothing any more, or the time to drain
        /// was up.
        case gateway
    }

    /// How far a request had come.
    package enum Phase: UInt8, CaseIterable, Sendable {
        /// Nothing was sent to the backend.
        case connecting
        /// The backend had a part of the request.
        case sending
        /// The backend had the whole request, and the client nothing of the response.
        case waiting
        /// The client had a part of the response.
        case answering
        /// The backend worked to the response's end for a client that had left.
        case finished
    }

    /// The value of the metric's `outcome` label.
    package var name: StaticString {
        switch self {
        case .success: "success"
        case .overload: "overload"
        case .failed(.status): "error"
        case .failed(.refusal): "refusal"
        case .failed(.request): "bad_request"
        case .failed(.invalid): "invalid"
        case .failed(.closed): "closed"
        case .failed(.timeout): "timeout"
        case .failed(.stalled): "stalled"
        case .failed(.local): "local"
        case .cancelled: "cancelled"
        }
    }

    /// One outcome of each name.
    package static let named: [Outcome] =
        [.success, .overload] + Failure.allCases.map { .failed($0) }
        + [.cancelled(by: .client, in: .waiting)]

    /// Where its name stands in `named`.
    package var index: Int {
        switch self {
        case .success: 0
        case .overload: 1
        case .failed(let failure): 2 + Int(failure.rawValue)
        case .cancelled: 2 + Failure.allCases.count
        }
    }

    /// The outcome of a response with this status that came whole.
    package init(status: Int) {
        switch status {
        case 429, 503, 529: self = .overload
        case 401, 403, 404, 422: self = .failed(.refusal)
        case 500...: self = .failed(.status)
        case 400...: self = .failed(.request)
        default: self = .success
        }
    }

    /// Whether the limit takes it for a sign that there was too much to do.
    var isDrop: Bool {
        switch self {
        case .overload, .failed(.timeout), .failed(.stalled): true
        case .success, .failed, .cancelled: false
        }
    }

    /// Whether the backend has done the work of a request to its end.
    var isWorkDone: Bool { self == .success || isFinishedForNobody }

    /// Whether something came from the backend, which so is not silent.
    var isAnswer: Bool { self == .failed(.status) || isWorkDone }

    /// Whether the backend has answered, and not with a failure of its own.
    package var showsLife: Bool {
        switch self {
        case .failed(.request), .failed(.refusal): true
        default: isWorkDone
        }
    }

    /// Whether the backend worked on it for a client that left before the response.
    var isForNobody: Bool {
        switch self {
        case .cancelled(by: .client, in: .waiting), .cancelled(_, in: .finished),
            .cancelled(by: .gateway, in: .waiting):
            true
        default: false
        }
    }

    /// Whether the backend has done it for a client that had left.
    private var isFinishedForNobody: Bool {
        if case .cancelled(_, .finished) = self { true } else { false }
    }
}

/// What a backend did for one request, as far as the gateway saw it.
package struct ServedWork: Sendable {
    /// From the grant to the response's first byte; nil when it is not known.
    package var firstByteNanoseconds: Int64?
    /// Units of progress that the response came in, at least 1.
    package var units: Int
    /// What the response came to in bytes, or in another unit that stays the same; nil when it says
    /// nothing, or when `units` says more.
    package var size: Double?
    /// For how long the backend asked not to be sent more, with a response that says overload; nil
    /// when it did not say.
    package var retryAfterNanoseconds: Int64?
    /// What the request came to, in the unit of `Ticket.cost`; nil when that is not known.
    package var cost: Double?
    // Behind what leaves room for it: this is copied often.
    /// Whether it was held back by a rate of bytes, so that its time says nothing of the backend.
    package var isHeldBack = false
    /// Tokens of the prompt, and how many of them the backend had in its cache, as it says itself; no tokens
    /// of the prompt where it does not.
    package var promptTokens: UInt32 = 0
    package var cachedTokens: UInt32 = 0
    /// What the tenant's quotas are charged.
    package var charge = Charge.reserved

    /// From the grant to the response's first byte, in seconds; nil when it is not known.
    var firstByteSeconds: Double? { firstByteNanoseconds.map { Double($0) / 1e9 } }

    /// Work of `units`, the first of which came after that time.
    package init(firstByteNanoseconds: Int64? = nil, units: Int = 1, cost: Double? = nil) {
        self.firstByteNanoseconds = firstByteNanoseconds
        self.units = units
        self.cost = cost
    }
}

/// One finished request, as the limit algorithms see it.
struct Sample {
    /// From grant to completion, at least 1 ns.
    var latencyNanoseconds: Int64
    /// Requests in flight at the backend at the grant, this one included.
    var inFlight: Int
    /// Whether the backend was overloaded; requests that say nothing make no sample.
    var isDropped: Bool
    /// When the request ended.
    var now: Instant
    /// From grant to the response's first byte.
    var firstByteNanoseconds: Int64
    /// Units that the response came in, at least 1.
    var units: Int
    /// Size of a response in one piece; 0 when it says nothing.
    var size: Double
    /// Which requests it is like: equal for those that are.
    var kind: UInt8

    init(
        latencyNanoseconds: Int64, inFlight: Int, isDropped: Bool = false, now: Instant,
        work: ServedWork = ServedWork(), kind: UInt8 = 0
    ) {
        self.kind = kind
        self.latencyNanoseconds = max(1, latencyNanoseconds)
        self.inFlight = inFlight
        self.isDropped = isDropped
        self.now = now
        firstByteNanoseconds = work.firstByteNanoseconds ?? self.latencyNanoseconds
        units = max(1, work.units)
        size = work.size ?? 0
    }
}
