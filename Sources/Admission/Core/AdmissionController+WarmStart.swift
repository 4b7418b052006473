// New backends among siblings whose limits are known. They serve the same requests, and mostly on the same machines, so
// that a limit found by several of them is worth more than a climb from nothing, which takes a minute or two: a new one
// begins at a quarter of their median and doubles. Before each step what a unit of work took it is compared with what
// it took its siblings meanwhile; one that is much slower is of another kind, and finds its limit alone.

/// What a new backend has done since its limit moved last, and what its siblings have.
struct WarmStart: Sendable {
    /// A sibling by its place and name, with what it had done.
    struct Sibling: Sendable {
        let index: Int
        let key: String
        let work: WorkDone
    }

    /// What the new one had done.
    var own: WorkDone
    var siblings: [Sibling]
}

extension AdmissionController {
    /// Siblings with a known limit that it takes: one could be ill in a way that nobody has noticed.
    private static var leastSiblings: Int { 2 }
    /// What a new backend may take for a unit of work, over what its siblings take.
    private static var mostOfSiblings: Double { 1.5 }
    /// Units, or where none come, responses after which that is known.
    private static var leastUnits: Double { 32 }
    private static var leastCompletions: Double { 4 }

    /// Lets a new backend begin with a part of what its siblings were found to have, where that is known.
    mutating func warmStart(_ index: Int) {
        let known = backends.indices.filter { $0 != index && isKnown($0) }
        guard known.count >= Self.leastSiblings else { return }
        // Of an even number the lower one of the two.
        let limits = known.map { backends[$0].limiter.exact }.sorted()
        let median = limits[(limits.count - 1) / 2]
        if let move = backends[index].limiter.begin(towards: median, now: clock) {
            record(move, at: index)
        }
        mark(index)
    }

    /// Lets a backend begin with what another process has it have at present, or with a part of what an earlier one found.
    mutating func begin(_ index: Int, remembering limit: Double) {
        let move =
            inForce.remove(backends[index].key) == nil
            ? backends[index].limiter.begin(remembering: limit, now: clock)
            : backends[index].limiter.begin(takingOver: limit, now: clock)
        if let move { record(move, at: index) }
    }

    /// Whether a backend's limit may move, as far as its way up to its siblings' is concerned.
    mutating func mayMove(_ index: Int) -> Bool {
        guard let warmth = backends[index].warmth else { return true }
        guard backends[index].limiter.isApproaching else {
            backends[index].warmth = nil
            return true
        }
        let own = backends[index].meter.work - warmth.own
        guard own.units >= Self.leastUnits || own.completions >= Self.leastCompletions else {
            return false
        }
        guard let theirs = secondsPerUnit(of: warmth.siblings, by: own),
            Self.seconds(own, by: own) > Self.mostOfSiblings * theirs
        else { return true }
        backends[index].limiter.endApproach(now: clock)
        backends[index].warmth = nil
        return true
    }

    /// A backend's limit has moved: it is compared anew from here on.
    mutating func mark(_ index: Int) {
        let known = backends.indices.filter { $0 != index && isKnown($0) }
        backends[index].warmth = WarmStart(
            own: backends[index].meter.work,
            siblings: known.map {
                WarmStart.Sibling(
                    index: $0, key: backends[$0].key, work: backends[$0].meter.work)
            })
    }

    private func isKnown(_ index: Int) -> Bool {
        isProven(index) && backends[index].limiter.isKnown
    }

    /// What a unit of work took siblings since they were marked; nil where they have not done enough.
    private func secondsPerUnit(of siblings: [WarmStart.Sibling], by own: WorkDone) -> Double? {
        var sum = WorkDone()
        for sibling in siblings where backends[sibling.index].key == sibling.key {
            sum = sum + (backends[sibling.index].meter.work - sibling.work)
        }
        let isEnough =
            own.units > 0 ? sum.units >= Self.leastUnits : sum.completions >= Self.leastCompletions
        return isEnough ? Self.seconds(sum, by: own) : nil
    }

    /// Seconds for a unit, or for a response where `own` has no units.
    private static func seconds(_ work: WorkDone, by own: WorkDone) -> Double {
        work.requestSeconds / (own.units > 0 ? work.units : work.completions)
    }
}
