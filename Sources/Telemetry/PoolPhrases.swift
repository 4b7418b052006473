// The parts that a sentence about a pool is put together from.

import Admission

/// What can be said of a pool, phrase by phrase.
struct PoolPhrases {
    let pool: PoolSnapshot

    /// Characters of a name that a sentence has room for.
    private static let mostNameCharacters = 64
    /// Backends that are named.
    private static let mostBackends = 2
    /// By how much a backend's first bytes come later than its siblings' to be called slow, and from how much on, in
    /// seconds.
    private static let slow = (factor: 3.0, leastSeconds: 0.05)
    /// Requests that a share of is worth telling.
    private static let leastRequests: UInt64 = 5
    /// A tenant's part of what is asked, or refused, from which on it is named.
    private static let namedShare = 0.4
    /// First bytes that take as long as that are worth telling, in seconds.
    private static let longFirstByteSeconds = 1.0

    init(_ pool: PoolSnapshot) { self.pool = pool }

    var name: String { PoolPhrases.short(pool.metrics.name) }

    // MARK: What for

    /// What the pool has to do.
    var load: [String] {
        let waiting =
            pool.queueRequests == 0
            ? "nothing waits"
            : "\(pool.queueRequests) wait, the first for \(PoolPhrases.seconds(oldestWait))"
        return [inFlight, waiting]
    }

    /// What most requests are refused for, and the next reason where it is a quarter of it.
    var reasons: [String] {
        guard let most = RecentFigures.most(of: pool.recent.refused) else { return [] }
        var rest = pool.recent.refused
        rest[Int(most.reason.rawValue)] = 0
        var phrases = phrase(most.reason)
        if let next = RecentFigures.most(of: rest), next.count * 4 >= pool.recent.refusals {
            phrases += phrase(next.reason).filter { !phrases.contains($0) }
        }
        return phrases
    }

    /// What most requests fail for.
    var failures: [String] {
        guard let most = RecentFigures.most(of: pool.recent.failed) else { return [] }
        return [
            most.reason == .none ? "backends answer with errors of their own" : most.reason.name
        ]
    }

    private var limit: Int { pool.backends.reduce(0) { $0 + ($1.isUsable ? $1.limit : 0) } }
    private var oldestWait: Double { Double(pool.oldestWaitNanoseconds) / 1e9 }
    private var inFlight: String { "\(pool.inFlight) of \(limit) in flight" }

    /// How long one more request would wait, in seconds, as far as the queue says; nil while that is unknown.
    private var predictedWait: Double? {
        let rate = pool.drainRatePerSecond
        return rate > 0 && rate.isFinite ? Double(pool.queueRequests + 1) / rate : nil
    }

    private var wait: String {
        let bound = "max_wait \(PoolPhrases.seconds(pool.maxWaitSeconds))"
        let longest = max(predictedWait ?? 0, oldestWait)
        return longest > pool.maxWaitSeconds
            ? "wait \(PoolPhrases.seconds(longest)) > \(bound)"
            : "wait \(PoolPhrases.seconds(longest)), as long as \(bound) allows"
    }

    private func phrase(_ reason: Reason) -> [String] {
        switch reason {
        case .queueFull:
            pool.maxQueueRequests == 0
                ? [inFlight, "and nothing may wait"]
                : [inFlight, "the queue is full with \(pool.maxQueueRequests)"]
        case .queueBytesFull: [inFlight, "the queue's bytes are used up"]
        case .waitTooLong, .queueTimeout: [inFlight, wait]
        case .deadline:
            [
                inFlight,
                "deadlines end before the wait of \(PoolPhrases.seconds(predictedWait ?? 0))",
            ]
        case .patience:
            [inFlight, "clients would leave before the answer" + borne]
        case .noBackend: ["no backend can be used"]
        case .draining: ["the gateway is draining"]
        case .tenantOverShare: [inFlight, "a tenant is above its share while others wait"]
        case .tenantLimit: ["a tenant has all that it may have in flight and waiting"]
        case .tenantRequestRate: ["a tenant's requests of this minute are used up"]
        case .tenantTokenRate: ["a tenant's tokens of this minute are used up"]
        case .displaced: [inFlight, "lower classes give way to higher ones"]
        case .retryShed: ["retries of a tenant that asks for more than twice what it gets"]
        default: [reason.name]
        }
    }

    private var borne: String {
        let shortest = pool.classes.compactMap(\.patienceSeconds).min()
        return shortest.map { ", after \(PoolPhrases.seconds($0))" } ?? ""
    }

    // MARK: What is behind it

    /// What is behind refusals.
    var causes: [String] {
        let most = RecentFigures.most(of: pool.recent.refused)?.reason ?? .none
        var causes = backends
        let isShort = most.isShortage || most == .deadline
        if isShort, let bound { causes.append(bound) }
        if isShort, causes.isEmpty, let slowness { causes.append(slowness) }
        if let tenant { causes.append(tenant) }
        return causes
    }

    /// Backends that are held back or far slower than the others.
    var backends: [String] {
        let told = pool.backends.indices.compactMap(phrase)
        guard told.count > PoolPhrases.mostBackends else { return told }
        let more = told.count - PoolPhrases.mostBackends
        return told.prefix(PoolPhrases.mostBackends) + [
            "and \(more) more backend\(more > 1 ? "s" : "")"
        ]
    }

    private func phrase(_ index: Int) -> String? {
        let backend = pool.backends[index]
        let name = PoolPhrases.short(backend.metrics.label)
        if let signal = backend.signals.first(where: { $0.heard.signal.state >= .drain }) {
            return "\(name) is said to be in \(signal.heard.signal.state.name)"
        }
        if backend.isFailingChecks, backend.suspicion == .check {
            return "\(name) fails its checks"
        }
        if let left = backend.ejectedNanoseconds {
            return "\(name) refuses connections, tried again in "
                + PoolPhrases.seconds(Double(left) / 1e9)
        }
        switch backend.suspicion {
        case .failures: return "\(name) fails all it is sent"
        case .refusals: return "\(name) refuses what it is sent"
        case .silence: return "\(name) is silent"
        case .slowness: return "\(name) answers far later than the others"
        case .outlier: return "\(name) fails more than the others"
        case .check: return "\(name) fails its checks"
        case nil: break
        }
        if backend.isOnTrial { return "\(name) refused connections and is on trial" }
        return lateness(index).map { "\(name)\($0)" }
    }

    /// That a backend's first bytes come far later than the others', as far as they do.
    private func lateness(_ index: Int) -> String? {
        let recent = pool.recent.backends
        guard recent.count == pool.backends.count,
            let own = recent[index].firstByteSeconds(0.5), own >= PoolPhrases.slow.leastSeconds
        else { return nil }
        let others = recent.indices.filter { $0 != index }.compactMap {
            recent[$0].firstByteSeconds(0.5)
        }.sorted()
        guard let usual = others.isEmpty ? nil : others[others.count / 2],
            own >= PoolPhrases.slow.factor * usual
        else { return nil }
        return "'s first byte takes \(PoolPhrases.seconds(own)), the others' "
            + PoolPhrases.seconds(usual)
    }

    /// That first bytes take long, where there is nothing to compare them with.
    private var slowness: String? {
        let times = pool.recent.backends.compactMap { $0.firstByteSeconds(0.5) }.sorted()
        guard let usual = times.isEmpty ? nil : times[times.count / 2],
            usual >= PoolPhrases.longFirstByteSeconds
        else { return nil }
        return "the first byte takes \(PoolPhrases.seconds(usual))"
    }

    /// What holds the limit, where that is not what was measured.
    private var bound: String? {
        let usable = pool.backends.filter { $0.isUsable }
        guard !usable.isEmpty, pool.inFlight * 10 >= limit * 9 else { return nil }
        if usable.allSatisfy({ $0.pinnedLimit != nil }) { return "an operator pinned the limit" }
        if pool.isLimitFixed { return "the policy fixes the limit" }
        if usable.allSatisfy({ $0.evidence.holder == .max }) {
            return "the limit is held by limit.max"
        }
        if usable.allSatisfy({ $0.evidence.holder == .objective }) {
            return "the limit is held by its latency objective"
        }
        return nil
    }

    /// The tenant that asks for much of it, or of which much is refused.
    private var tenant: String? {
        let recent = pool.recent
        guard recent.tenants.count == pool.tenants.count, recent.asked >= PoolPhrases.leastRequests
        else { return nil }
        let requests = recent.tenants.map(\.requests)
        let others = recent.asked.less(requests.reduce(0, &+))
        // One that is alone explains nothing.
        guard requests.count(where: { $0 > 0 }) + (others > 0 ? 1 : 0) > 1 else { return nil }
        if let most = requests.max(), let index = requests.firstIndex(of: most), most >= others {
            let share = Double(most) / Double(recent.asked)
            guard share >= PoolPhrases.namedShare else { return nil }
            return "\(PoolPhrases.percent(min(1, share))) is tenant "
                + PoolPhrases.short(pool.tenants[index].name)
        }
        let share = Double(others) / Double(recent.asked)
        return share >= PoolPhrases.namedShare
            ? "\(PoolPhrases.percent(share)) is of tenants without a name in the policy" : nil
    }

    // MARK: Figures

    /// A share in hundredths, with a decimal below one of them.
    static func percent(_ share: Double) -> String {
        let percent = share * 100
        if percent > 0, percent < 0.95 {
            return "\(max(1, Int((percent * 10).rounded())).tenths) %"
        }
        return "\(Int(percent.rounded())) %"
    }

    /// A time to two figures.
    static func seconds(_ seconds: Double) -> String {
        guard seconds.isFinite else { return "no end" }
        if seconds < 0.9995 { return "\(Int((seconds * 1000).rounded())) ms" }
        if seconds < 9.95 {
            let tenths = Int((seconds * 10).rounded())
            return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths.tenths) s"
        }
        return seconds < 1e6 ? "\(Int(seconds.rounded())) s" : "days"
    }

    private static func short(_ name: String) -> String {
        name.count > mostNameCharacters ? name.prefix(mostNameCharacters - 1) + "…" : name
    }
}

extension Int {
    /// So many tenths, in decimals.
    fileprivate var tenths: String { "\(self / 10).\(self % 10)" }
}
