// Responses that are taken from the backend ahead of a client that reads slowly, so that it keeps neither
// the backend's connection nor a place of its limit. The client's output grows for that, in steps,
// up to a bound for each response and one for all of a thread's; beyond them the backend waits as it
// does for everybody. A client that takes what it gets within a moment never has any of it.

internal import Admission
internal import Reactor

extension Exchange {
    /// How long a response is paused before it is taken further: a client that reads as fast as it
    /// can empties its buffer in less, again and again.
    private static let momentNanoseconds: Int64 = 20_000_000
    /// When to try again where all responses have as much as they may.
    private static let againNanoseconds: Int64 = 1_000_000_000
    /// The first step; each further one doubles it.
    private static let firstStepBytes = BufferPool.hugePieceBytes

    /// Bytes of the response above which it is not read, and below which it is again.
    var responseHighBytes: Int { aheadBytes == 0 ? snapshot.bufferHighBytes : aheadBytes }
    var responseLowBytes: Int { aheadBytes == 0 ? snapshot.bufferLowBytes : aheadBytes / 2 }

    /// Pauses a response whose client's output is full.
    func pauseResponse() {
        isResponsePaused = true
        record.takesMoreAt = now.advanced(byNanoseconds: Exchange.momentNanoseconds)
    }

    /// When a paused answer is to be taken further.
    var takesMoreAt: Instant {
        guard isResponsePaused, stage == .forwarding, nextStepBytes > responseHighBytes else {
            return .distantFuture
        }
        return record.takesMoreAt
    }

    /// Whether the time has come to take the response further, and there is room for it.
    func takesMore() -> Bool {
        guard takesMoreAt <= now else { return false }
        if takeStep() { return true }
        record.takesMoreAt = now.advanced(byNanoseconds: Exchange.againNanoseconds)
        return false
    }

    /// Makes more room for a response of which some is held; false where it has what it may have.
    func growsFurther() -> Bool { aheadBytes > 0 && takeStep() }

    private var nextStepBytes: Int {
        min(snapshot.responseAheadBytes, max(Exchange.firstStepBytes, 2 * aheadBytes))
    }

    private func takeStep() -> Bool {
        let next = nextStepBytes
        let total = shard.aheadBytes - aheadBytes + next
        guard let client, next > responseHighBytes, total <= snapshot.responsesTotalBytes else {
            return false
        }
        shard.aheadBytes = total
        aheadBytes = next
        isResponsePaused = false
        client.growOutput(to: next)
        return true
    }

    /// Gives up the room that the response has, which the client has emptied or will not read.
    func releaseAhead() {
        guard aheadBytes > 0 else { return }
        shard.aheadBytes -= aheadBytes
        aheadBytes = 0
    }
}
