// Requests that meet a connection at its end. A backend may close an idle connection at any time, and
// so just as the next request is written to it; the request is then sent again on a fresh one, if
// all of it is still there and if it may be sent twice.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor

extension Exchange {
    /// Hands what there is of the body to `connection`, behind the head.
    func forwardBody(to connection: UpstreamConnection) {
        if intake.sent.isKept {
            intake.sent.send(on: connection)
            if !mayHaveToRepeat { intake.sent.drop() }
            return
        }
        if !intake.isBodyless, (intake.announcedLength ?? 0) <= SentBody.mostBytes, mayHaveToRepeat
        {
            intake.sent.begin(on: connection)
        }
        intake.forwardHeld(to: connection, claim.changesBody ? claim.bodyChange : nil)
        // A body of chunks may have come to nothing.
        if intake.isComplete { endChunks(to: connection) }
    }

    /// Whether the connection may turn out to be at its end, or another backend may have to do it.
    private var mayHaveToRepeat: Bool {
        attempt.isReused && !record.wasSentAgain
            || record.retries < Exchange.mostRetries && (pool?.hasOthers ?? false)
    }

    /// Gives up what is kept of the body once the response has begun, unless the request goes to another
    /// backend instead.
    func settleSent(on connection: UpstreamConnection) {
        let current = attempt.connection
        let isLeft = current !== connection && (current != nil || stage != .delivering)
        guard !isLeft, connection.receivedSinceBegun != 0 else { return }
        // A worker's word that it takes the request is no part of the response.
        if connection.upstream.worker != nil, !attempt.response.hasBegun { return }
        intake.sent.drop()
    }

    /// Whether a dead connection may be replaced by a fresh one.
    ///
    /// Once, and only one that had served before: closing it raced with our use of it. Nothing of
    /// the response may have come, and all of the request must be there still.
    func canTryAgain(_ connection: UpstreamConnection) -> Bool {
        guard attempt.isReused, connection.receivedSinceBegun == 0 else { return false }
        connection.upstream.ended(afterResting: connection.restedNanoseconds, now: now)
        guard !record.wasSentAgain, isWhole(on: connection) else { return false }
        return mayRepeat(mayHaveBegun: !isProvablyUnread(on: connection))
    }

    /// Whether all of the request is there to be sent again.
    func isWhole(on connection: UpstreamConnection) -> Bool {
        if intake.isBodyless || attempt.awaitsGrant { return true }
        // Nothing was handed over yet.
        if connection.sentSinceBegun == 0, !connection.hasOutput { return true }
        if intake.sent.isKept { intake.sent.keep(from: connection) }
        return intake.sent.isKept
    }

    /// Whether the backend's program cannot have read any of the request.
    ///
    /// It has not where its end was there before anything was written, and not where its kernel had
    /// taken none of what was written when it sent the end: an end says how much has been taken.
    func isProvablyUnread(on connection: UpstreamConnection) -> Bool {
        let sent = connection.sentSinceBegun
        if sent == 0 || connection.endedBeforeUse { return true }
        guard connection.endedInOrder, let untaken = connection.unsentBytes() else { return false }
        return untaken >= sent
    }

    /// Whether the request may be sent a second time on a fresh connection to the same backend.
    ///
    /// Of those that may have been begun and are not idempotent no more than the pool's budget allows.
    private func mayRepeat(mayHaveBegun: Bool) -> Bool {
        if !mayHaveBegun || intake.head.method.isIdempotent { return true }
        guard let pool, claim.doesNoHarmTwice(intake.head) else { return false }
        return pool.takesRepeat()
    }
}
