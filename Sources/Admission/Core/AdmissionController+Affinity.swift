// Which backend a request goes to where prompts are known, and, when a slot comes free, which of those that
// wait gets it. Under load one backend at a time has room, so that the choice among requests is what keeps
// prompts where they are known; it stays within what fairness allows.

extension AdmissionController {
    /// Says what the prompt of the next request begins with, which is offered or tried again right after.
    ///
    /// It stands beside the ticket so that a request costs nothing more where a pool has no affinity.
    package mutating func prepare(_ keys: PrefixKeys?) {
        if hasAffinity { affinity.prepared = keys }
    }

    /// Looks up which backends know the prompt that was prepared; `affinity.current` is what was found.
    @inline(never) mutating func matchPrompt() {
        affinity.keys = affinity.prepared.take()
        affinity.current = affinity.match(affinity.keys)
    }

    /// The backend with room for `seats` at which the prompt that was looked up costs least; without affinity the one with the
    /// lowest share of its limit in flight.
    @inline(__always) mutating func chooseWhereKnown(seats: Int, except excluded: Int?) -> Int? {
        guard hasAffinity else { return choose(seats: seats, except: excluded) }
        return chooseKnowing(seats: seats, except: excluded)
    }

    @inline(never) private mutating func chooseKnowing(seats: Int, except excluded: Int?) -> Int? {
        let match = affinity.current
        guard !match.isEmpty else { return choose(seats: seats, except: excluded) }
        // A suspected backend's trial is not put off for another's cache.
        guard survey() else { return choose(seats: seats, except: excluded) }
        var least = Double.infinity
        for option in affinity.options
        where option.room >= seats && option.backend != excluded {
            least = min(least, option.load.cost(of: match, at: option.backend))
        }
        var best: Int?
        var highest: UInt64 = 0
        for option in affinity.options
        where option.room >= seats && option.backend != excluded {
            let cost = option.load.cost(of: match, at: option.backend)
            guard cost <= least * Affinity.tie else { continue }
            let rank = affinity.rank(of: option.backend, for: match.firstKey)
            if best == nil || rank > highest { (best, highest) = (option.backend, rank) }
        }
        return best
    }

    /// Looks at all backends; false where one of them is due for a trial.
    private mutating func survey() -> Bool {
        affinity.options.removeAll(keepingCapacity: true)
        for index in backends.indices where backends[index].isPresent {
            let room = room(at: index)
            if backends[index].suspicion.isSuspected {
                if room > 0 { return false }
                continue
            }
            guard backends[index].isUsable(now: clock) else { continue }
            affinity.options.append(
                AffinityOption(
                    backend: index,
                    load: affinity.load(
                        at: index, inFlight: counted(index), limit: backends[index].weight,
                        now: clock),
                    room: room))
        }
        return true
    }

    /// Requests that may be started before one whose turn it is: three for each backend, from 8 to 96.
    ///
    /// Delay scheduling (Zaharia and others, EuroSys 2010): with one home in N, D passes find it with a
    /// probability of 1 - (1 - 1/N)^D, which is .95 for D = 3 N.
    private var mostPasses: Int { min(max(8, 3 * affinity.options.count), 96) }

    /// The request that starts instead of the one whose turn it is, and where; nil where that is to be decided
    /// without affinity.
    ///
    /// Of those that fairness lets start now it is the one that loses least by starting at a backend with
    /// room, instead of where it costs least; and before all others one that was passed often enough.
    @inline(never) mutating func startInstead(of first: Int32) -> (slot: Int32, backend: Int)? {
        guard queue.slots[Int(first)].stage == .inFlow, survey() else { return nil }
        let mostPasses = mostPasses
        queue.collect(
            row: Int(queue.slots[Int(first)].row), most: 2 * mostPasses,
            into: &affinity.candidates)
        var chosen: Choice?
        for candidate in affinity.candidates {
            let parked = affinity.waiting(candidate.slot)
            guard let best = best(for: parked.match, seats: queue.seats(candidate.slot)) else {
                continue
            }
            let choice = Choice(
                candidate: candidate, backend: best.backend, regret: best.regret,
                isDue: parked.passes >= mostPasses, isHome: parked.match.isHome(best.backend))
            if chosen.map(choice.isBetter) ?? true { chosen = choice }
        }
        guard let chosen else { return nil }
        for candidate in affinity.candidates where candidate.tag < chosen.candidate.tag {
            affinity.pass(candidate.slot)
        }
        if chosen.isDue { affinity.force(chosen.candidate.slot) }
        return (chosen.candidate.slot, chosen.backend)
    }

    /// A request that may be started now, and where.
    private struct Choice {
        let candidate: FairQueue.Candidate
        let backend: Int
        /// How much more it costs there than where it costs least.
        let regret: Double
        /// Whether it was passed often enough.
        let isDue: Bool
        /// Whether nobody knows more of its prompt than the backend does.
        let isHome: Bool

        func isBetter(than other: Choice) -> Bool {
            if isDue != other.isDue { return isDue }
            let isSame = abs(regret - other.regret) < 1e-9
            if !isDue, !isSame { return regret < other.regret }
            // Where all other backends are busy nobody loses by starting here, and some gain more by it.
            if !isDue, isHome != other.isHome { return isHome }
            return candidate.tag < other.candidate.tag
        }
    }

    /// Where a request that waits costs least of the backends with room, and how much more that is than
    /// where it costs least of all.
    private func best(
        for match: PrefixMatch, seats: Int
    ) -> (backend: Int, regret: Double)? {
        var least = Double.infinity
        var open = Double.infinity
        var backend = -1
        for option in affinity.options {
            let cost = option.load.cost(of: match, at: option.backend)
            least = min(least, cost)
            if option.room >= seats, cost < open { (open, backend) = (cost, option.backend) }
        }
        return backend < 0 ? nil : (backend, open - least)
    }

    /// A request is bound to a backend; `isForced` because enough others had passed it.
    @inline(never) mutating func beginPrompt(
        at index: Int, _ expected: ExpectedTokens, isForced: Bool = false
    ) -> Int32 {
        affinity.begin(
            at: index, answerTokens: Int(expected.output), isForced: isForced, now: clock)
    }
}

extension AdmissionController {
    /// What affinity came to; nil where the pool has none.
    package var affinityCounts: AffinityCounts? { hasAffinity ? affinity.counts : nil }

    /// Beginnings of prompts that are remembered, and how many there is room for.
    package var affinityEntries: (count: Int, capacity: Int) {
        (affinity.index.count, affinity.index.capacity)
    }

    /// Tokens that a backend's cache is taken to hold; 0 without affinity.
    package func cacheTokens(of backend: BackendID) -> Int {
        hasAffinity ? affinity.capacityTokens(of: backend.index) : 0
    }
}
