// What a controller is told about a backend from outside: by the backend's own responses, by checks,
// by reports, by operators. A signal may lower what a backend is sent and never raises it above
// what its limit has learnt.

/// News of a backend.
package enum Signal: Equatable, Sendable {
    /// Whether it may be sent requests at all.
    case health(Health)
    /// What it says that it has running and waiting, requests of other gateways included.
    case load(running: Int, waiting: Int)
    /// It asked not to be sent more until then: half of its limit meanwhile, at most for a minute.
    case hold(until: Instant)
    /// What `hold` asked for is over.
    case resume
    /// The most that it may have in flight, from 1; nil for no such bound.
    case ceiling(Int?)

    /// Whether a backend may be sent requests.
    package enum Health: UInt8, CaseIterable, Sendable {
        /// It works.
        case up
        /// It gets nothing new and goes on with what it has.
        case draining
        /// It gets nothing.
        case down
    }
}

/// What signals allow one backend.
struct SignalState: Sendable {
    private(set) var health = Signal.Health.up
    private(set) var ceiling = Int.max
    /// Until when it asked not to be sent more; the distant past when it did not.
    private(set) var heldUntil = Instant(nanoseconds: .min / 2)
    private static let longestHoldNanoseconds: Int64 = 60_000_000_000

    /// Takes over a signal other than `load`.
    mutating func note(_ signal: Signal, now: Instant) {
        switch signal {
        case .health(let health): self.health = health
        case .ceiling(let most): ceiling = max(1, most ?? .max)
        case .resume: heldUntil = Instant(nanoseconds: .min / 2)
        case .hold(let end):
            let latest = now.advanced(byNanoseconds: Self.longestHoldNanoseconds)
            heldUntil = max(heldUntil, min(end, latest))
        case .load: break
        }
    }

    /// What is left of `limit`.
    @inline(__always) func allowed(of limit: Int, now: Instant) -> Int {
        let held = now < heldUntil ? max(1, limit / 2) : limit
        return min(held, ceiling)
    }
}
