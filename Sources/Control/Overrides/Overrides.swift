// All that operators have changed. Pure: no clock, and what follows is somebody else's to put in force.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor

/// What operators have changed, in the order in which they did.
struct Overrides: Equatable {
    private(set) var all: [Override] = []

    /// How many there may be.
    static let most = 256

    /// Adds a change, in place of an earlier one of the same thing, which is returned; false in `isTaken` where there are
    /// as many as may be.
    mutating func set(_ override: Override) -> (isTaken: Bool, former: Override?) {
        let former = remove(override.change)
        guard all.count < Overrides.most else { return (false, nil) }
        all.append(override)
        return (true, former)
    }

    /// Takes back the change of the same thing as `change`; nil where there is none.
    mutating func remove(_ change: Change) -> Override? {
        all.firstIndex { $0.change.isAbout(change) }.map { all.remove(at: $0) }
    }

    /// Takes back all; those that there were.
    mutating func clear() -> [Override] {
        defer { all = [] }
        return all
    }

    /// Takes back what has ended by `now`; those that have.
    mutating func expire(now: Instant) -> [Override] {
        take { $0.until.map { $0 <= now } ?? false }
    }

    /// Takes back what lies over something that `policy` says otherwise than before; those.
    mutating func follow(_ policy: Policy) -> [Override] {
        take { $0.change.configured(in: policy) != $0.replaced }
    }

    private mutating func take(_ isMeant: (Override) -> Bool) -> [Override] {
        let taken = all.filter(isMeant)
        all.removeAll(where: isMeant)
        return taken
    }

    /// When the next one ends by itself; the distant future for none.
    var nextEnd: Instant { all.compactMap(\.until).min() ?? .distantFuture }

    /// The level of the log; nil for what the policy says.
    var logLevel: LogSettings.Level? {
        for override in all { if case .logLevel(let level) = override.change { return level } }
        return nil
    }

    /// What is changed of pools, by their names.
    var pools: [String: PoolOverrides] {
        var pools: [String: PoolOverrides] = [:]
        for override in all {
            switch override.change {
            case .drain(let pool, let backend):
                pools[pool, default: PoolOverrides()].backends.drained.insert(backend.key)
            case .limit(let pool, let backend?, let limit):
                pools[pool, default: PoolOverrides()].backends.limits[backend.key] = limit
            case .limit(let pool, nil, let limit):
                pools[pool, default: PoolOverrides()].backends.limit = limit
            case .mode(let pool, let mode): pools[pool, default: PoolOverrides()].mode = mode
            case .weight(let pool, let tenant, let weight):
                pools[pool, default: PoolOverrides()].weights[tenant] = weight
            case .logLevel: break
            }
        }
        return pools
    }
}
