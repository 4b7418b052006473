// A WebSocket's life after the handshake: bytes both ways below the water marks, until either side
// ends, nothing passes for too long, or the gateway has drained. The permit is held throughout, and
// takes a place of the limit only while there is something to work at: from the client's first byte
// on, until nothing has passed for a second.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor
internal import Telemetry

extension Exchange {
    /// The backend has agreed: passes its response on and turns the connection into a tunnel.
    func beginTunnel(_ client: ClientConnection, _ upstream: UpstreamConnection) {
        isResponseBegun = true
        record.status = upstream.parser.head.status
        record.backendStatus = record.status
        record.answeredAt = now
        record.upstreamProgressAt = now
        keepsClient = false
        move(to: .tunnelling)
        isRequestPaused = false
        isResponsePaused = false
        pool?.metrics.countTunnelOpened()
        // A client that knows of its tunnel finds the place free that the handshake had.
        settleAwaited(for: client)
        ResponseRewriter(exchange: self).appendSwitch(upstream.parser.head, to: &client.output)
    }

    /// Moves bytes both ways.
    ///
    /// Returns whether anything moved.
    func relayTunnel() -> Bool {
        guard let client, let upstream else { return false }
        let fromClient = pass(from: client, to: upstream, isPaused: &isRequestPaused)
        let fromBackend = pass(from: upstream, to: client, isPaused: &isResponsePaused)
        if fromClient { record.hasSpokenInTunnel = true }
        if client.flush() > 0 { client.writeProgress.moved(now: now) }
        let moved = fromClient || fromBackend
        if moved { record.upstreamProgressAt = now }
        if upstream.isBroken {
            endTunnel(.upstreamClosed)
            return true
        }
        if hasEnded(client, towards: upstream) || hasEnded(upstream, towards: client) {
            endTunnel(.none)
            return true
        }
        return moved
    }

    /// Whether `source` has closed and all that it sent has been passed on: a WebSocket has no
    /// half-closed state, so the other direction ends with it (RFC 6455 section 7.1.1).
    private func hasEnded(_ source: StreamConnection, towards target: StreamConnection) -> Bool {
        source.inputEnded && source.input.isEmpty && target.output.isEmpty
    }

    /// Moves what is there from one connection to the other; stops at the high mark and goes on
    /// below the low one.
    private func pass(
        from source: StreamConnection, to target: StreamConnection, isPaused: inout Bool
    ) -> Bool {
        var moved = target.flush() > 0
        if isPaused && target.output.count > snapshot.bufferLowBytes { return moved }
        isPaused = false
        while target.output.count < snapshot.bufferHighBytes {
            let room = snapshot.bufferHighBytes - target.output.count
            if source.input.isEmpty, source.fill(highBytes: room) == 0 { break }
            target.prepareOutput()
            let count = min(room, source.input.count)
            target.output.append(0..<count, of: source.input)
            source.input.drop(count)
            moved = true
            if target.flush() == 0 && !target.output.isEmpty { break }
        }
        isPaused = target.output.count >= snapshot.bufferHighBytes
        return moved
    }

    /// Ends the tunnel: gives the permit back and lets the client read what it has been sent.
    func endTunnel(_ reason: Reason) {
        guard let client else { return }
        record.reason = reason
        abandonUpstream()
        finishTunnel(client)
    }

    private func finishTunnel(_ client: ClientConnection) {
        shard.finished(self, client)
        shard.release(self)
        client.exchangeFinished(keeps: false, lingers: true)
    }

    /// Sets the tunnel's time-out after each round: when it is quiet, if it is not yet, and then when it
    /// has been quiet for too long.
    func settleTunnel() {
        guard let upstream else { return }
        var at = tunnelEnd
        if permit?.awaited == .nobody {
            at = min(
                at, record.upstreamProgressAt.advanced(byNanoseconds: Exchange.quietNanoseconds))
        }
        shard.reactor.setDeadline(of: upstream, to: at)
        upstream.releaseBuffers()
    }

    /// The time-out that `settleTunnel` has set.
    func tunnelDeadlineReached() {
        let client = client
        if now >= tunnelEnd { endTunnel(.tunnelIdleTimeout) }
        // After an end the exchange has gone; its connection lingers, for as long as it says now.
        client?.advance()
    }

    /// When the tunnel ends if nothing passes any more.
    private var tunnelEnd: Instant {
        record.upstreamProgressAt.advanced(
            byNanoseconds: pool?.timeouts.tunnelIdleNanoseconds ?? 0)
    }
}
