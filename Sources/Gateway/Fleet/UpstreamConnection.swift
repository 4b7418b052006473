// A connection to a backend. It has one user at a time, and belongs to its upstream's idle list in
// between.

internal import Admission
internal import HTTP1
internal import Reactor

/// An established connection to a backend.
final class UpstreamConnection: StreamConnection {
    let upstream: Upstream
    /// Reads responses; its head is the present response's.
    var parser: ResponseParser
    /// Whom this connection serves; nil while idle.
    private var user: UpstreamUser?
    /// When it was dialled.
    let openedAt: Instant
    /// Requests served before the present one.
    private(set) var servedCount = 0
    /// `sentBytes` and `receivedBytes` when the present request began.
    private var sentBefore = 0
    private var receivedBefore = 0
    /// The reactor's turn in which the present request began.
    private var begunInTurn: UInt64 = 0
    /// Where this connection stands in the idle list, -1 for nowhere.
    var idleIndex = -1
    /// When it became idle.
    var idleSince = Instant(nanoseconds: 0)
    /// For how long it had been idle when it was taken for the present exchange.
    var restedNanoseconds: Int64 = 0
    /// Whether its end was reported before anything of the present exchange was written.
    private(set) var endedBeforeUse = false

    /// Heads of responses may be this long; model servers send short ones.
    static let headLimits = HeadLimits(maxHeadBytes: 64 * 1024, maxFields: 200)

    init(reactor: Reactor, transport: consuming Transport, upstream: Upstream) {
        self.upstream = upstream
        openedAt = reactor.now
        parser = ResponseParser(limits: UpstreamConnection.headLimits)
        super.init(reactor: reactor)
        open(transport)
        upstream.connectionOpened()
    }

    deinit { upstream.connectionClosed() }

    /// Bytes that were sent of the present request, and received of its response.
    var sentSinceBegun: Int { sentBytes - sentBefore }
    var receivedSinceBegun: Int { receivedBytes - receivedBefore }

    /// Begins to serve `user`, whose request has this method and may ask for a WebSocket.
    func begin(_ user: UpstreamUser, method: Method, mayBecomeWebSocket: Bool = false) {
        precondition(self.user == nil, "a connection serves one request at a time")
        self.user = user
        begunInTurn = reactor.turnNumber
        endedBeforeUse = false
        sentBefore = sentBytes
        receivedBefore = receivedBytes
        parser.begin(requestMethod: method, mayBecomeWebSocket: mayBecomeWebSocket)
    }

    /// Ends serving: back to the idle list when the connection can be used again, else closed.
    func end(reusable: Bool) {
        user = nil
        servedCount += 1
        reactor.setDeadline(of: self, to: .distantFuture)
        guard reusable, isOpen, !hasInput, !hasOutput, !peerClosed, !isBroken else {
            upstream.worker?.lose(self)
            close()
            return
        }
        releaseBuffers()
        upstream.release(self, now: reactor.now)
    }

    /// Its worker is lost: whoever it serves is told.
    func giveUp() { user?.upstreamLost() }

    /// Whether it serves somebody.
    var isInUse: Bool { user != nil }

    /// Goes on with the same response for another user.
    func changeUser(to next: UpstreamUser) { user = next }

    override func resume() { user?.upstreamReady() }

    override func ready(_ readiness: Readiness) {
        guard note(readiness) else { return }
        if let user {
            // Reported before this turn's request was written, so it is no response to that; unless it
            // was the rest of the response before, read in this turn too.
            if begunInTurn == reactor.turnNumber && receivedInTurn != begunInTurn
                && readiness.contains(.readable)
            {
                endedBeforeUse = !readiness.isDisjoint(with: .ended)
                user.upstreamSpokeTooEarly()
            }
            user.upstreamReady()
        } else if fill(highBytes: 1) > 0 || inputEnded || isBroken {
            // Nothing was asked, so whatever came is the end or nonsense. A TLS session may have
            // had something to tell that is neither.
            upstream.endedWhileIdle(self)
        } else {
            releaseBuffers()
        }
    }

    override func foreseesEnd(_ readiness: Readiness) {
        // The next request of this turn would take the connection that was used last.
        if idleIndex >= 0 { ready(readiness) }
    }

    override func deadlineReached() {
        if let user {
            user.upstreamDeadlineReached()
        } else if let worker = upstream.worker {
            worker.hasRestedLong(self)
        } else {
            upstream.removeIdle(self)
            close()
        }
    }
}
