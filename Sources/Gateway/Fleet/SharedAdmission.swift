// A pool's admission, which all reactors share: one controller behind one lock. Everything else of
// a pool is each reactor's own.
//
// The lock is held for one call of the controller at a time, a few hundred nanoseconds at most.
// Reactors read their clocks by themselves, so that calls may come a moment out of order; the
// controller then takes the latest instant that it has seen.

package import Admission
package import Policy
package import Reactor
internal import Synchronization

/// The admission controller of one pool, with what reactors must agree on.
package final class SharedAdmission: Sendable {
    /// What the lock guards.
    struct State: ~Copyable {
        var controller: AdmissionController
        /// The settings that the controller follows, and how many there were before.
        var settings: PoolSettings
        /// The workers that are there beside the backends, or were of late.
        var workers: [WorkerRow] = []
        /// Tells whose requests are by them.
        var classifier: Classifier
        /// What they say about heads.
        var rules: PoolRules?
        /// What connections to their backends trust and show; nil where none is secured.
        var credentials: TLSCredentials?
        var version = 0
        /// The reactor that has promised to poll, and by when.
        ///
        /// One that watches is enough: the others would all wake for nothing.
        var watcher = -1
        var watchedUntil = Instant.distantFuture
        /// When to look at the wall clock again; never where nobody measures by it.
        var epochDueAt = Instant.distantFuture
        /// What the controller was told of it, and where that is learnt.
        var epochNanoseconds: Int64 = 0
        let nanosecondsToWall: @Sendable () -> Int64
        /// Labels of backends that the log says are ejected.
        var reportedEjected: [String] = []
    }

    /// What a reactor makes its own half of the pool from.
    struct Layout: Sendable {
        let settings: PoolSettings
        let classifier: Classifier
        let rules: PoolRules?
        let credentials: TLSCredentials?
        let version: Int
        /// Slots in the controller's table of backends.
        let slots: Int
        /// The place of each backend in `settings`.
        let ids: [BackendID?]
        /// Workers and their places, behind those of `settings`.
        let workers: [(worker: Worker, id: BackendID)]

        /// What all are called, backends first.
        var labels: [String] {
            settings.backends.map(\.label) + workers.map(\.worker.label)
        }
        /// Where all stand, in the order of `labels`.
        var allIDs: [BackendID?] { ids + workers.map(\.id) }
    }

    /// See `SharedAdmission+Observation` for who looks in besides.
    let state: Lock<State>
    /// What its tenants may use, in all pools together.
    let quotas: SharedQuotas
    /// What may pass a second of its requests' bodies.
    let byteRates: SharedByteRates
    /// What requests are expected to come to.
    let tokens = TokenEstimates()
    /// `State.version`, to be seen without the lock.
    private let latestVersion = Atomic<Int>(0)
    /// Whether there is something for `takeDoubts`, to be seen without the lock.
    private let isDoubtNoted = Atomic<Bool>(false)

    /// Admission for `settings`.
    ///
    /// `hashKey` is for the names of tenants that these do not have, `seed` decides what is left to chance,
    /// `quotas` are charged, and `nanosecondsToWall` says how far the wall clock is ahead of the monotonic
    /// one. `remembered` are limits that an earlier process found, by the backends' keys; those in `inForce` another
    /// process had until now.
    package init(
        _ settings: PoolSettings, credentials: TLSCredentials? = nil, hashKey: HashKey,
        seed: UInt64, quotas: SharedQuotas = SharedQuotas(), remembered: [String: Double] = [:],
        inForce: Set<String> = [],
        nanosecondsToWall: @escaping @Sendable () -> Int64 = { MonotonicClock.nanosecondsToWall }
    ) {
        let epoch = nanosecondsToWall()
        var controller = AdmissionController(
            settings: settings.admission.with(epochNanoseconds: epoch),
            backends: settings.backends.map(\.key), weights: settings.backends.map(\.weight),
            remembered: remembered, inForce: inForce, seed: seed)
        controller.notesDoubts = true
        var state = State(
            controller: controller, settings: settings,
            classifier: Classifier(settings, hashKey: hashKey), rules: PoolRules(settings),
            credentials: credentials,
            nanosecondsToWall: nanosecondsToWall)
        state.beginFollowingClock(epoch)
        self.state = Lock(state)
        self.quotas = quotas
        byteRates = SharedByteRates(settings)
    }

    /// How far the wall clock was ahead when it was last looked at.
    var epochNanoseconds: Int64 { state.withLock { $0.epochNanoseconds } }

    /// What connections to the backends trust and show.
    var credentials: TLSCredentials? { state.withLock { $0.credentials } }

    // MARK: Settings

    /// How often the settings were changed.
    var version: Int { latestVersion.load(ordering: .acquiring) }

    /// Puts other settings in force; limits of backends that stay are kept.
    ///
    /// Only one thread does so. What takes longer the more keys there are is done before the lock is
    /// taken, for which requests would wait.
    func reconfigure(
        _ settings: PoolSettings, credentials: TLSCredentials?, hashKey: HashKey, now: Instant
    ) {
        let isSame = state.withLock {
            $0.settings == settings && $0.credentials === credentials
        }
        if isSame { return }
        let classifier = Classifier(settings, hashKey: hashKey)
        let rules = PoolRules(settings)
        byteRates.reconfigure(settings)
        state.withLock { state in
            state.settings = settings
            state.classifier = classifier
            state.rules = rules
            state.credentials = credentials
            let epoch = state.nanosecondsToWall()
            if settings.workers == nil { state.workers = [] }
            state.controller.reconfigure(
                settings: settings.admission.with(epochNanoseconds: epoch),
                backends: settings.backends.map(\.key), weights: settings.backends.map(\.weight),
                workers: state.workerKeys, now: now)
            // Nobody says so any more.
            if settings.discovery == nil { state.controller.setUnready([], now: now) }
            state.beginFollowingClock(epoch)
            noteChange(&state)
        }
    }

    /// Puts another set of backends in force, of which those with the keys `unready` are said not to be ready, and
    /// leaves all else as it is, so that this costs little however often it is done.
    func replaceBackends(_ backends: [BackendAddress], unready: Set<String>, now: Instant) {
        let keys = backends.map(\.key)
        let weights = backends.map(\.weight)
        state.withLock { state in
            state.settings.backends = backends
            state.controller.replaceBackends(
                keys, weights: weights, workers: state.workerKeys, now: now)
            state.controller.setUnready(unready, now: now)
            noteChange(&state)
        }
    }

    /// Has the backends with those keys be taken for not ready, and no others; a poll is due then.
    func setUnready(_ keys: Set<String>, now: Instant) {
        state.withLock { $0.controller.setUnready(keys, now: now) }
    }

    func noteChange(_ state: inout State) {
        let labels = Set(state.settings.backends.map(\.label))
        state.reportedEjected.removeAll { !labels.contains($0) }
        state.version += 1
        latestVersion.store(state.version, ordering: .releasing)
    }

    /// Where a backend stands that is present; nil for one that is not.
    func backendID(of address: BackendAddress) -> BackendID? {
        state.withLock { $0.controller.backendID(forKey: address.key) }
    }

    /// The settings in force and where their backends stand.
    var layout: Layout {
        state.withLock { state in
            let ids = state.controller.backendIDs(forKeys: state.settings.backends.map(\.key))
            let places = state.controller.backendIDs(forKeys: state.workerKeys)
            let workers = zip(state.workers, places).compactMap { row, id in
                id.map { (worker: row.worker, id: $0) }
            }
            return Layout(
                settings: state.settings, classifier: state.classifier, rules: state.rules,
                credentials: state.credentials, version: state.version,
                slots: state.controller.backendSlots, ids: ids, workers: workers)
        }
    }

    // MARK: Decisions

    /// Asks for a request to be started; nil when its ticket was written by settings that are in
    /// force no more.
    ///
    /// `payer` pays where it has a quota: whose request it was before it fell back from another pool.
    package func offer(
        _ id: RequestID, _ ticket: Ticket, payer: Payer? = nil, version: Int, now: Instant
    ) -> Verdict? {
        state.withLock { state in
            guard state.version == version else { return nil }
            return offer(to: &state.controller, id, ticket, payer, now: now)
        }
    }

    /// The same in a pool with affinity; `prompt` is what the request's prompt begins with, as far as that is
    /// known.
    func offer(
        _ id: RequestID, _ ticket: Ticket, payer: Payer?, knowing prompt: PrefixKeys?, version: Int,
        now: Instant
    ) -> Verdict? {
        state.withLock { state in
            guard state.version == version else { return nil }
            state.controller.prepare(prompt)
            return offer(to: &state.controller, id, ticket, payer, now: now)
        }
    }

    @inline(__always)
    private func offer(
        to controller: inout AdmissionController, _ id: RequestID, _ ticket: Ticket,
        _ payer: Payer?, now: Instant
    ) -> Verdict {
        quotas.isInUse
            ? quotas.offer(to: &controller, id, ticket, payer, now: now)
            : controller.offer(id, ticket, now: now)
    }

    /// Starts a request that nobody waits for, where there is room; nil where there is none.
    func startIfFree(_ ticket: Ticket, now: Instant) -> Permit? {
        state.withLock { $0.controller.startIfFree(ticket, now: now) }
    }

    /// How long a request would wait that is offered now; nil while that is unknown.
    func predictedWaitSeconds(_ ticket: Ticket, now: Instant) -> Double? {
        state.withLock { $0.controller.predictedWaitSeconds(ticket, now: now) }
    }

    /// Takes a parked request out; one about which was decided meanwhile is left alone.
    func cancel(_ handle: ParkedHandle, now: Instant) {
        let reserved = state.withLock { $0.controller.cancel(handle, now: now) }
        if let reserved { quotas.settle(reserved, .nothing, now: now) }
    }

    /// Spends a permit.
    package func complete(
        _ permit: consuming Permit, _ outcome: Outcome, _ work: ServedWork, now: Instant
    ) {
        quotas.settle(permit.reserved, work.charge, now: now)
        // A closure cannot consume what it captures, but it can take it.
        var spent: Permit? = consume permit
        state.withLock { state in
            guard let permit = spent.take() else { return }
            state.controller.complete(permit, outcome, work, now: now)
        }
    }

    /// A running request waits for somebody else.
    func wait(on awaited: Awaited, _ permit: inout Permit?, now: Instant) {
        state.withLock { state in
            guard var taken = permit.take() else { return }
            state.controller.wait(on: awaited, &taken, now: now)
            permit = consume taken
        }
    }

    /// A running request's client has left; what to do with the backend's connection.
    func leave(
        _ permit: inout Permit?, _ kind: RequestKind, _ phase: Outcome.Phase, now: Instant
    ) -> Departure {
        state.withLock { state in
            guard var taken = permit.take() else { return .close }
            let departure = state.controller.leave(&taken, kind, phase, now: now)
            permit = consume taken
            return departure
        }
    }

    /// Whether a request that has failed may be tried at another backend.
    func mayRetry(_ permit: inout Permit?, after outcome: Outcome, now: Instant) -> Bool {
        guard let backend = permit?.backend else { return false }
        return state.withLock { state in
            state.controller.mayRetry(at: backend, after: outcome, now: now)
        }
    }

    /// Whether one more request may be sent again, which is then paid for.
    func takesRepeat(now: Instant) -> Bool {
        state.withLock { $0.controller.takesRepeat(now: now) }
    }

    /// Spends the permit of a request that failed, and looks for another backend; nil, with the permit
    /// left as it is, when the ticket was written by settings that are in force no more.
    func retry(
        _ permit: inout Permit?, after outcome: Outcome, _ work: ServedWork, _ id: RequestID,
        _ ticket: Ticket, _ prompt: PrefixKeys? = nil, version: Int, now: Instant
    ) -> Verdict? {
        state.withLock { state in
            guard state.version == version, let given = permit.take() else { return nil }
            state.controller.prepare(prompt)
            let verdict = state.controller.retry(given, after: outcome, work, id, ticket, now: now)
            return refunding(verdict, now: now)
        }
    }

    /// News of a backend from outside; whether that changes what it may be sent: then a poll is due.
    @discardableResult
    package func signal(_ backend: BackendID, _ signal: Signal, now: Instant) -> Bool {
        state.withLock { $0.controller.signal(backend, signal, now: now) }
    }

    /// A running request made progress; whether a limit moved.
    func progress(at backend: BackendID, units: Int, now: Instant) -> Bool {
        state.withLock { $0.controller.progress(at: backend, units: units, now: now) }
    }

    /// Units at a backend that wait for their clients beyond what counts for nothing, where others find
    /// no room; 0 for none.
    func crowd(at backend: BackendID, now: Instant) -> Int {
        state.withLock { $0.controller.crowd(at: backend, now: now) }
    }

    /// What a failed dial told about a backend.
    struct Refusal {
        /// Whether it is ejected since, and whether the log does not say so yet.
        var isEjected = false
        var isNews = false
    }

    /// Gives a permit back whose backend, of the name `label`, could not be connected to, and looks
    /// for another one; nil, with the permit left as it is, when the ticket was written by settings
    /// that are in force no more.
    func retry(
        _ permit: inout Permit?, _ id: RequestID, _ ticket: Ticket, _ prompt: PrefixKeys? = nil,
        label: String, version: Int, now: Instant, _ refusal: inout Refusal
    ) -> Verdict? {
        state.withLock { state in
            guard state.version == version, let given = permit.take() else { return nil }
            state.controller.prepare(prompt)
            let backend = given.backend
            let before = state.failures(of: backend, now: now)
            let verdict = refunding(
                state.controller.retry(given, id, ticket, now: now), now: now)
            if state.failures(of: backend, now: now) > before {
                refusal.isEjected = true
                refusal.isNews = !state.reportedEjected.contains(label)
                if refusal.isNews { state.reportedEjected.append(label) }
            }
            return verdict
        }
    }

    /// A dial succeeded; whether the log says that the backend, of the name `label`, is ejected.
    func connected(_ backend: BackendID, label: String, now: Instant) -> Bool {
        state.withLock { state in
            state.controller.connected(backend, now: now)
            guard let index = state.reportedEjected.firstIndex(of: label) else { return false }
            state.reportedEjected.remove(at: index)
            return true
        }
    }

    /// The next decision about a parked request, of whichever reactor.
    ///
    /// After the last one `deadline` is when this reactor has to ask again.
    package func poll(by reactor: Int, now: Instant, deadline: inout Instant) -> Decision? {
        state.withLock { state in
            if now >= state.epochDueAt { state.followClock(now: now) }
            if let decision = state.controller.poll(now: now) {
                return refunding(decision, now: now)
            }
            deadline = state.watch(by: reactor)
            if state.controller.hasNotedDoubts { isDoubtNoted.store(true, ordering: .relaxed) }
            return nil
        }
    }

    /// A reactor asks no more; what it had promised is open again.
    func leave(_ reactor: Int) {
        state.withLock { state in
            guard state.watcher == reactor else { return }
            state.watcher = -1
            state.watchedUntil = .distantFuture
        }
    }

    /// Gives a quota back what a request had taken of it that is refused.
    func refunding(_ verdict: consuming Verdict, now: Instant) -> Verdict {
        switch consume verdict {
        case .reject(var rejection):
            quotas.settle(rejection.takeReserved(), .nothing, now: now)
            return .reject(rejection)
        case .forward(let permit): return .forward(permit)
        case .parked(let handle): return .parked(handle)
        }
    }

    @inline(__always)
    private func refunding(_ decision: consuming Decision, now: Instant) -> Decision {
        switch consume decision {
        case .reject(let id, var rejection):
            quotas.settle(rejection.takeReserved(), .nothing, now: now)
            return .reject(id, rejection)
        case .forward(let id, let permit): return .forward(id, permit)
        }
    }

    /// A rejection that the gateway itself decided on.
    func rejection(_ reason: Reason, now: Instant) -> Rejection {
        state.withLock { $0.controller.rejection(reason, now: now) }
    }

    /// From now on offers are refused.
    func drain() { state.withLock { $0.controller.drain() } }

    /// Whether something became of the trust in backends since `takeDoubts`, or of signals.
    var hasDoubts: Bool { isDoubtNoted.load(ordering: .relaxed) }

    /// Takes out what became of the trust in backends since the last call; what came after the last poll
    /// is there after the next one.
    func takeDoubts() -> [NotedDoubt] {
        state.withLock { state in
            isDoubtNoted.store(false, ordering: .relaxed)
            return state.controller.takeDoubts()
        }
    }

    /// Takes out what signals of backends have come to, as `takeDoubts` does.
    func takeSignals() -> [NotedSignal] { state.withLock { $0.controller.takeSignals() } }

    /// Whether moves of limits are kept for `takeMoves`.
    func noteMoves(_ notes: Bool) { state.withLock { $0.controller.notesMoves = notes } }

    /// Takes out what moved limits since the last call.
    func takeMoves() -> [NotedMove] {
        state.withLock { state in
            var moves: [NotedMove] = []
            state.controller.takeMoves { moves.append($0) }
            return moves
        }
    }
}

extension SharedAdmission.State {
    /// How often the wall clock is looked at, and what it has to have moved by to matter: slots in
    /// which gateways measure are tens of milliseconds at least.
    private static var clockNanoseconds: Int64 { 5_000_000_000 }
    private static var toleranceNanoseconds: Int64 { 1_000_000 }

    /// Looks at the wall clock from now on, where limits are measured by it.
    fileprivate mutating func beginFollowingClock(_ epoch: Int64) {
        epochNanoseconds = epoch
        guard case .knee(let knee) = settings.admission.limit, knee.replicas > 1 else {
            epochDueAt = .distantFuture
            return
        }
        epochDueAt = Instant(nanoseconds: 0)
    }

    /// Looks whether the wall clock was set: at the start of a machine it often is, later.
    fileprivate mutating func followClock(now: Instant) {
        epochDueAt = now.advanced(byNanoseconds: Self.clockNanoseconds)
        let latest = nanosecondsToWall()
        guard abs(latest &- epochNanoseconds) > Self.toleranceNanoseconds else { return }
        epochNanoseconds = latest
        controller.setEpoch(nanoseconds: latest)
    }

    /// When the reactor has to poll again: never, when another one will in time.
    fileprivate mutating func watch(by reactor: Int) -> Instant {
        let next = controller.deadline() ?? .distantFuture
        guard watcher == reactor || next < watchedUntil else { return .distantFuture }
        watcher = reactor
        watchedUntil = next
        return next
    }

    /// Refusals of a backend since its last connection.
    fileprivate func failures(of backend: BackendID, now: Instant) -> Int {
        controller.backend(backend, now: now)?.consecutiveFailures ?? 0
    }
}

extension AdmissionSettings {
    /// The same, and gateways that share backends know what time it is on the wall.
    fileprivate func with(epochNanoseconds: Int64) -> AdmissionSettings {
        guard case .knee(var knee) = limit, knee.replicas > 1 else { return self }
        var settings = self
        knee.epochNanoseconds = epochNanoseconds
        settings.limit = .knee(knee)
        return settings
    }
}
