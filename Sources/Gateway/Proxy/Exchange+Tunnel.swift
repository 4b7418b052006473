// The exchange of a request that became a tunnel. The permit is held throughout, and takes a slot of the
// limit only while there is something to work at: from the client's first byte on, until nothing has
// passed for a second. It ends with either side, when nothing passes for too long, or when the gateway has
// drained.

internal import Admission
internal import HTTP1
internal import Reactor
internal import Telemetry

extension Exchange {
    /// The backend has agreed: passes its response on and turns the connection into a tunnel.
    func beginTunnel(_ client: ClientConnection, _ upstream: UpstreamConnection) {
        let status = upstream.parser.head.status
        attempt.noteSwitch(status: status, now: now)
        outlet.begin(status: status)
        outlet.endClient()
        move(to: .tunnelling)
        tunnel = Tunnel(now: now)
        pool?.metrics.countTunnelOpened()
        // A client that knows of its tunnel finds the slot free that the handshake had.
        settleAwaited(for: client)
        let seen = ResponseRewriter(exchange: self).appendSwitch(
            upstream.parser.head, to: &client.output)
        if seen.overlaps(snapshot.headTexts.signals) { heedSignals(upstream.parser.head) }
    }

    /// Moves bytes both ways.
    ///
    /// Returns whether anything moved.
    func relayTunnel() -> Bool {
        guard let client, let tunnel, let upstream = attempt.connection else { return false }
        let moved = tunnel.pass(client, upstream, snapshot, now: now)
        if client.flush() > 0 { client.writeProgress.moved(now: now) }
        if upstream.isBroken {
            endTunnel(.upstreamClosed)
            return true
        }
        if tunnel.hasEnded(client, upstream) {
            endTunnel(.none)
            return true
        }
        return moved
    }

    /// Whether the tunnel takes nothing from the engine.
    var isTunnelQuiet: Bool { tunnel?.isQuiet(now: now) ?? true }

    /// Ends the tunnel: gives the permit back and lets the client read what it has been sent.
    func endTunnel(_ reason: Reason) {
        guard let client else { return }
        record.reason = reason
        abandonUpstream()
        shard.finished(self, client)
        shard.release(self)
        client.exchangeFinished(keeps: false, lingers: true)
    }

    /// Sets the tunnel's time-out after each round: when it is quiet, if it is not yet, and then when it
    /// has been quiet for too long.
    func settleTunnel() {
        guard let tunnel, let upstream = attempt.connection else { return }
        var at = tunnel.end(idleNanoseconds: tunnelIdleNanoseconds)
        if attempt.awaited == .nobody { at = min(at, tunnel.quietAt) }
        shard.reactor.setDeadline(of: upstream, to: at)
        upstream.releaseBuffers()
    }

    /// The time-out that `settleTunnel` has set.
    func tunnelDeadlineReached() {
        let client = client
        if let tunnel, now >= tunnel.end(idleNanoseconds: tunnelIdleNanoseconds) {
            endTunnel(.tunnelIdleTimeout)
        }
        // After an end the exchange has gone; its connection lingers, for as long as it says now.
        client?.advance()
    }

    /// `timeouts.tunnel_idle` of the request's route or pool.
    private var tunnelIdleNanoseconds: Int64 {
        pool.map { ownTimeouts(in: $0).tunnelIdleNanoseconds } ?? 0
    }
}
