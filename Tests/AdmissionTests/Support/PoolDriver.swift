// Drives a controller by plain values, so that a test reads as a dialogue. Permits are kept here by
// request.

import Admission

/// An instant that many milliseconds after the clock's zero.
func at(_ milliseconds: Int64) -> Instant {
    Instant(nanoseconds: milliseconds * 1_000_000)
}

/// What the controller said about a request.
enum Answer: Equatable {
    case forwarded(Int)
    case rejected(Reason)
    case parked
}

/// What came out of `poll`.
enum Polled: Equatable {
    case forwarded(UInt64, Int)
    case rejected(UInt64, Reason)
}

/// Holds a permit where a copyable thing is needed.
final class PermitBox {
    private var permit: Permit?

    init(_ permit: consuming Permit) { self.permit = consume permit }

    func take() -> Permit {
        guard let permit = permit.take() else { fatalError("the permit was taken before") }
        return permit
    }
}

/// A controller, the permits it granted and the handles it gave out.
final class PoolDriver {
    var controller: AdmissionController
    var quotas: QuotaTable
    private(set) var permits: [UInt64: PermitBox] = [:]
    private(set) var handles: [UInt64: ParkedHandle] = [:]
    private(set) var lastRejection: Rejection?
    private(set) var lastInFlight = 0
    /// By request that started at once: what observe mode would have refused it for.
    private(set) var withheld: [UInt64: Reason] = [:]
    private(set) var wouldWait: Set<UInt64> = []
    private var settings: AdmissionSettings

    init(
        _ settings: AdmissionSettings, backends: [String] = ["a"], weights: [Int] = [],
        seed: UInt64 = 1
    ) {
        controller = AdmissionController(
            settings: settings, backends: backends, weights: weights, seed: seed)
        quotas = QuotaTable(QuotaSettings(settings))
        self.settings = settings
    }

    /// Puts other settings in force.
    func reconfigure(_ settings: AdmissionSettings, backends: [String] = ["a"], at now: Instant) {
        controller.reconfigure(settings: settings, backends: backends, now: now)
        quotas.reconfigure(QuotaSettings(settings)) { _ in 0 }
        self.settings = settings
    }

    deinit {
        for box in permits.values { controller.complete(box.take(), .failed(.request), now: at(0)) }
    }

    func offer(
        _ id: UInt64, at now: Instant, bytes: Int = 0, deadline: Instant? = nil,
        tenant: TenantID = .anonymous, class priorityClass: Int = 0, cost: Double = 1,
        seats: Int = 1, tokens: Int = 0, outputTokens: Int? = nil, isRetry: Bool = false,
        isPatient: Bool = false, prefix: PrefixKeys? = nil
    ) -> Answer {
        var ticket = Ticket(bodyBytes: bytes, respondBy: deadline)
        ticket.tenant = tenant
        ticket.priorityClass = priorityClass
        ticket.cost = cost
        ticket.seats = seats
        ticket.tokens = tokens
        ticket.outputTokens = outputTokens
        ticket.isRetry = isRetry
        ticket.isPatient = isPatient
        controller.prepare(prefix)
        return note(
            id,
            controller.offer(RequestID(rawValue: id), ticket, charging: &quotas, now: now), now)
    }

    /// Offers a request that another pool may have refused before, at the cost of a shared table.
    func offer(
        _ id: UInt64, at now: Instant, tenant: TenantID, tokens: Int, payer: Payer?,
        charging table: inout QuotaTable
    ) -> Answer {
        var ticket = Ticket()
        ticket.tenant = tenant
        ticket.tokens = tokens
        let verdict = controller.offer(
            RequestID(rawValue: id), ticket, charging: &table, payer, now: now)
        return note(id, verdict, now)
    }

    /// Starts a request that nobody waits for; nil where there is no room for it.
    func startIfFree(_ id: UInt64, class priorityClass: Int = 0, at now: Instant) -> Int? {
        var ticket = Ticket()
        ticket.tenant = .hashed(7)
        ticket.priorityClass = priorityClass
        guard let permit = controller.startIfFree(ticket, now: now) else { return nil }
        let backend = permit.backend.index
        permits[id] = PermitBox(permit)
        return backend
    }

    func complete(
        _ id: UInt64, _ outcome: Outcome = .success, cost: Double? = nil,
        charge: Charge = .reserved, retryAfterSeconds: Int64? = nil, at now: Instant
    ) {
        complete(
            id, outcome, cost: cost, charge: charge, retryAfterSeconds: retryAfterSeconds, at: now,
            charging: &quotas)
    }

    func complete(
        _ id: UInt64, _ outcome: Outcome = .success, cost: Double? = nil, charge: Charge,
        retryAfterSeconds: Int64? = nil, at now: Instant, charging table: inout QuotaTable
    ) {
        guard let box = permits.removeValue(forKey: id) else { fatalError("no permit of \(id)") }
        var work = ServedWork(cost: cost)
        work.retryAfterNanoseconds = retryAfterSeconds.map { $0 * 1_000_000_000 }
        work.charge = charge
        let permit = box.take()
        table.settle(permit.reserved, charge, now: now)
        controller.complete(permit, outcome, work, now: now)
    }

    /// Spends the permit of a request that was answered well.
    func complete(
        _ id: UInt64, _ work: ServedWork, _ outcome: Outcome = .success, at now: Instant
    ) {
        guard let box = permits.removeValue(forKey: id) else { fatalError("no permit of \(id)") }
        controller.complete(box.take(), outcome, work, now: now)
    }

    func wait(on awaited: Awaited, _ id: UInt64, at now: Instant) {
        guard let box = permits[id] else { fatalError("no permit of \(id)") }
        var permit = box.take()
        controller.wait(on: awaited, &permit, now: now)
        permits[id] = PermitBox(permit)
    }

    func leave(
        _ id: UInt64, _ kind: RequestKind, _ phase: Outcome.Phase, at now: Instant
    ) -> Departure {
        guard let box = permits[id] else { fatalError("no permit of \(id)") }
        var permit = box.take()
        let departure = controller.leave(&permit, kind, phase, now: now)
        permits[id] = PermitBox(permit)
        return departure
    }

    @discardableResult
    func signal(_ signal: Signal, at now: Instant = at(1)) -> Bool {
        controller.signal(BackendID(index: 0), signal, now: now)
    }

    func check(
        _ result: CheckResult, _ backend: Int = 0, rules: CheckRules = CheckRules(), at now: Instant
    ) -> Bool {
        controller.checked(BackendID(index: backend), result, rules, now: now)
    }

    func mayRetry(_ id: UInt64, after outcome: Outcome, at now: Instant) -> Bool {
        guard let box = permits[id] else { fatalError("no permit of \(id)") }
        let permit = box.take()
        let backend = permit.backend
        permits[id] = PermitBox(permit)
        return controller.mayRetry(at: backend, after: outcome, now: now)
    }

    func retry(_ id: UInt64, after outcome: Outcome, at now: Instant) -> Answer {
        guard let box = permits.removeValue(forKey: id) else { fatalError("no permit of \(id)") }
        return note(
            id,
            controller.retry(
                box.take(), after: outcome, ServedWork(), RequestID(rawValue: id), Ticket(),
                now: now), now)
    }

    func retry(
        _ id: UInt64, at now: Instant, deadline: Instant? = nil, startBy: Instant? = nil
    ) -> Answer {
        guard let box = permits.removeValue(forKey: id) else { fatalError("no permit of \(id)") }
        var ticket = Ticket(respondBy: deadline)
        ticket.startBy = startBy
        return note(
            id, controller.retry(box.take(), RequestID(rawValue: id), ticket, now: now), now)
    }

    func cancel(_ id: UInt64, at now: Instant) -> Bool {
        guard let handle = handles[id] else { fatalError("\(id) was never parked") }
        guard let reserved = controller.cancel(handle, now: now) else { return false }
        quotas.settle(reserved, .nothing, now: now)
        return true
    }

    func poll(at now: Instant) -> Polled? { poll(at: now, charging: &quotas) }

    private func poll(at now: Instant, charging table: inout QuotaTable) -> Polled? {
        guard let decision = controller.poll(now: now) else { return nil }
        switch consume decision {
        case .forward(let id, let permit):
            let backend = permit.backend.index
            permits[id.rawValue] = PermitBox(permit)
            return .forwarded(id.rawValue, backend)
        case .reject(let id, var rejection):
            table.settle(rejection.takeReserved(), .nothing, now: now)
            lastRejection = rejection
            return .rejected(id.rawValue, rejection.reason)
        }
    }

    /// Polls at the cost of a shared table.
    func pollAll(at now: Instant, charging table: inout QuotaTable) {
        while poll(at: now, charging: &table) != nil {}
    }

    func pollAll(at now: Instant) -> [Polled] {
        var all: [Polled] = []
        while let polled = poll(at: now) { all.append(polled) }
        return all
    }

    func status(_ index: Int = 0, at now: Instant = at(0)) -> BackendStatus? {
        controller.backend(BackendID(index: index), now: now)
    }

    // `#expect` cannot hold a controller to call a method on it, as it cannot be copied.

    func limitMoves(_ reason: LimitMoveReason) -> Int { controller.limitMoves(reason) }
    func rates(_ tenant: TenantID, at now: Instant) -> TenantRates? {
        quotas.rates(of: nil, or: Payer(tenant, in: settings), now: now)
    }
    func backendID(_ key: String) -> Int? { controller.backendID(forKey: key)?.index }
    func hasUsableBackend(at now: Instant) -> Bool { controller.hasUsableBackend(now: now) }
    func hasWorkingBackend(at now: Instant) -> Bool { controller.hasWorkingBackend(now: now) }
    func oldestWait(at now: Instant) -> Int64? { controller.oldestWaitNanoseconds(now: now) }

    private func note(_ id: UInt64, _ verdict: consuming Verdict, _ now: Instant) -> Answer {
        switch consume verdict {
        case .forward(let permit):
            let backend = permit.backend.index
            lastInFlight = permit.inFlight
            withheld[id] = permit.withheld
            if permit.wouldWait { wouldWait.insert(id) }
            permits[id] = PermitBox(permit)
            return .forwarded(backend)
        case .reject(var rejection):
            quotas.settle(rejection.takeReserved(), .nothing, now: now)
            lastRejection = rejection
            return .rejected(rejection.reason)
        case .parked(let handle):
            handles[id] = handle
            return .parked
        }
    }
}

extension QuotaSettings {
    /// The quotas of a pool that is alone.
    init(_ settings: AdmissionSettings) {
        self.init()
        tenants = settings.tenants
        others = settings.otherTenants
        hashedRows = settings.queue.hashedFlows
    }
}

extension AdmissionSettings {
    /// A fixed limit, with a queue.
    static func fixed(
        _ limit: Int, queue: Int = 256, bytes: Int = 1 << 20, maxWait: Duration = .seconds(2)
    ) -> AdmissionSettings {
        var settings = AdmissionSettings()
        settings.limit = .fixed(FixedLimitSettings(limit: limit))
        settings.queue.maxRequests = queue
        settings.queue.maxBytes = bytes
        settings.queue.maxWait = maxWait
        settings.queue.coldWait = .zero
        return settings
    }
}
