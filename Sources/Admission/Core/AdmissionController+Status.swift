// What can be seen from outside: for metrics, for readiness and for tests. Nothing here changes a
// decision.

/// One backend as the controller sees it.
package struct BackendStatus: Equatable, Sendable {
    /// The name it was configured by.
    package var key: String
    /// False once it has left and only drains.
    package var isPresent: Bool
    /// Requests that may be in flight, at least 1.
    package var limit: Int
    /// The limit with its fraction.
    package var limitExact: Double
    /// Permits granted and not yet spent.
    package var inFlight: Int
    /// Whether requests may go there, at least on trial.
    package var isUsable: Bool
    /// Whether it was ejected, or its connections broke, and nothing has ended well there since.
    package var isOnTrial: Bool
    /// Whether nothing has ended well there since it is known, or since it was ejected.
    package var isUnheard: Bool
    /// Until when it is ejected after refusals; nil when it is not.
    package var unusableUntil: Instant?
    /// Refusals since the last connection.
    package var consecutiveFailures: Int
    /// Where an operator pinned its limit; nil where nobody did.
    package var pinnedLimit: Int?
    /// What it may have in flight now, at least 1: its limit, as far as signals and suspicion allow.
    package var allowed: Int
    /// Units in flight whose clients have left.
    package var abandoned: Int
    /// Units in flight that wait for their clients.
    package var waitingForClient: Int
    /// Why it is sent less than its limit; nil when nothing is held against it.
    package var suspicion: SuspicionCause?
    /// Whether its checks fail, and whether it gets nothing for that.
    package var isFailingChecks: Bool
    package var isWithheld: Bool
    /// What it has reported of its load, as long as that counts, and what follows; nil for nothing.
    package var report: ReportStatus?
    /// Tokens that its cache is taken to hold; nil where the pool has no affinity.
    package var cacheTokens: Int?
    /// What the limit rests on.
    package var evidence: LimitEvidence
    /// The last move of its limit; nil before the first.
    package var lastMove: LastMove?
    /// Seconds for which the limit was used up, since the backend was added.
    package var boundSeconds: Double
}

extension AdmissionController {
    /// Requests that are parked.
    package var queueLength: Int { queue.count }
    /// Bytes that parked requests hold.
    package var queueBytes: Int { queue.bytes }
    /// Permits granted and not yet spent, over all backends.
    package var inFlight: Int { totalInFlight }
    /// Sum of what the backends that are present may have in flight.
    package var limit: Int {
        backends.reduce(0) { $0 + ($1.isPresent ? $1.allowed : 0) }
    }
    /// Backends that are present.
    package var backendCount: Int { backends.reduce(0) { $0 + ($1.isPresent ? 1 : 0) } }
    /// Slots in the table of backends: a `BackendID` is below it, and may be vacant.
    package var backendSlots: Int { backends.count }
    /// Requests of a class that are parked, by its index in the settings.
    package func queueLength(ofClass index: Int) -> Int { queue.classes[queue.ranks[index]].count }
    /// Permits of a class granted and not yet spent, by its index in the settings.
    package func inFlight(ofClass index: Int) -> Int { queue.classes[queue.ranks[index]].running }
    /// What a tenant may have in flight while others want something too.
    package func share(of tenant: TenantID) -> TenantShare {
        queue.share(queue.tenants.row(of: tenant), limit: provenLimit)
    }
    /// Units of cost a second that the pool gets done when busy; nil before the first success.
    package var drainRate: Double? { drainEstimate.perSecond(limit: provenLimit) }

    /// The limits of present backends that were found by measuring them, by the backends' names.
    package var foundLimits: [String: Double] { limits(\.found) }

    /// The limits of present backends that another process may begin with at once.
    package var limitsInForce: [String: Double] { limits(\.inForce) }

    private func limits(_ which: (Limiter) -> Double?) -> [String: Double] {
        var limits: [String: Double] = [:]
        for backend in backends where backend.isPresent {
            if let limit = which(backend.limiter) { limits[backend.key] = limit }
        }
        return limits
    }

    /// The backend at a slot; nil when the slot is vacant.
    package func backend(_ id: BackendID, now: Instant) -> BackendStatus? {
        guard backends.indices.contains(id.index), !backends[id.index].isVacant else { return nil }
        let backend = backends[id.index]
        let isEjected = backend.ejection.isEjected(now: max(clock, now))
        return BackendStatus(
            key: backend.key, isPresent: backend.isPresent, limit: backend.limit,
            limitExact: backend.limiter.exact, inFlight: backend.inFlight,
            isUsable: backend.isUsable(now: max(clock, now)),
            isOnTrial: backend.isOnTrial, isUnheard: backend.ejection.isUnheard,
            unusableUntil: isEjected ? backend.ejection.until : nil,
            consecutiveFailures: backend.ejection.consecutiveFailures,
            pinnedLimit: overrides.limit(of: backend.key),
            allowed: backend.allowed(now: max(clock, now)), abandoned: backend.abandoned,
            waitingForClient: backend.waitingForClient,
            suspicion: backend.suspicion.isTrusted ? nil : backend.suspicion.cause,
            isFailingChecks: backend.checks.isFailing,
            isWithheld: backend.suspicion.isWithheld,
            report: backend.reports.status(now: max(clock, now)),
            cacheTokens: hasAffinity ? affinity.capacityTokens(of: id.index) : nil,
            evidence: backend.limiter.evidence, lastMove: backend.lastMove,
            boundSeconds: backend.meter.boundSeconds)
    }

    /// The slot of the present backend of that name; nil when there is none.
    package func backendID(forKey key: String) -> BackendID? {
        backends.firstIndex { $0.isPresent && $0.key == key }.map(BackendID.init(index:))
    }

    /// Whether any backend may be sent requests, at least on trial.
    package func hasUsableBackend(now: Instant) -> Bool {
        backends.contains { $0.isUsable(now: max(clock, now)) }
    }

    /// Whether any backend may be sent requests that is not on trial and of which something good was heard.
    package func hasWorkingBackend(now: Instant) -> Bool {
        backends.contains {
            $0.isUsable(now: max(clock, now)) && !$0.isOnTrial && !$0.ejection.isUnheard
                && !$0.suspicion.isWithheld
        }
    }

    /// The shortest time to a first byte, in seconds, that the clients of any tenant of a class are
    /// taken to bear, by the class's index in the settings; nil while nothing is assumed of any.
    package func patienceSeconds(ofClass index: Int, now: Instant) -> Double? {
        let row = queue.ranks[index]
        var shortest = Double.infinity
        for tenant in queue.tenants.rows.indices {
            let borne = queue.patienceSeconds(
                Int32(tenant), row, firstByteSeconds: firstByteSeconds(Int32(tenant), row),
                now: max(clock, now))
            shortest = min(shortest, borne)
        }
        return shortest.isFinite ? shortest : nil
    }

    /// What is said of a backend, by each source that says anything; nothing for a vacant slot.
    package func signals(of backend: BackendID, now: Instant) -> [HeardSignal] {
        guard backends.indices.contains(backend.index) else { return [] }
        return backends[backend.index].signals.heard.filter { $0.signal.end > max(clock, now) }
    }

    /// Checks of a backend that ended so, and of these how many did not count; 0 for a vacant slot.
    package func checks(
        of backend: BackendID, _ result: CheckResult
    ) -> (all: Int, ignored: Int) {
        guard backends.indices.contains(backend.index) else { return (0, 0) }
        let record = backends[backend.index].checks
        return (
            record.counts[Int(result.rawValue)], result == .timedOut ? record.ignored : 0
        )
    }

    /// How often a backend was suspected for that cause; 0 for a vacant slot.
    package func suspicions(of backend: BackendID, _ cause: SuspicionCause) -> Int {
        guard backends.indices.contains(backend.index) else { return 0 }
        return backends[backend.index].suspicions[Int(cause.rawValue)]
    }

    /// How long the request at the head of the queue has waited, in nanoseconds; nil when nothing
    /// waits.
    package func oldestWaitNanoseconds(now: Instant) -> Int64? {
        queue.oldestParkedAt.map { max(clock, now).nanoseconds(since: $0) }
    }

    /// How often limits were moved for that reason, since the controller was made.
    package func limitMoves(_ reason: LimitMoveReason) -> Int {
        moveCounts[Int(reason.rawValue)]
    }

    /// How often the limit of `backend` was raised and lowered for that reason; nothing for a
    /// vacant slot.
    package func limitMoves(
        of backend: BackendID, _ reason: LimitMoveReason
    ) -> (up: Int, down: Int) {
        guard backends.indices.contains(backend.index) else { return (0, 0) }
        let row = backends[backend.index]
        return (row.movesUp[Int(reason.rawValue)], row.movesDown[Int(reason.rawValue)])
    }

    /// A rejection that the gateway itself decided on, with the pool's Retry-After.
    package mutating func rejection(_ reason: Reason, now: Instant) -> Rejection {
        advance(to: now)
        return refuse(reason)
    }
}
