// A pool at work: its admission controller, and its backends in the order that the controller
// numbers them.
//
// A pool outlives reloads as long as its name stays in the policy, and so does what its limits have
// learnt. One that is taken out of the policy serves what it has and is then forgotten.

internal import Admission
internal import Policy

/// One pool of backends.
final class Pool {
    let name: String
    private(set) var settings: PoolSettings
    private(set) var admission: AdmissionController
    let metrics: PoolMetrics
    /// By `BackendID.index`; nil where a backend was taken out of the policy and has drained.
    private(set) var upstreams: [Upstream?] = []
    /// Whether something happened that may free or end parked requests.
    private(set) var needsPoll = false
    /// Whether the policy names this pool no more.
    private(set) var isRetired = false

    /// `settings` in nanoseconds, for the data path.
    private(set) var timeouts = Timeouts()
    /// What requests may claim, for the data path.
    private(set) var claims: ClaimTable
    /// What refused clients are told, for the data path.
    private(set) var answers = AnswerSettings()
    /// Whether tenants are told their share.
    private(set) var tellsShares = false
    /// Whether decisions are only counted.
    private(set) var isObserving = false

    struct Timeouts {
        var connectNanoseconds: Int64 = 0
        var firstByteNanoseconds: Int64 = 0
        var idleNanoseconds: Int64 = 0
        var keepAliveNanoseconds: Int64 = 0
    }

    private let reactor: Reactor
    private let hashKey: HashKey

    init(settings: PoolSettings, reactor: Reactor, hashKey: HashKey, seed: UInt64) {
        name = settings.name
        self.settings = settings
        self.reactor = reactor
        self.hashKey = hashKey
        let labels = settings.backends.map(\.label)
        metrics = PoolMetrics(
            name: settings.name, backends: labels,
            classes: settings.admission.classes.map(\.name))
        claims = ClaimTable(settings, hashKey: hashKey)
        admission = AdmissionController(
            settings: settings.admission, backends: labels, seed: seed)
        apply(settings)
    }

    /// Takes over changed settings; limits of backends that stay are kept.
    func reconfigure(_ settings: PoolSettings) {
        self.settings = settings
        admission.reconfigure(
            settings: settings.admission, backends: settings.backends.map(\.label),
            now: reactor.now)
        metrics.replaceBackends(settings.backends.map(\.label))
        metrics.replaceClasses(settings.admission.classes.map(\.name))
        claims = ClaimTable(settings, hashKey: hashKey)
        apply(settings)
        needsPoll = true
    }

    private func apply(_ settings: PoolSettings) {
        timeouts = Timeouts(
            connectNanoseconds: settings.connectTimeout.wholeNanoseconds,
            firstByteNanoseconds: settings.firstByteTimeout.wholeNanoseconds,
            idleNanoseconds: settings.idleTimeout.wholeNanoseconds,
            keepAliveNanoseconds: settings.keepAliveTimeout.wholeNanoseconds)
        answers = settings.answers
        tellsShares = answers.tellsShares && settings.claims.tenantHeader != nil
        isObserving = settings.admission.mode == .observe
        var byLabel: [String: Upstream] = [:]
        for case let upstream? in upstreams where !upstream.isRetired {
            byLabel[upstream.address.label] = upstream
        }
        var next = [Upstream?](repeating: nil, count: admission.backendPlaces)
        for address in settings.backends {
            guard let id = admission.backendID(forKey: address.label) else { continue }
            let upstream: Upstream
            if let kept = byLabel[address.label], kept.id == id, kept.tls == settings.tls {
                byLabel[address.label] = nil
                upstream = kept
            } else {
                upstream = Upstream(
                    address, tls: settings.tls, id: id,
                    metrics: metrics.backendMetrics(for: address.label))
            }
            upstream.keepAliveNanoseconds = timeouts.keepAliveNanoseconds
            upstream.maxIdle = settings.maxIdleConnections
            next[id.index] = upstream
        }
        for leaving in byLabel.values { leaving.retire() }
        // Those that have left keep their place while requests are in flight; they keep no idle connections.
        for case let left? in upstreams where left.isRetired && next[left.id.index] == nil {
            if admission.backend(left.id, now: reactor.now) != nil { next[left.id.index] = left }
        }
        upstreams = next
    }

    // MARK: Admission, with what must follow each call

    func offer(_ id: RequestID, _ ticket: Ticket) -> Verdict {
        admission.offer(id, ticket, now: reactor.now)
    }

    func cancel(_ handle: ParkedHandle) {
        _ = admission.cancel(handle, now: reactor.now)
        needsPoll = true
    }

    func complete(_ permit: consuming Permit, _ outcome: Outcome, _ work: ServedWork) {
        admission.complete(permit, outcome, work, now: reactor.now)
        needsPoll = true
    }

    /// Pieces of streamed answers came from a backend: what a limit that measures throughput counts.
    func progress(at backend: BackendID, units: Int) {
        if admission.progress(at: backend, units: units, now: reactor.now) { needsPoll = true }
    }

    func retry(_ permit: consuming Permit, _ id: RequestID, _ ticket: Ticket) -> Verdict {
        needsPoll = true
        return admission.retry(permit, id, ticket, now: reactor.now)
    }

    func connected(_ backend: BackendID) {
        admission.connected(backend, now: reactor.now)
        needsPoll = true
    }

    /// Hands out what moved limits since the last call; `notesMoves` has to be set.
    func takeMoves(_ body: (NotedMove) -> Void) { admission.takeMoves(body) }

    /// Whether the moves of limits are kept for `takeMoves`.
    func noteMoves(_ notes: Bool) { admission.notesMoves = notes }

    func rejection(_ reason: Reason) -> Rejection {
        admission.rejection(reason, now: reactor.now)
    }

    func drain() { admission.drain() }

    /// The policy names this pool no more: it serves what it has.
    func retire() {
        isRetired = true
        for upstream in upstreams { upstream?.retire() }
    }

    /// When `poll` wants to be called even if nothing happens.
    var nextDeadline: Instant {
        needsPoll ? reactor.now : admission.nextDeadline ?? .distantFuture
    }

    /// The next decision about a parked request.
    func poll() -> Decision? {
        if let decision = admission.poll(now: reactor.now) { return decision }
        needsPoll = false
        return nil
    }

    /// Refusals of a backend since its last connection.
    func failures(of backend: BackendID) -> Int {
        admission.backend(backend, now: reactor.now)?.consecutiveFailures ?? 0
    }

    /// The upstream that a permit names.
    func upstream(_ backend: BackendID) -> Upstream? {
        backend.index < upstreams.count ? upstreams[backend.index] : nil
    }
}
