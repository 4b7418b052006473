// Bodies that pass by a rate of their pool's or tenant's.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor

extension Exchange {
    /// Begins with the request's body, which goes to a backend of `pool` now.
    @inline(never)
    func beginPacing(in pool: Pool) {
        pacing?.end(now: now)
        let begun = Pacing(in: pool)
        if !intake.isBodyless {
            // What another backend had of it goes once more, and all of it is kept.
            let held =
                intake.sent.isKept
                ? intake.sent.count : intake.body.map { $0.isHolding ? $0.held.count : 0 } ?? 0
            begun.beginRequest(
                for: claim.tenant, after: intake.bodyBytes, heldBytes: held, now: now)
        }
        pacing = begun
    }

    /// Goes on with the body of a response with that head, unless there is none, or events come of which each is wanted at
    /// once.
    @inline(never)
    func pace(_ head: borrowing ResponseHead, _ pacing: Pacing) {
        // What it was given in a pool with rates stays when it goes to one without.
        guard pool?.hasByteRates == true else { return }
        if head.framing == .none || head.framing == .length(0) || Exchange.isEvents(head) { return }
        pacing.beginResponse(for: claim.tenant, now: now)
    }

    private static func isEvents(_ head: borrowing ResponseHead) -> Bool {
        guard let field = head.firstField(.contentType) else { return false }
        return head.value(of: field).hasPrefix(lowercase: "text/event-stream")
    }

    /// Sets the backend's deadline to the next look where a body waits for bytes; whether it does.
    func settlePacing(_ pacing: Pacing, on upstream: UpstreamConnection) -> Bool {
        guard let look = pacing.nextLook(now: now) else {
            pacing.isDeadlineOurs = false
            return false
        }
        // The request's own deadline goes on, until the response begins.
        let next = attempt.response.hasBegun ? look : min(look, claim.deadline)
        pacing.isDeadlineOurs = look == next
        // Nobody is slow but the gateway itself.
        attempt.noteProgress(now: now)
        shard.reactor.setDeadline(of: upstream, to: next)
        upstream.releaseBuffers()
        return true
    }
}
