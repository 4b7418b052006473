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

/// A limit that moves between bounds.
private protocol MovingLimitSettings {
    var initial: Int { get set }
    var min: Int { get }
    var max: Int { get }
}

extension KneeLimitSettings: MovingLimitSettings {}
extension AIMDLimitSettings: MovingLimitSettings {}
extension GradientLimitSettings: MovingLimitSettings {}
extension VegasLimitSettings: MovingLimitSettings {}

extension MovingLimitSettings {
    /// The same, beginning at `limit` as far as the bounds allow.
    fileprivate func beginning(at limit: Int) -> Self {
        var settings = self
        settings.initial = Swift.min(Swift.max(limit, min), max)
        return settings
    }
}

extension LimitSettings {
    /// The same, beginning at `limit` as far as its bounds allow.
    fileprivate func beginning(at limit: Int) -> LimitSettings {
        switch self {
        case .knee(let knee): .knee(knee.beginning(at: limit))
        case .aimd(let aimd): .aimd(aimd.beginning(at: limit))
        case .gradient(let gradient): .gradient(gradient.beginning(at: limit))
        case .vegas(let vegas): .vegas(vegas.beginning(at: limit))
        case .fixed, .reference: self
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
            if overrides.limit(of: key) != before, backends[index].credits == nil {
                followOverride(index, from: before)
            }
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
