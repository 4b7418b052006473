// What a client's slowness means in each stage.

internal import Admission
internal import Reactor

extension Exchange {
    /// Whether the exchange can only go on when the client sends more of the body.
    @inline(__always) var awaitsBody: Bool { !intake.isComplete && goesOnWithBody }

    /// The same of one whose body is not complete.
    private var goesOnWithBody: Bool {
        switch stage {
        case .forwarding:
            guard let connection = attempt.connection, !attempt.awaitsGrant else { return false }
            if let pacing, pacing.waits(.up, now: now) { return false }
            return !connection.hasOutput
        case .readingBody: return true
        case .delivering: return intake.isDiscarding
        case .bulk: return bulkAwaitsBody
        case .readingHead, .parked, .dialling, .tunnelling: return false
        }
    }

    /// Notes after each round whether the client is waited for to send more of its body.
    func noteBodyWait() { intake.noteWait(awaitsBody, now: now) }

    /// When a paused response is to be taken further, although its client is slow.
    var nextStepAt: Instant {
        stage == .forwarding ? outlet.nextStepAt(snapshot) : .distantFuture
    }

    /// Whether the time has come to take the response further, and there is room for it.
    func takesMore() -> Bool {
        guard let client, stage == .forwarding else { return false }
        return outlet.takesMore(for: client, snapshot, now: now)
    }

    /// The head or the body did not arrive in time.
    func clientTimedOut() {
        outlet.endClient()
        switch stage {
        case .readingHead, .readingBody:
            reply(.clientTimeout)
        case .delivering:
            intake.discard(false)
        case .forwarding, .parked, .dialling, .tunnelling, .bulk:
            abandonUpstream()
            replyOrCut(.clientTimeout)
        }
    }
}
