// Whether a backend may be sent requests. A backend that refuses a connection is ejected, twice as
// long after each further refusal; then it is half-open: one request at a time goes there on trial,
// until a dial succeeds (everything is as before) or fails (ejected again, longer). That it is well again
// is said of it when something has ended well there, not before.

/// A backend's standing after refused connections.
struct Ejection: Sendable {
    /// Refusals since the last connection, each episode counted once.
    private(set) var consecutiveFailures = 0
    /// When the backend was ejected last.
    private(set) var since = Instant(nanoseconds: 0)
    /// Until when it is ejected; half-open from then on.
    private(set) var until = Instant(nanoseconds: 0)
    /// Whether it was ejected, and nothing shows since that it is well again.
    private(set) var isOnTrial = false
    /// Whether nothing has ended well at the backend since it is known, or since it was ejected last.
    private(set) var isUnheard = true
    /// The trial in flight, 0 when there is none.
    private(set) var trial: UInt32 = 0
    private var trials: UInt32 = 0

    /// Whether no refusal is outstanding.
    var isProven: Bool { consecutiveFailures == 0 }

    /// Whether the backend is ejected at `now`.
    func isEjected(now: Instant) -> Bool { !isProven && now < until }

    /// Whether a request may go to the backend at `now`, as far as refusals are concerned.
    func allowsRequest(now: Instant) -> Bool { isProven || (now >= until && trial == 0) }

    /// Starts a trial if the backend is half-open; its number, or 0 when no trial is needed.
    mutating func grant() -> UInt32 {
        guard !isProven else { return 0 }
        // 0 means none, also after 2^32 trials.
        trials = trials == .max ? 1 : trials + 1
        trial = trials
        return trial
    }

    /// Ends the trial of that number, if it is still the one in flight.
    mutating func endTrial(_ number: UInt32) {
        if number != 0, number == trial { trial = 0 }
    }

    /// A dial failed; while the backend is ejected, further failures change nothing.
    mutating func refused(
        now: Instant, settings: EjectionSettings, random: inout SplitMix64
    ) {
        guard !isEjected(now: now) else { return }
        consecutiveFailures += 1
        isOnTrial = true
        isUnheard = true
        trial = 0
        since = now
        let longest = settings.max.wholeNanoseconds
        var time = min(settings.base.wholeNanoseconds, longest)
        for _ in 1..<min(consecutiveFailures, 64) where time < longest {
            time = min(time * 2, longest)
        }
        let shortened = Double(time) * (1 - 0.25 * random.nextUnit())
        until = now.advanced(byNanoseconds: Int64(shortened))
    }

    /// A dial succeeded: nothing is held against the backend any more.
    mutating func connected() {
        consecutiveFailures = 0
        trial = 0
    }

    /// What was held against the backend was another time's.
    mutating func forget() {
        connected()
        isOnTrial = false
        isUnheard = true
    }

    /// The backend has served something.
    mutating func served() {
        isOnTrial = false
        isUnheard = false
    }
}
