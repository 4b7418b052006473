// What can be seen of a pool's admission, and what is said of its backends that no client had asked.

internal import Admission
internal import Policy
internal import Reactor

extension SharedAdmission {
    /// Permits granted and not yet spent.
    var inFlight: Int { state.withLock { $0.controller.inFlight } }
    /// Sum of the limits.
    var limit: Int { state.withLock { $0.controller.limit } }
    /// Requests that are parked.
    var queueLength: Int { state.withLock { $0.controller.queueLength } }
    /// Bytes that parked requests hold.
    var queueBytes: Int { state.withLock { $0.controller.queueBytes } }
    /// Units of cost a second that the pool gets done when busy.
    var drainRate: Double? { state.withLock { $0.controller.drainRate } }

    /// How many backends the pool wants.
    func wantedBackends(now: Instant) -> WantedBackends {
        state.withLock { $0.controller.wantedBackends(now: now) }
    }

    /// A request went to another pool, because it would have waited for too long in this one.
    func turnedAway(isRetry: Bool, now: Instant) {
        state.withLock { $0.controller.turnedAway(isRetry: isRetry, now: now) }
    }

    /// The limits of backends that were found by measuring them, by the backends' keys.
    var foundLimits: [String: Double] { state.withLock { $0.controller.foundLimits } }

    /// The limits that another process may begin with at once, by the backends' keys.
    var limitsInForce: [String: Double] { state.withLock { $0.controller.limitsInForce } }

    /// Units in flight by the keys of the backends that have any.
    var inFlightByBackend: [String: Int] { state.withLock { $0.controller.inFlightByBackend } }

    /// Counts what another process of this gateway has in flight; a poll is due then.
    func holdElsewhere(_ counts: [String: Int], now: Instant) {
        state.withLock { $0.controller.holdElsewhere(counts, now: now) }
    }

    /// Puts what an operator has decided about backends in force; a poll is due then.
    func override(_ overrides: BackendOverrides, now: Instant) {
        state.withLock { $0.controller.override(overrides, now: now) }
    }

    /// Whether nothing runs and nothing waits.
    var isIdle: Bool {
        state.withLock { $0.controller.inFlight == 0 && $0.controller.queueLength == 0 }
    }

    /// Permits of a class.
    func inFlight(ofClass index: Int) -> Int {
        state.withLock { $0.controller.inFlight(ofClass: index) }
    }

    /// What the clients of a class are taken to bear, in seconds; nil while nothing is assumed.
    func patienceSeconds(ofClass index: Int, now: Instant) -> Double? {
        state.withLock { $0.controller.patienceSeconds(ofClass: index, now: now) }
    }

    /// Requests of a class that are parked.
    func queueLength(ofClass index: Int) -> Int {
        state.withLock { $0.controller.queueLength(ofClass: index) }
    }

    /// How long the oldest parked request has waited.
    func oldestWaitNanoseconds(now: Instant) -> Int64? {
        state.withLock { $0.controller.oldestWaitNanoseconds(now: now) }
    }

    /// The backend in a slot; nil when that is vacant.
    func backend(_ id: BackendID, now: Instant) -> BackendStatus? {
        state.withLock { $0.controller.backend(id, now: now) }
    }

    /// Whether any backend may be sent requests, at least on trial.
    func hasUsableBackend(now: Instant) -> Bool {
        state.withLock { $0.controller.hasUsableBackend(now: now) }
    }

    /// Whether any backend may be sent requests that is not on trial.
    func hasWorkingBackend(now: Instant) -> Bool {
        state.withLock { $0.controller.hasWorkingBackend(now: now) }
    }

    /// A backend has answered what no client had asked.
    func answered(_ backend: BackendID, now: Instant) {
        state.withLock { $0.controller.answered(backend, now: now) }
    }

    /// A backend could not be connected to, which no client had asked for.
    func refused(_ backend: BackendID, now: Instant) {
        state.withLock { $0.controller.refused(backend, now: now) }
    }

    /// Checks of a backend that ended so, and of these how many did not count.
    func checks(of backend: BackendID, _ result: CheckResult) -> (all: Int, ignored: Int) {
        state.withLock { $0.controller.checks(of: backend, result) }
    }

    /// What is said of a backend, by each source that says anything.
    func signals(of backend: BackendID, now: Instant) -> [HeardSignal] {
        state.withLock { $0.controller.signals(of: backend, now: now) }
    }

    /// Whether a backend is to be left alone altogether.
    func isInMaintenance(_ backend: BackendID, now: Instant) -> Bool {
        signals(of: backend, now: now).contains { $0.signal.state == .maint }
    }

    /// Whether a response of a backend has reported its load in the last five seconds.
    func reportsByField(_ backend: BackendID, now: Instant) -> Bool {
        state.withLock {
            $0.controller.backend(backend, now: now)?.report.map { !$0.load.isByPage } ?? false
        }
    }

    /// How often a backend was suspected for that cause.
    func suspicions(of backend: BackendID, _ cause: SuspicionCause) -> Int {
        state.withLock { $0.controller.suspicions(of: backend, cause) }
    }

    /// How often a backend's limit was moved for that reason.
    func limitMoves(of backend: BackendID, _ reason: LimitMoveReason) -> (up: Int, down: Int) {
        state.withLock { $0.controller.limitMoves(of: backend, reason) }
    }

    /// What affinity came to and what it remembers; nil where the pool has none.
    var affinity: AffinityStatus? { state.withLock { $0.controller.affinityStatus } }

    /// What the first tenants that the policy names have.
    func tenants(first count: Int) -> [TenantStatus] {
        state.withLock { $0.controller.tenants(first: count) }
    }

    /// What the quotas come to that a tenant's requests are charged to, or those of `first` where it
    /// has one; nil where there is none.
    func rates(of tenant: TenantID, paidBy first: Payer?, now: Instant) -> TenantRates? {
        guard quotas.isInUse else { return nil }
        let own = state.withLock { Payer(tenant, in: $0.settings.admission) }
        return quotas.rates(of: first, or: own, now: now)
    }

    /// What a tenant may have in flight, while much of the limits is in use.
    func shareWhenBusy(of tenant: TenantID) -> TenantShare? {
        state.withLock { $0.controller.shareWhenBusy(of: tenant) }
    }

    /// A check of a backend has ended; whether that changed what it is sent: then a poll is due.
    func checked(
        _ backend: BackendID, _ result: CheckResult, _ rules: CheckRules, now: Instant
    ) -> Bool {
        state.withLock { $0.controller.checked(backend, result, rules, now: now) }
    }

    /// A backend is checked no more; a poll is due.
    func endChecks(of backend: BackendID, now: Instant) {
        state.withLock { $0.controller.endChecks(of: backend, now: now) }
    }
}
