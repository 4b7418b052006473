// What a client's slowness means in each stage.

internal import Admission
internal import Reactor

extension Exchange {
    /// Whether the exchange can only go on when the client sends more of the body.
    var awaitsBody: Bool {
        guard !isRequestComplete else { return false }
        switch stage {
        case .forwarding: return upstream.map { !$0.hasOutput } ?? false
        case .readingBody: return true
        case .delivering: return isDiscarding
        case .readingHead, .parked, .dialling, .tunnelling: return false
        }
    }

    /// Notes after each round whether the client is waited for to send more of its body.
    func noteBodyWait() {
        if awaitsBody {
            record.bodyClock.start(now: now)
        } else {
            record.bodyProgressAt = now
            record.bodyClock.stop(now: now)
        }
    }

    /// When a body that is waited for comes too late: by its last piece, by all of it, or by the rate
    /// that it comes at.
    func bodyDeadline(_ limits: Snapshot.Timeouts) -> Instant {
        var at = record.bodyProgressAt.advanced(byNanoseconds: limits.bodyIdleNanoseconds)
        at = min(at, record.bodyClock.reaches(limits.bodyNanoseconds))
        guard limits.bodyByteNanoseconds > 0 else { return at }
        // A head's time to begin with; from then on each byte has bought some.
        let bought = Double(record.bodyBytes) * limits.bodyByteNanoseconds
        let allowed = Double(limits.headNanoseconds) + bought
        return min(at, record.bodyClock.reaches(Int64(min(allowed, 9e18))))
    }

    /// The head or the body did not arrive in time.
    func clientTimedOut() {
        keepsClient = false
        switch stage {
        case .readingHead, .readingBody:
            reply(.clientTimeout)
        case .delivering:
            isDiscarding = false
        case .forwarding, .parked, .dialling, .tunnelling:
            abandonUpstream()
            replyOrCut(.clientTimeout)
        }
    }
}
