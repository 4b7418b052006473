// Which backends a pool has, which changes while it serves. Who leaves gets nothing new, and keeps its row until
// nothing of it is in flight; then the row is kept aside for a while, and who returns under the same name takes up
// where it left.

extension AdmissionController {
    /// Puts a new set of backends in force, under the settings that are in force; poll afterwards.
    ///
    /// Those that stay keep all they have. Those that leave get nothing new, and what runs there runs to its end.
    /// A backend that was here within the last ten minutes goes on with what was learnt of it. `weights` are the
    /// backends', 1 where they are left out. `workers` are the names of workers beside them, which take nothing until
    /// `setCredits` says how much.
    package mutating func replaceBackends(
        _ keys: [String], weights: [Int] = [], workers: [String] = [], now: Instant
    ) {
        advance(to: now)
        self.workers = Set(workers)
        setBackends(keys + workers, weights)
        takeChanges()
        recount()
    }

    /// The slots of the present backends, in the order of `keys`; nil for one that is not there.
    package func backendIDs(forKeys keys: [String]) -> [BackendID?] {
        var slots: [String: Int] = [:]
        for index in backends.indices where backends[index].isPresent {
            slots[backends[index].key] = index
        }
        return keys.map { slots[$0].map(BackendID.init(index:)) }
    }

    /// Has those be present that `keys` name, with these weights, and nobody else.
    mutating func setBackends(_ keys: [String], _ weights: [Int]) {
        setMembers(keys)
        var byKey: [String: Int] = [:]
        // As of names that come twice, the first one counts.
        for (key, weight) in zip(keys, weights) where byKey[key] == nil { byKey[key] = weight }
        for index in backends.indices where backends[index].isPresent {
            setWeight(byKey[backends[index].key] ?? 1, of: index)
        }
    }

    private mutating func setWeight(_ weight: Int, of index: Int) {
        backends[index].configuredWeight = max(1, weight)
        let isNews = backends[index].signals.note(
            .said(BackendSignal(weight: weight), by: .weight), now: clock)
        if isNews { noteSignal(at: index) }
    }

    private mutating func setMembers(_ keys: [String]) {
        let wanted = Set(keys)
        var known: Set<String> = []
        for index in backends.indices {
            let isWanted = wanted.contains(backends[index].key)
            if backends[index].isPresent {
                if isWanted {
                    known.insert(backends[index].key)
                } else {
                    backends[index].leave(now: clock)
                }
            } else if isWanted, mayReturn(index) {
                known.insert(backends[index].key)
                bringBack(index)
            }
        }
        for key in keys where known.insert(key).inserted { add(key) }
    }

    /// Whether a row whose backend has left is still that backend's.
    private func mayReturn(_ index: Int) -> Bool {
        backends[index].inFlight > 0 || backends[index].isRemembered(now: clock)
    }

    /// A worker takes so many requests at once from now on, from 0, those in flight included; poll afterwards.
    package mutating func setCredits(_ credits: Int, of worker: BackendID, now: Instant) {
        advance(to: now)
        let index = worker.index
        guard backends.indices.contains(index), backends[index].isPresent,
            backends[index].credits != nil
        else { return }
        backends[index].setCredits(credits, now: clock)
        refresh(index)
    }

    private mutating func bringBack(_ index: Int) {
        backends[index].comeBack(now: clock)
        if backends[index].credits != nil { backends[index].setCredits(0, now: clock) }
        followSettings(index)
        heedOverride(index)
    }

    /// Adds a backend in a vacant row.
    mutating func add(_ key: String) {
        let pinned = overrides.limit(of: key).map { LimitSettings.fixed(.init(limit: $0)) }
        let limiter = Limiter(pinned ?? settings.limit, seed: random.next(), now: clock)
        var backend = Backend(key: key, limiter: limiter, now: clock)
        backend.signals.replicas = settings.limit.replicas
        let remembered = departed.take(key, now: clock)
        if let remembered { backend = remembered }
        let isWorker = workers.contains(key)
        if isWorker { backend.setCredits(0, now: clock) }
        let index = backends.firstIndex { $0.isVacant } ?? backends.count
        if index < backends.count {
            departed.keep(backends[index], now: clock)
            backends[index] = backend
        } else {
            backends.append(backend)
        }
        if hasAffinity { affinity.add(index, key: key) }
        if remembered != nil {
            bringBack(index)
        } else if isWorker {
            // What it takes is its own affair.
        } else if let limit = self.remembered.removeValue(forKey: key) {
            begin(index, remembering: limit)
        } else {
            warmStart(index)
        }
        heedOverride(index)
    }

    /// Has a backend's limit follow the settings in force.
    mutating func followSettings(_ index: Int) {
        if backends[index].credits != nil { return }
        backends[index].signals.replicas = settings.limit.replicas
        if let move = backends[index].limiter.reconfigure(
            limitSettings(of: index), seed: random.next(), now: clock)
        {
            record(move, at: index)
        }
    }
}
