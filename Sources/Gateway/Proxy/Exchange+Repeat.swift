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
    /// Bytes that are kept of one body, and storage for those of all a thread's: what is longer is
    /// sent once.
    private static let keptBytes = 256 << 10
    private static let keptTotalBytes = 8 << 20

    /// Whether the request has no body.
    private var isBodyless: Bool { head.framing == .none || head.framing == .length(0) }

    /// Hands what there is of the body to `connection`, behind the head.
    func forwardBody(to connection: UpstreamConnection) {
        if keepsBody, let keptBody {
            keptBody.begin(after: connection.output.count)
            keptBody.append(to: &connection.output)
            if !mayHaveToRepeat { dropKept() }
            return
        }
        if !isBodyless, mayFitKept, mayHaveToRepeat {
            let kept = keptBody ?? KeptBody(pool: shard.reactor.buffers)
            keptBody = kept
            kept.begin(after: connection.output.count)
            keepsBody = true
        }
        forwardHeld(to: connection)
    }

    /// Whether all of the body can be kept, as far as its head tells.
    private var mayFitKept: Bool {
        guard case .length(let count) = head.framing else { return true }
        return count <= Exchange.keptBytes
    }

    /// Whether the connection may turn out to be at its end, or another backend may have to do it.
    private var mayHaveToRepeat: Bool {
        record.isReused && !record.wasSentAgain
            || record.retries < Exchange.mostRetries && (pool?.settings.backends.count ?? 1) > 1
    }

    /// Keeps what `connection` is about to send of the body.
    func keepSent(on connection: UpstreamConnection) {
        guard let keptBody else { return }
        let waiting = connection.hasOutput ? connection.output.count : 0
        let sent = connection.sentBytes - connection.sentBefore
        let count = sent + waiting - keptBody.headBytes
        let fresh = count - keptBody.bytes.count
        guard fresh > 0 else { return }
        guard fresh <= waiting, count <= Exchange.keptBytes,
            shard.keptBytes + count <= Exchange.keptTotalBytes
        else {
            dropKept()
            return
        }
        shard.keptBytes -= keptBody.bytes.capacity
        keptBody.keep(last: fresh, of: connection.output)
        shard.keptBytes += keptBody.bytes.capacity
    }

    /// Gives up what is kept once the response has begun, unless the request goes to another backend
    /// instead.
    func settleKept(of connection: UpstreamConnection) {
        let isLeft = upstream !== connection && (upstream != nil || stage != .delivering)
        guard !isLeft, connection.receivedBytes != connection.receivedBefore else { return }
        dropKept()
    }

    /// Gives up what is kept.
    func dropKept() {
        keepsBody = false
        guard let keptBody else { return }
        shard.keptBytes -= keptBody.bytes.capacity
        keptBody.release()
    }

    /// Whether a dead connection may be replaced by a fresh one.
    ///
    /// Once, and only one that had served before: closing it raced with our use of it. Nothing of
    /// the response may have come, and all of the request must be there still.
    func canTryAgain(_ connection: UpstreamConnection) -> Bool {
        guard record.isReused, connection.receivedBytes == connection.receivedBefore else {
            return false
        }
        connection.upstream.ended(afterResting: connection.restedNanoseconds, now: now)
        guard !record.wasSentAgain, isWhole(on: connection) else { return false }
        return mayRepeat(mayHaveBegun: !isProvablyUnread(on: connection))
    }

    /// Whether all of the request is there to be sent again.
    func isWhole(on connection: UpstreamConnection) -> Bool {
        if isBodyless { return true }
        // Nothing was handed over yet.
        if connection.sentBytes == connection.sentBefore, !connection.hasOutput { return true }
        if keepsBody { keepSent(on: connection) }
        return keepsBody
    }

    /// Whether the backend's program cannot have read any of the request.
    ///
    /// It has not where its end was there before anything was written, and not where its kernel had
    /// taken none of what was written when it sent the end: an end says how much has been taken.
    private func isProvablyUnread(on connection: UpstreamConnection) -> Bool {
        let sent = connection.sentBytes - connection.sentBefore
        if sent == 0 || connection.endedBeforeUse { return true }
        guard connection.endedInOrder, let untaken = connection.unsentBytes() else { return false }
        return untaken >= sent
    }

    /// Whether the request may be sent a second time on a fresh connection to the same backend.
    ///
    /// Of those that may have been begun and are not idempotent no more than the pool's budget allows.
    private func mayRepeat(mayHaveBegun: Bool) -> Bool {
        if !mayHaveBegun || head.method.isIdempotent { return true }
        guard let pool, doesNoHarmTwice else { return false }
        return pool.takesRepeat()
    }

    /// Whether the request may be begun twice.
    ///
    /// RFC 9110 section 9.2.2 lets only idempotent requests be repeated once they may have been begun, and
    /// those of which is known that they do no harm. In the dialects of inference servers a request
    /// computes and changes nothing.
    var doesNoHarmTwice: Bool {
        let head = head
        return head.method.isIdempotent || dialect.isRepeatable(path: head.span(head.path))
    }
}
