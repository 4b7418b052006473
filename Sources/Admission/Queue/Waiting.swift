// One request that waits: the row that it takes in the queue's table.

/// Where a request stands among tenants and classes, by their rows.
struct FlowKey: Sendable {
    /// Row in the table of tenants.
    var tenant: Int32
    /// Row in the table of classes.
    var row: Int
    /// The class's index among the classes, 0 the highest.
    var rank: Int
}

/// A waiting request.
struct Waiting: Sendable {
    /// Where in the queue it is.
    enum Stage: UInt8, Sendable {
        /// Nowhere: the slot is free.
        case none
        /// In its tenant's flow.
        case inFlow
        /// Its turn has come, but it is wider than the room at any backend.
        case inHand
        /// It had been started at a backend that could not be connected to.
        case returned
        /// It has to leave; nobody has been told yet.
        case displaced
    }

    var id: RequestID
    var bodyBytes: Int
    var parkedAt: Instant
    /// When its client began to wait.
    var arrivedAt: Instant
    /// When the longest wait ends.
    var waitEnd: Instant
    /// When it is given up: the longest wait's end, or when its response would come too late.
    var expiresAt: Instant
    /// Why it is given up then, where that is before the longest wait's end.
    var expiryReason = Reason.queueTimeout
    /// When nobody wants the response any more.
    var respondBy: Instant
    /// What its tenant was or will be charged for it.
    var cost: Double
    /// What it is expected to come to.
    var expected: ExpectedTokens
    /// What has been taken from its tenant's quotas.
    var reserved = Reservation()
    var seats: Int32
    var tenant: Int32
    var row: UInt8
    var stage = Stage.none
    /// Whether its client says that it has tried before.
    var isRetry: Bool
    /// Whether it waits to find out what its client bears.
    var isTrial = false
    /// Whether no client waits for it.
    var isPatient: Bool
    /// Whether its class gets only what nobody else wants.
    var isSlack = false
    /// Whether `expiresAt` is in the heap; otherwise the class's order of arrival keeps it.
    var isInHeap = false
    var generation: UInt32 = 0
    /// The next free slot, while this one is free.
    var nextFree: Int32 = -1

    init(_ id: RequestID, _ ticket: Ticket, _ key: FlowKey, now: Instant, waitEnd: Instant) {
        self.id = id
        bodyBytes = ticket.bodyBytes
        parkedAt = now
        arrivedAt = min(ticket.arrivedAt ?? now, now)
        self.waitEnd = waitEnd
        expiresAt = waitEnd
        respondBy = ticket.respondBy ?? .distantFuture
        cost = ticket.cost
        expected = ExpectedTokens(ticket)
        seats = Int32(clamping: ticket.seats)
        isRetry = ticket.isRetry
        isPatient = ticket.isPatient
        tenant = key.tenant
        row = UInt8(key.row)
    }

    /// Has it given up at that time for that reason, unless something ends its wait before.
    mutating func expire(at instant: Instant, for reason: Reason) {
        guard instant < expiresAt else { return }
        expiresAt = instant
        expiryReason = reason
    }
}
