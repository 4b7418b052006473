// What active checks have said of one backend, and what is believed for it.
//
// A check is weaker evidence than bytes: health paths of inference servers have lied both ways. They answer too late
// where the engine is busy, so that a time-out does not count while the backend sends responses; and they answer well
// while it hangs, so that a good one clears nothing that requests have shown.

/// When checks count against a backend, and when for it again.
package struct CheckRules: Equatable, Sendable {
    /// Time from one check's beginning to the next one's, 1 s to 1 h.
    package var interval = Duration.seconds(5)
    /// Failed checks in a row from which on it is sent nothing, 1 to 100.
    package var fall = 3
    /// Good checks in a row from which on it is sent requests again, 1 to 100.
    package var rise = 2

    /// The defaults.
    package init() {}
}

/// How a check ended.
package enum CheckResult: UInt8, CaseIterable, Sendable {
    /// With a response that says that all is well.
    case passed
    /// With another response, a connection that was refused or that broke.
    case failed
    /// Without a response in time.
    case timedOut

    /// The value of the metric's `result` label.
    package var name: StaticString {
        switch self {
        case .passed: "passed"
        case .failed: "failed"
        case .timedOut: "timed_out"
        }
    }
}

/// One backend's record of checks.
struct CheckRecord: Sendable {
    /// Whether its checks fail.
    private(set) var isFailing = false
    /// Checks in a row that speak against what is believed.
    private var against = 0
    /// Checks so far, by `CheckResult`.
    private(set) var counts = [Int](repeating: 0, count: CheckResult.allCases.count)
    /// Time-outs that did not count, since the backend was heard of.
    private(set) var ignored = 0

    /// Takes in how a check ended of a backend that was last heard of at `lastHeard`.
    mutating func note(
        _ result: CheckResult, _ rules: CheckRules, lastHeard: Instant, now: Instant
    ) {
        counts[Int(result.rawValue)] += 1
        if result == .timedOut,
            now.nanoseconds(since: lastHeard) < rules.interval.wholeNanoseconds
        {
            ignored += 1
            return
        }
        guard (result == .passed) == isFailing else {
            against = 0
            return
        }
        against += 1
        guard against >= (isFailing ? rules.rise : rules.fall) else { return }
        isFailing.toggle()
        against = 0
    }

    /// It is checked no more.
    mutating func end() {
        isFailing = false
        against = 0
    }
}
