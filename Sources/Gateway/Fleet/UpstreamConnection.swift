// A connection to a backend. It belongs to one exchange at a time, and to its upstream's idle list
// in between.

internal import Admission
internal import HTTP1
internal import Reactor

/// An established connection to a backend.
final class UpstreamConnection: StreamConnection {
    let upstream: Upstream
    /// Reads responses; its head is the present response's.
    var parser: ResponseParser
    /// The exchange this connection serves; nil while idle.
    var exchange: Exchange?
    /// What reads its response when the client has left.
    private var abandoned: AbandonedResponse?
    /// Exchanges served before the present one.
    private(set) var servedCount = 0
    /// `sentBytes` and `receivedBytes` when the present exchange began.
    private(set) var sentBefore = 0
    private(set) var receivedBefore = 0
    /// The reactor's turn in which the present exchange began.
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
        parser = ResponseParser(limits: UpstreamConnection.headLimits)
        super.init(reactor: reactor)
        open(transport)
        upstream.connectionOpened()
    }

    deinit { upstream.connectionClosed() }

    /// Begins to serve `exchange`, whose request has this method and may ask for a WebSocket.
    func begin(_ exchange: Exchange, method: Method, mayBecomeWebSocket: Bool = false) {
        precondition(self.exchange == nil, "a connection serves one exchange at a time")
        self.exchange = exchange
        begunInTurn = reactor.turnNumber
        endedBeforeUse = false
        sentBefore = sentBytes
        receivedBefore = receivedBytes
        parser.begin(requestMethod: method, mayBecomeWebSocket: mayBecomeWebSocket)
    }

    /// Ends serving: back to the idle list when the connection can be used again, else closed.
    func end(reusable: Bool) {
        exchange = nil
        servedCount += 1
        reactor.setDeadline(of: self, to: .distantFuture)
        guard reusable, isOpen, !hasInput, !hasOutput, !peerClosed, !isBroken else {
            close()
            return
        }
        releaseBuffers()
        upstream.release(self, now: reactor.now)
    }

    /// Goes on for a client that has left.
    func abandon(to rest: AbandonedResponse) {
        exchange = nil
        abandoned = rest
    }

    /// The response of a client that has left is over.
    func endAbandoned(reusable: Bool) {
        abandoned = nil
        end(reusable: reusable)
    }

    override func resume() { abandoned?.advance() }

    override func ready(_ readiness: Readiness) {
        guard note(readiness) else { return }
        if let abandoned {
            abandoned.advance()
            return
        }
        if let exchange {
            // Reported before this turn's request was written, so it is no response to that; unless it
            // was the rest of the response before, read in this turn too.
            if begunInTurn == reactor.turnNumber && receivedInTurn != begunInTurn
                && readiness.contains(.readable)
            {
                endedBeforeUse = !readiness.isDisjoint(with: .ended)
                exchange.upstreamSpokeTooEarly()
            }
            exchange.client?.advance()
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
        if let abandoned {
            abandoned.timedOut()
        } else if let exchange {
            exchange.upstreamDeadlineReached()
        } else {
            upstream.removeIdle(self)
            close()
        }
    }
}
