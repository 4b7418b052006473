// What a controller is told about a backend from outside: by the backend's own responses, by checks,
// by reports, by operators. A signal may lower what a backend is sent and never raises it above
// what its limit has learnt.

/// News of a backend.
package enum Signal: Equatable, Sendable {
    /// What a source says of it from now on, in place of what that has said before.
    case said(BackendSignal, by: BackendSignal.Source)
    /// What it says that it has running and waiting, requests of other gateways included.
    case load(running: Int, waiting: Int)
    /// What it reports of its load.
    case report(ReportedLoad)
    /// It asked not to be sent more until then: half of its limit meanwhile, at most for a minute.
    case hold(until: Instant)
    /// What `hold` asked for is over.
    case resume
}

/// What signals allow one backend.
struct SignalState: Sendable {
    /// Whether it may be sent anything new.
    private(set) var takesNew = true
    /// The most restrictive of what is said, and by whom.
    private(set) var state = BackendSignal.State.ready
    private(set) var source = BackendSignal.Source.field
    /// When the next of what is said ends.
    private(set) var nextEnd = Instant.distantFuture
    /// When it may be sent something again as far as is known; the distant future where it may, and where nothing
    /// is known.
    private(set) var opensAt = Instant.distantFuture
    /// Until when it asked not to be sent more; the distant past when it did not.
    private(set) var heldUntil = Instant(nanoseconds: .min / 2)
    /// How many gateways share what the ceilings allow.
    var replicas = 1
    /// What is said and has not ended, by whoever says anything.
    private(set) var heard: [HeardSignal] = []
    private static let longestHoldNanoseconds: Int64 = 60_000_000_000

    /// Takes over a signal other than `load`; whether that changes what is allowed, and not only for how long.
    mutating func note(_ signal: Signal, now: Instant) -> Bool {
        switch signal {
        case .said(let said, let source): return note(said, by: source, now: now)
        case .resume: heldUntil = Instant(nanoseconds: .min / 2)
        case .hold(let end):
            let latest = now.advanced(byNanoseconds: Self.longestHoldNanoseconds)
            heldUntil = max(heldUntil, min(end, latest))
        case .load, .report: break
        }
        return true
    }

    private mutating func note(
        _ said: BackendSignal, by source: BackendSignal.Source, now: Instant
    ) -> Bool {
        let index = heard.firstIndex { $0.source == source }
        var said = said
        if !source.isLasting {
            let latest = now.advanced(byNanoseconds: BackendSignal.longestNanoseconds)
            said.end = min(said.end, latest)
        }
        guard said.state != .ready, said.end > now else {
            guard let index else { return false }
            heard.remove(at: index)
            sum()
            return true
        }
        let next = HeardSignal(source: source, signal: said, heardAt: now)
        guard let index else {
            heard.append(next)
            sum()
            return true
        }
        var former = heard[index].signal
        former.end = said.end
        heard[index] = next
        sum()
        return former != said
    }

    /// Forgets what has ended; whether there was any.
    mutating func expire(now: Instant) -> Bool {
        guard nextEnd <= now else { return false }
        heard.removeAll { $0.signal.end <= now }
        sum()
        return true
    }

    /// Works out anew what all sources come to together.
    private mutating func sum() {
        takesNew = true
        state = .ready
        nextEnd = .distantFuture
        opensAt = Instant(nanoseconds: .min / 2)
        for said in heard {
            nextEnd = min(nextEnd, said.signal.end)
            if said.signal.state > state {
                state = said.signal.state
                source = said.source
            }
            if said.signal.state >= .drain {
                takesNew = false
                opensAt = max(opensAt, said.signal.end)
            }
        }
        if takesNew { opensAt = .distantFuture }
    }

    /// What is left of `limit`.
    @inline(__always) func allowed(of limit: Int, now: Instant) -> Int {
        let held = now < heldUntil ? max(1, limit / 2) : limit
        return state == .ready ? held : min(held, said(of: limit))
    }

    /// What is left of `limit` by what is said.
    func said(of limit: Int) -> Int {
        heard.reduce(limit) { min($0, $1.signal.allowed(of: limit, replicas: replicas)) }
    }
}
