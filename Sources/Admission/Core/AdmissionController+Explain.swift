// What an operator is told of a decision afterwards: the moves of limits with the figures that led
// to them, and which of several bounds holds a limit.

/// A move of a backend's limit.
package struct NotedMove: Sendable {
    /// Whose limit.
    package var backend: BackendID
    /// The limit before.
    package var from: Double
    /// The limit since.
    package var to: Double
    /// Why.
    package var reason: LimitMoveReason
    /// What the algorithm knew.
    package var evidence: LimitEvidence
    /// Requests in flight at the backend.
    package var inFlight: Int
    /// Mean time from grant to success there, in seconds; 0 before the first.
    package var serviceSeconds: Double
}

/// A backend that is suspected from now on, for another cause than before, or trusted again.
package struct NotedDoubt: Sendable {
    /// Which backend.
    package var backend: BackendID
    /// Why it was suspected before; nil where it was not.
    package var from: SuspicionCause?
    /// Why it is suspected since; nil where it is trusted again.
    package var to: SuspicionCause?
}

/// What signals of a backend come to from now on.
package struct NotedSignal: Equatable, Sendable {
    /// Which backend.
    package var backend: BackendID
    /// What they come to.
    package var state: BackendSignal.State
    /// Who says so; nil where nobody says anything any more.
    package var source: BackendSignal.Source?
    /// What it may have in flight.
    package var allowed: Int
}

/// What a limit rests on.
package struct LimitEvidence: Equatable, Sendable {
    /// What the limit is held by.
    package enum Holder: UInt8, CaseIterable, Sendable {
        /// What the algorithm measured, or what was set.
        case algorithm
        /// The latency objective.
        case objective
        /// The highest limit that the policy allows.
        case max

        /// The value of the metric's `by` label.
        package var name: StaticString {
            switch self {
            case .algorithm: "algorithm"
            case .objective: "objective"
            case .max: "max"
            }
        }
    }

    /// What the limit is held by.
    package var holder = Holder.algorithm
    /// The last measured elasticity of throughput; nil before the first, and for algorithms that do
    /// not measure it.
    package var elasticity: Double?

    /// Nothing but the algorithm, and nothing measured.
    package init() {}
}

extension AdmissionController {
    /// Moves that are kept between two calls of `takeMoves`; later ones are left out.
    package static var mostNotedMoves: Int { 64 }

    /// Hands out the moves of limits since the last call, oldest first, while `notesMoves` is set.
    package mutating func takeMoves(_ body: (NotedMove) -> Void) {
        guard !notedMoves.isEmpty else { return }
        for move in notedMoves { body(move) }
        notedMoves.removeAll(keepingCapacity: true)
    }

    mutating func note(_ move: LimitMove, at index: Int) {
        guard notesMoves, notedMoves.count < Self.mostNotedMoves else { return }
        notedMoves.append(
            NotedMove(
                backend: BackendID(index: index), from: move.from, to: move.to,
                reason: move.reason, evidence: backends[index].limiter.evidence,
                inFlight: backends[index].inFlight,
                serviceSeconds: backends[index].meter.serviceSeconds))
    }

    /// Changes of trust that are kept between two calls of `takeDoubts`; later ones are left out.
    package static var mostNotedDoubts: Int { 64 }

    /// Whether `takeDoubts` or `takeSignals` has something to hand out.
    ///
    /// It changes nothing: who only lends a controller has it copied.
    package var hasNotedDoubts: Bool {
        mutating get { !notedDoubts.isEmpty || !notedSignals.isEmpty }
    }

    /// Hands out what signals have come to since the last call, oldest first, while `notesDoubts` is set.
    package mutating func takeSignals() -> [NotedSignal] {
        defer { notedSignals.removeAll() }
        return notedSignals
    }

    /// Notes what signals come to, where that is news.
    mutating func noteSignal(at index: Int) {
        let state = backends[index].signals.state
        guard notesDoubts, backends[index].notedSignal != state,
            notedSignals.count < Self.mostNotedDoubts
        else { return }
        backends[index].notedSignal = state
        notedSignals.append(
            NotedSignal(
                backend: BackendID(index: index), state: state,
                source: state == .ready ? nil : backends[index].signals.source,
                allowed: state >= .drain ? 0 : backends[index].allowed(now: clock)))
    }

    /// Hands out what became of the trust in backends since the last call, oldest first, while
    /// `notesDoubts` is set.
    package mutating func takeDoubts() -> [NotedDoubt] {
        defer { notedDoubts.removeAll() }
        return notedDoubts
    }

    /// Notes whether a backend is suspected, where that is news.
    mutating func noteDoubt(at index: Int) {
        guard notesDoubts, notedDoubts.count < Self.mostNotedDoubts else { return }
        let isTrusted = backends[index].suspicion.isTrusted
        let cause = isTrusted ? nil : backends[index].suspicion.cause
        guard backends[index].notedCause != cause else { return }
        let backend = BackendID(index: index)
        notedDoubts.append(
            NotedDoubt(backend: backend, from: backends[index].notedCause, to: cause))
        backends[index].notedCause = cause
    }

    /// What a tenant may have in flight, while more than seven tenths of the limits are in use; nil
    /// while it may as well have more.
    package func shareWhenBusy(of tenant: TenantID) -> TenantShare? {
        10 * provenInFlight > 7 * provenLimit ? share(of: tenant) : nil
    }

    /// What the policy's named tenants have, in its order, at most the first `count` of them.
    package func tenants(first count: Int) -> [TenantStatus] {
        settings.tenants.prefix(count).map { tenant in
            let row = queue.tenants.row(of: .named(tenant.name))
            return TenantStatus(
                name: tenant.name, inFlight: queue.tenants[row].running,
                queued: queue.tenants[row].queued,
                share: queue.share(row, limit: provenLimit).limit,
                counts: queue.tenants[row].counts)
        }
    }
}

/// One tenant as the controller sees it.
package struct TenantStatus: Equatable, Sendable {
    /// The name that the policy gives it.
    package var name: String
    /// Permits granted and not yet spent.
    package var inFlight: Int
    /// Requests that wait.
    package var queued: Int
    /// Requests that it may have in flight while others want something too.
    package var share: Int
    /// What it asked for since it came into the policy.
    package var counts: TenantCounts

    /// A tenant that has that much.
    package init(
        name: String, inFlight: Int, queued: Int, share: Int, counts: TenantCounts = TenantCounts()
    ) {
        self.name = name
        self.inFlight = inFlight
        self.queued = queued
        self.share = share
        self.counts = counts
    }
}
