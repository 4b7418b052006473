// Backends that are there and said not to be ready, by whoever knows them all: Kubernetes, for one.
//
// Such a word comes from a probe, and a probe says no as well where the server is only busy. At saturation it says
// so of all of them at once, or of one after the other as each takes over what the last one had, and who believes it
// has an empty pool at the moment when each is needed. So it counts only while others carry the load: where those
// that are ready have half of all limits, and nobody waits for a place, who is not ready gets nothing new. Else who was
// heard of a moment ago goes on: it works, whatever its probe says. Who is silent besides may well be loading its model.

extension AdmissionController {
    /// Has those of the present backends that `keys` name be taken for not ready, and all others for ready; poll
    /// afterwards.
    package mutating func setUnready(_ keys: Set<String>, now: Instant) {
        advance(to: now)
        let hadUnready = hasUnready
        hasUnready = false
        for index in backends.indices where backends[index].isPresent {
            backends[index].isUnready = keys.contains(backends[index].key)
            if backends[index].isUnready { hasUnready = true }
        }
        if hasUnready || hadUnready { heedReadiness() }
    }

    /// Works out who of those that are not ready gets nothing new, and when to look again.
    mutating func heedReadiness() {
        // Those first who are ready: what is counted below is what they take.
        for index in backends.indices where !backends[index].isUnready { setDrained(index, false) }
        let othersCarry = readyCarry
        for index in backends.indices where backends[index].isUnready {
            setDrained(index, othersCarry || !backends[index].isHeard(now: clock))
        }
        guard hasUnready else { return }
        noteChange(at: clock.advanced(byNanoseconds: Self.readinessNanoseconds))
    }

    private mutating func setDrained(_ index: Int, _ isDrained: Bool) {
        guard backends[index].isPresent, backends[index].isDrainedAsUnready != isDrained else {
            return
        }
        var signal = BackendSignal()
        if isDrained { signal.order = .drain }
        _ = backends[index].signals.note(.said(signal, by: .discovery), now: clock)
        refresh(index)
    }

    /// Whether the backends that are well and not said to be unready have half of the limits of all, and room for
    /// whoever comes.
    private var readyCarry: Bool {
        let isShort =
            !queue.isUnclaimed
            || clock.nanoseconds(since: shortOfRoomAt) <= Self.readinessNanoseconds
        if isShort { return false }
        var all = 0
        var ready = 0
        for index in backends.indices where backends[index].isPresent {
            all += backends[index].limit
            if !backends[index].isUnready, isProven(index) { ready += backends[index].limit }
        }
        return ready > 0 && 2 * ready >= all
    }

    /// How often it is looked at who is not ready, while some are, and for how long a request that found no room
    /// says that there is none.
    private static var readinessNanoseconds: Int64 { 1_000_000_000 }
}

extension Backend {
    /// Whether it gets nothing new because it is not ready.
    fileprivate var isDrainedAsUnready: Bool {
        signals.heard.contains { $0.source == .discovery }
    }

    /// Whether something came from it in the last ten seconds, or in the last minute where its requests take as
    /// long.
    fileprivate func isHeard(now: Instant) -> Bool {
        var seconds = 10.0
        if meter.successes > 0 { seconds = max(seconds, min(meter.longServiceSeconds, 60)) }
        return now.nanoseconds(since: meter.lastHeard) <= Int64(seconds * 1e9)
    }
}
