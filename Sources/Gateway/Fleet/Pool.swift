// A pool at work in one reactor: the admission that it shares with the other reactors, and its
// backends in the order that the controller numbers them, with connections of this reactor's own.
//
// A pool outlives reloads as long as its name stays in the policy, and so does what its limits have
// learnt. One that is taken out of the policy serves what it has and is then forgotten.

internal import Admission
internal import Policy
internal import Reactor
internal import Telemetry

/// One pool of backends, in one reactor.
final class Pool {
    let name: String
    private(set) var settings: PoolSettings
    let admission: SharedAdmission
    let metrics: PoolMetrics
    /// By `BackendID.index`; nil where a backend was taken out of the policy and has drained.
    private(set) var upstreams: [Upstream?] = []
    /// Whether this reactor did something that may free or end parked requests, or change when to
    /// look at them.
    private(set) var needsPoll = false
    /// When this reactor has promised to poll although nothing happens in it.
    private var watchDeadline = Instant.distantFuture
    /// Which settings of the shared admission were taken over.
    private var version: Int
    /// Whether the policy names this pool no more.
    private(set) var isRetired = false
    /// When to look next whether requests are in a pool whose admission another one has taken over.
    var looksForUseAt = Instant(nanoseconds: 0)

    /// `settings` in nanoseconds, for the data path.
    private(set) var timeouts = Timeouts()
    /// Tells whose requests are, for the data path.
    private(set) var classifier: Classifier
    /// The counters of the priority classes, for the data path: those of `metrics`.
    private(set) var classes: [ClassMetrics] = []
    /// The responses of the gateway's own, as they are written for this pool.
    let replies = ReplyCache()
    /// What refused clients are told, for the data path.
    private(set) var responses = ResponseSettings()
    /// Whether tenants are told their share.
    private(set) var tellsShares = false
    /// Whether tenants have quotas that they are told of.
    var tellsRates: Bool { responses.tellsShares && admission.quotas.isInUse }
    /// Where the metrics keep the tenants that the policy names.
    private var tenantSlots: [Int] = []
    /// How many units of the limit long requests take, for the data path.
    private(set) var seats: SeatSettings?
    /// Whether what a request costs follows from the length of its body: some tenant has a quota, or long
    /// requests take more of the limit.
    var chargesLengths: Bool { admission.quotas.isInUse || seats != nil }
    /// Whether bodies pass by a rate, for the data path.
    private(set) var hasByteRates = false
    /// What is done with requests' deadlines, for the data path.
    private(set) var deadlines = DeadlineSettings()
    /// How long a request is wanted by the policy, in nanoseconds; nil for no end.
    private(set) var longestNanoseconds: Int64?
    /// Whether fields with API keys stay behind.
    private(set) var keepsKeys = false
    /// What is said about the heads of requests and responses; nil for nothing.
    private(set) var rules: PoolRules?
    /// Whether requests go to where their prompts are known, for the data path; and the field that says it, where
    /// that is one.
    private(set) var hasAffinity = false
    private(set) var affinityHeader: [UInt8]?
    /// What the prompt begins with of the request that is offered next, where the pool has affinity.
    var prompt: PrefixKeys?
    /// Whether there may be several backends, so that a request can go to another one.
    var hasOthers: Bool { settings.backends.count > 1 || settings.workers != nil }
    /// Whether decisions are only counted.
    private(set) var isObserving = false

    struct Timeouts {
        var connectNanoseconds: Int64 = 0
        var firstByteNanoseconds: Int64 = 0
        var idleNanoseconds: Int64 = 0
        var streamStallNanoseconds: Int64 = 0
        var tunnelIdleNanoseconds: Int64 = 0
        var keepAliveNanoseconds: Int64 = 0
    }

    private let reactor: Reactor
    private let shard: ShardNumber

    /// Which of how many reactors this is.
    struct ShardNumber {
        var index = 0
        var count = 1
    }

    /// Where this reactor's requests and workers' connections find each other.
    private let desk: WorkerDesk

    init(
        _ admission: SharedAdmission, reactor: Reactor, shard: ShardNumber, desk: WorkerDesk
    ) {
        let layout = admission.layout
        let settings = layout.settings
        self.desk = desk
        name = settings.name
        self.settings = settings
        self.admission = admission
        version = layout.version
        self.reactor = reactor
        self.shard = shard
        metrics = PoolMetrics(
            name: settings.name, backends: layout.labels,
            classes: settings.admission.classes.map(\.name))
        classifier = layout.classifier
        apply(layout)
    }

    /// Takes over settings that were changed since the last look.
    ///
    /// A reactor may come across them before it is told of the reload.
    func catchUp() {
        if version != admission.version { takeOver(admission.layout) }
    }

    private func takeOver(_ layout: SharedAdmission.Layout) {
        let settings = layout.settings
        self.settings = settings
        version = layout.version
        metrics.replaceBackends(layout.labels)
        metrics.replaceClasses(settings.admission.classes.map(\.name))
        classifier = layout.classifier
        apply(layout)
        needsPoll = true
    }

    private func apply(_ layout: SharedAdmission.Layout) {
        let settings = layout.settings
        metrics.setSlack(settings.admission.classes.map(\.isSlack))
        timeouts = Timeouts(
            connectNanoseconds: settings.connectTimeout.wholeNanoseconds,
            firstByteNanoseconds: settings.firstByteTimeout.wholeNanoseconds,
            idleNanoseconds: settings.idleTimeout.wholeNanoseconds,
            streamStallNanoseconds: settings.streamStallTimeout.wholeNanoseconds,
            tunnelIdleNanoseconds: settings.tunnelIdleTimeout.wholeNanoseconds,
            keepAliveNanoseconds: settings.keepAliveTimeout.wholeNanoseconds)
        responses = settings.responses
        classes = metrics.classes
        let claims = settings.claims
        let knowsTenants =
            claims.tenantHeader != nil || claims.keys != nil || claims.certificateName != nil
            || !claims.networks.isEmpty
        tellsShares = responses.tellsShares && knowsTenants
        tenantSlots = settings.admission.tenants.map { metrics.tenantSlot($0.name) }
        (seats, hasByteRates) = (settings.seats, admission.byteRates.isInUse)
        deadlines = settings.deadlines
        longestNanoseconds = deadlines.longest?.wholeNanoseconds
        rules = layout.rules
        keepsKeys = claims.keys.map { !$0.isPassedOn } ?? false || layout.rules?.hasKey == true
        hasAffinity = settings.affinity.by != .off
        affinityHeader = settings.affinity.header.map { Array($0.utf8) }
        isObserving = settings.admission.mode == .observe
        var byLabel: [String: Upstream] = [:]
        for case let upstream? in upstreams where !upstream.isRetired {
            byLabel[upstream.address.label] = upstream
        }
        var next = [Upstream?](repeating: nil, count: layout.slots)
        for (address, id) in zip(settings.backends, layout.ids) {
            guard let id else { continue }
            let upstream: Upstream
            if let kept = byLabel[address.label], kept.id == id,
                kept.credentials === layout.credentials
            {
                byLabel[address.label] = nil
                upstream = kept
            } else {
                upstream = Upstream(
                    address, verifies: settings.tls.verify, credentials: layout.credentials, id: id,
                    metrics: metrics.backendMetrics(for: address.label))
            }
            upstream.keepAliveNanoseconds = timeouts.keepAliveNanoseconds
            upstream.maxAgeNanoseconds = settings.keepAliveMaxAge?.wholeNanoseconds ?? .max
            // Each reactor keeps its part.
            upstream.maxIdle = (settings.maxIdleConnections + shard.count - 1) / shard.count
            next[id.index] = upstream
        }
        for (worker, id) in layout.workers {
            if let kept = byLabel[worker.label], kept.id == id, kept.worker?.worker === worker {
                byLabel[worker.label] = nil
                next[id.index] = kept
            } else {
                next[id.index] = Upstream(
                    worker, id: id, metrics: metrics.backendMetrics(for: worker.label), of: self,
                    at: desk)
            }
        }
        for leaving in byLabel.values { leaving.retire() }
        // Those that have left keep their slot while requests are in flight; they keep no idle connections.
        for case let left? in upstreams
        where left.isRetired && left.id.index < next.count && next[left.id.index] == nil {
            if admission.backend(left.id, now: reactor.now) != nil { next[left.id.index] = left }
        }
        upstreams = next
        // What still runs may need connections, which are not kept.
        if isRetired { for upstream in upstreams { upstream?.retire() } }
    }

    // MARK: Admission, with what must follow each call

    /// Offers a request, which `payer` pays for where it has a quota; `makeTicket` writes its ticket, by
    /// the settings in force.
    func offer(_ id: RequestID, payer: Payer?, _ makeTicket: () -> Ticket) -> Verdict {
        needsPoll = true
        while true {
            let offered =
                hasAffinity
                ? offerKnowing(id, makeTicket(), payer)
                : admission.offer(
                    id, makeTicket(), payer: payer, version: version, now: reactor.now)
            if let verdict = consume offered { return verdict }
            catchUp()
        }
    }

    @inline(never)
    private func offerKnowing(_ id: RequestID, _ ticket: Ticket, _ payer: Payer?) -> Verdict? {
        admission.offer(
            id, ticket, payer: payer, knowing: prompt, version: version, now: reactor.now)
    }

    /// Starts a copy of another pool's request, in the lowest class and where there is room; nil otherwise.
    func startCopy() -> Permit? {
        catchUp()
        var ticket = Ticket()
        // Of nobody whom the policy names, and nobody else's share is smaller for it.
        ticket.tenant = .hashed(Pool.copiesTenant)
        ticket.priorityClass = classes.count - 1
        return admission.startIfFree(ticket, now: reactor.now)
    }

    private static let copiesTenant: UInt64 = 0x6d69_7272_6f72

    /// How long a request would wait that is offered now; 0 for not at all.
    func predictedWaitSeconds(_ makeTicket: () -> Ticket) -> Double? {
        catchUp()
        return admission.predictedWaitSeconds(makeTicket(), now: reactor.now)
    }

    /// A request went to another pool, because it would have waited for too long in this one.
    func turnedAway(isRetry: Bool) { admission.turnedAway(isRetry: isRetry, now: reactor.now) }

    func cancel(_ handle: ParkedHandle) {
        admission.cancel(handle, now: reactor.now)
        needsPoll = true
    }

    func complete(_ permit: consuming Permit, _ outcome: Outcome, _ work: ServedWork) {
        admission.complete(permit, outcome, work, now: reactor.now)
        needsPoll = true
    }

    /// A running request waits for somebody else.
    func wait(on awaited: Awaited, _ permit: inout Permit?) {
        admission.wait(on: awaited, &permit, now: reactor.now)
        needsPoll = true
    }

    /// A running request's client has left.
    func leave(_ permit: inout Permit?, _ kind: RequestKind, _ phase: Outcome.Phase) -> Departure {
        needsPoll = true
        return admission.leave(&permit, kind, phase, now: reactor.now)
    }

    /// Whether a request that has failed may be tried at another backend.
    func mayRetry(_ permit: inout Permit?, after outcome: Outcome) -> Bool {
        admission.mayRetry(&permit, after: outcome, now: reactor.now)
    }

    /// Spends the permit of a request that failed, and looks for another backend; `makeTicket` writes
    /// its ticket, by the settings in force.
    func retry(
        _ permit: consuming Permit, after outcome: Outcome, _ work: ServedWork, _ id: RequestID,
        _ prompt: PrefixKeys?, _ makeTicket: () -> Ticket
    ) -> Verdict {
        needsPoll = true
        var given: Permit? = consume permit
        while true {
            if let verdict = admission.retry(
                &given, after: outcome, work, id, makeTicket(), prompt, version: version,
                now: reactor.now)
            {
                return verdict
            }
            catchUp()
        }
    }

    /// How often a backend's signs of life are told.
    private static let lifeNanoseconds: Int64 = 500_000_000

    /// Bytes came from a backend that count as no work: they still say that it lives, which was last told
    /// at `toldAt`.
    func lives(_ backend: BackendID, toldAt: inout Instant) {
        guard reactor.now.nanoseconds(since: toldAt) > Pool.lifeNanoseconds else { return }
        toldAt = reactor.now
        progress(at: backend, units: 0)
    }

    /// Pieces of streamed responses came from a backend: what a limit that measures throughput counts.
    func progress(at backend: BackendID, units: Int) {
        if admission.progress(at: backend, units: units, now: reactor.now) { needsPoll = true }
    }

    /// Gives a permit back after a failed dial to `upstream` and looks for another backend;
    /// `makeTicket` writes the request's ticket, by the settings in force.
    func retry(
        _ permit: consuming Permit, _ id: RequestID, _ prompt: PrefixKeys?, at upstream: Upstream,
        _ refusal: inout SharedAdmission.Refusal, _ makeTicket: () -> Ticket
    ) -> Verdict {
        needsPoll = true
        var given: Permit? = consume permit
        while true {
            if let verdict = admission.retry(
                &given, id, makeTicket(), prompt, label: upstream.address.label, version: version,
                now: reactor.now, &refusal)
            {
                return verdict
            }
            catchUp()
        }
    }

    /// Gives a permit back whose worker has not begun the request, and looks for another place;
    /// `makeTicket` writes the request's ticket, by the settings in force.
    func giveBack(
        _ permit: consuming Permit, _ id: RequestID, _ prompt: PrefixKeys?,
        _ makeTicket: () -> Ticket
    ) -> Verdict {
        needsPoll = true
        var given: Permit? = consume permit
        while true {
            if let verdict = admission.giveBack(
                &given, id, makeTicket(), prompt, version: version, now: reactor.now)
            {
                return verdict
            }
            catchUp()
        }
    }

    /// A dial to `upstream` succeeded; whether the log says that it is ejected.
    func connected(_ upstream: Upstream) -> Bool {
        needsPoll = true
        return admission.connected(
            upstream.id, label: upstream.address.label, now: reactor.now)
    }

    /// `upstream` has said something of itself.
    func heed(_ reading: SignalField.Reading, of upstream: Upstream) {
        switch reading {
        case .absent: break
        case .unreadable: upstream.metrics.unreadableSignals &+= 1
        case .said(let signal):
            let isNews = admission.signal(
                upstream.id, .said(signal, by: .field), now: reactor.now)
            if isNews { needsPoll = true }
        }
    }

    /// `upstream` has reported its load.
    func heed(_ reading: ReportField.Reading, of upstream: Upstream) {
        switch reading {
        case .absent: break
        case .unreadable: upstream.metrics.unreadableReports &+= 1
        case .said(let load):
            upstream.metrics.reports &+= 1
            if admission.signal(upstream.id, .report(load), now: reactor.now) { needsPoll = true }
        }
    }

    /// Whether reports of backends count, and whether these are asked for them.
    var heedsReports: Bool { settings.signals.reports != .ignore }
    var asksForReports: Bool { settings.signals.reports == .ask }

    /// Something became of what backends are sent, from outside.
    func requestPoll() { needsPoll = true }

    /// `upstream` has answered what no client had asked.
    func answered(_ upstream: Upstream) {
        needsPoll = true
        admission.answered(upstream.id, now: reactor.now)
    }

    /// `upstream` could not be connected to, which no client had asked for.
    func refused(_ upstream: Upstream) {
        needsPoll = true
        admission.refused(upstream.id, now: reactor.now)
    }

    /// Whether one more request may be sent again that may have been begun.
    func takesRepeat() -> Bool {
        admission.takesRepeat(now: reactor.now)
    }

    /// Where the metrics keep the tenant at that index of the policy, -1 for nowhere of its own.
    func tenantSlot(of index: Int) -> Int {
        tenantSlots.indices.contains(index) ? tenantSlots[index] : -1
    }

    /// What the quotas come to that a tenant's requests are charged to, or those of `payer` where it has
    /// one; nil where there is none, or it is not told.
    func rates(of tenant: TenantID, paidBy payer: Payer? = nil) -> TenantRates? {
        tellsRates ? admission.rates(of: tenant, paidBy: payer, now: reactor.now) : nil
    }

    func rejection(_ reason: Reason) -> Rejection {
        admission.rejection(reason, now: reactor.now)
    }

    /// The policy names this pool no more: it serves what it has.
    func retire() {
        isRetired = true
        for upstream in upstreams { upstream?.retire() }
    }

    /// Has this reactor look at parked requests although nothing happened in it.
    func lookAgain() { needsPoll = true }

    /// The policy names this pool again.
    func revive() {
        guard isRetired else { return }
        isRetired = false
        // Its backends' connections were closed; they are made anew.
        takeOver(admission.layout)
    }

    /// When `poll` wants to be called even if nothing happens.
    var nextDeadline: Instant { needsPoll ? reactor.now : watchDeadline }

    /// The next decision about a parked request, of whichever reactor.
    func poll() -> Decision? {
        var deadline = watchDeadline
        if let decision = admission.poll(by: shard.index, now: reactor.now, deadline: &deadline) {
            return decision
        }
        watchDeadline = deadline
        needsPoll = false
        return nil
    }

    /// The upstream that a permit names.
    func upstream(_ backend: BackendID) -> Upstream? {
        // The permit may be younger than what this reactor knows of the pool.
        catchUp()
        return backend.index < upstreams.count ? upstreams[backend.index] : nil
    }
}
