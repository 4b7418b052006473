// What an operator has decided about backends while they serve, whatever limits have learnt and backends say: a limit that
// is pinned, or that a backend gets nothing new. It holds for names, so that a backend that leaves and comes back, as
// discovery has it, is still meant.

/// What an operator has decided about a pool's backends.
package struct BackendOverrides: Equatable, Sendable {
    /// The limit of every backend that has none of its own, 1..100,000; nil for what the settings say.
    package var limit: Int?
    /// The limits of backends by their names, 1..100,000.
    package var limits: [String: Int] = [:]
    /// The names of those that get nothing new.
    package var drained: Set<String> = []

    /// Nothing is decided.
    package init() {}

    /// Nothing is decided.
    package static let none = BackendOverrides()

    /// The limit of the backend of that name; nil for what the settings say.
    func limit(of key: String) -> Int? { limits[key] ?? limit }

    /// What is said of the backend of that name.
    func signal(of key: String) -> BackendSignal {
        var signal = BackendSignal()
        if drained.contains(key) { signal.order = .drain }
        return signal
    }
}

extension LimitSettings {
    /// The same, beginning at `limit` as far as its bounds allow.
    fileprivate func beginning(at limit: Int) -> LimitSettings {
        switch self {
        case .knee(var knee):
            knee.initial = Swift.min(Swift.max(limit, knee.min), knee.max)
            return .knee(knee)
        case .aimd(var aimd):
            aimd.initial = Swift.min(Swift.max(limit, aimd.min), aimd.max)
            return .aimd(aimd)
        case .gradient(var gradient):
            gradient.initial = Swift.min(Swift.max(limit, gradient.min), gradient.max)
            return .gradient(gradient)
        case .vegas(var vegas):
            vegas.initial = Swift.min(Swift.max(limit, vegas.min), vegas.max)
            return .vegas(vegas)
        case .fixed, .reference: return self
        }
    }
}

extension AdmissionController {
    /// Puts what an operator has decided in force, in place of what he had decided before; poll afterwards.
    ///
    /// A limit that is pinned no more goes on from where it was pinned.
    package mutating func override(_ overrides: BackendOverrides, now: Instant) {
        advance(to: now)
        let former = self.overrides
        guard overrides != former else { return }
        self.overrides = overrides
        for index in backends.indices where backends[index].isPresent {
            let key = backends[index].key
            let before = former.limit(of: key)
            if overrides.limit(of: key) != before { followOverride(index, from: before) }
            heedOverride(index)
            refresh(index)
        }
    }

    /// What a backend's limit goes by.
    func limitSettings(of index: Int) -> LimitSettings {
        overrides.limit(of: backends[index].key)
            .map { .fixed(FixedLimitSettings(limit: $0)) } ?? settings.limit
    }

    /// Heeds what is said of a backend that has just come.
    mutating func heedOverride(_ index: Int) {
        let signal = overrides.signal(of: backends[index].key)
        let isNews = backends[index].signals.note(.said(signal, by: .control), now: clock)
        if isNews { noteSignal(at: index) }
    }

    private mutating func followOverride(_ index: Int, from pinned: Int?) {
        var next = limitSettings(of: index)
        if let pinned, overrides.limit(of: backends[index].key) == nil {
            next = next.beginning(at: pinned)
        }
        backends[index].warmth = nil
        if let move = backends[index].limiter.reconfigure(next, seed: random.next(), now: clock) {
            record(move, at: index)
        }
    }
}
