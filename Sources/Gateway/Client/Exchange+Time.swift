// What a client's slowness means in each stage.

internal import Admission
internal import HTTP1

extension Exchange {
    /// Whether the exchange can only go on when the client sends more of the body.
    var awaitsBody: Bool {
        guard !isRequestComplete else { return false }
        switch stage {
        case .forwarding: return upstream.map { !$0.hasOutput } ?? false
        case .readingBody: return true
        case .delivering: return isDiscarding
        case .readingHead, .parked, .dialling, .gathering, .tunnelling: return false
        }
    }

    /// The head or the body did not arrive in time.
    func clientTimedOut() {
        keepsClient = false
        switch stage {
        case .readingHead, .readingBody:
            answer(.clientTimeout)
        case .delivering:
            isDiscarding = false
        case .forwarding, .parked, .dialling, .gathering, .tunnelling:
            abandonUpstream()
            answerOrCut(.clientTimeout)
        }
    }
}
