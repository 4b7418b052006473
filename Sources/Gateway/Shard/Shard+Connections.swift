// The gateway's client connections: how many there may be, and what is noted when an exchange on
// one of them ends.

internal import Admission
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

extension Shard {
    /// Whether another client may be accepted, whichever reactor it comes to.
    var hasRoomForConnection: Bool {
        group.connectionCount < snapshot.policy.server.maxConnections
    }

    /// Takes room for another client, which is then accepted or given up.
    func reserveConnection() -> Bool {
        group.reserveConnection(most: snapshot.policy.server.maxConnections)
    }

    /// Accepts again where listeners wait for room.
    func resumeAccepting() {
        for listener in listeners { listener.resumeAccepting() }
    }

    /// Tells the other reactors whether listeners here wait for room.
    func noteAcceptPauses() {
        group.setWaitsForRoom(listeners.contains { $0.waitsForRoom }, at: index)
    }

    /// Takes in an accepted connection, or hands it to a reactor that has fewer.
    func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, _ tls: ServerTLS) {
        capWatch.noteAccepted()
        let network = peer.network(unlessAmong: snapshot.policy.forwarding.trustedProxies)
        let most = snapshot.networkBounds[.connections]
        guard network == 0 || group.networks.acquire(.connections, network, most: most) else {
            metrics.connectionsRejected &+= 1
            refusedNetwork(.connections, peer)
            group.releaseConnection(at: index)
            return
        }
        let chosen = group.assign(acceptedBy: index)
        guard chosen == index else {
            transfer(descriptor, peer: peer, network, tls, to: chosen)
            return
        }
        take(descriptor, peer: peer, network, tls)
    }

    private func transfer(
        _ descriptor: consuming Descriptor, peer: PeerAddress, _ network: UInt64, _ tls: ServerTLS,
        to other: Int
    ) {
        let transfer = Transfer(descriptor)
        let isTaken = group.send(to: other) { other in
            guard let descriptor = transfer.take() else { return }
            other.take(descriptor, peer: peer, network, tls)
        }
        guard !isTaken, let descriptor = transfer.take() else { return }
        group.moveConnection(from: other, to: index)
        take(descriptor, peer: peer, network, tls)
    }

    private func take(
        _ descriptor: consuming Descriptor, peer: PeerAddress, _ network: UInt64, _ tls: ServerTLS
    ) {
        if let credentials = tls.credentials {
            return shakeHands(over: descriptor, peer: peer, network, credentials, tls.tickets)
        }
        serve(
            ClientConnection(
                shard: self, transport: .plain(descriptor), peer: peer, network: network))
    }

    /// Begins to serve a connection for which room was taken.
    func serve(_ connection: ClientConnection) {
        guard !hasEnded, connection.start() else {
            metrics.connectionsRejected &+= 1
            connection.close()
            connection.leaveNetwork()
            leave()
            return
        }
        metrics.countConnectionAccepted()
        connections.insert(connection)
        connection.advance()
        // One that was handed over may come after the drain began.
        if isDraining { connection.drain() }
    }

    /// Gives up the place of a client connection.
    func leave() {
        group.connectionEnded(at: index)
        resumeAccepting()
        noteDrained()
    }

    /// Notes that a connection is closed; where accepting waited for room, it goes on.
    func connectionEnded(_ connection: ClientConnection) {
        if let lane = connection.lane { return lane.clientEnded() }
        connection.link?.ended(connection)
        guard connection.tableIndex >= 0 else { return }
        connections.remove(connection)
        connection.leaveNetwork()
        metrics.countConnectionClosed()
        leave()
    }

    /// Counts and logs an exchange that has ended.
    func finished(_ exchange: Exchange, _ client: ClientConnection) {
        // No copy of the record: it refers to what has to be counted then.
        let reason = exchange.record.reason
        let total = reactor.now.nanoseconds(since: exchange.record.startedAt)
        let received = UInt64(client.usedBytes - exchange.record.receivedBefore)
        let sent = UInt64(client.sentBytes - exchange.record.sentBefore)
        if let pool = exchange.pool {
            let metrics = pool.metrics
            if exchange.stage == .tunnelling { metrics.countTunnelEnded() }
            metrics.countEnded(
                status: exchange.outlet.status, reason: reason, totalNanoseconds: total,
                in: exchange.claim.classMetrics)
            metrics.clientReceivedBytes &+= received
            metrics.clientSentBytes &+= sent
            if let time = exchange.attempt.firstByteNanoseconds {
                metrics.observeFirstByte(nanoseconds: time)
                exchange.backendMetrics?.observeFirstByte(nanoseconds: time)
            }
        } else {
            metrics.countUnrouted(reason)
        }
        logAccess(exchange, client, totalNanoseconds: total, received: received, sent: sent)
        if let lane = client.lane { lane.finished(reason, requestID: exchange.requestID) }
    }

    private func logAccess(
        _ exchange: Exchange, _ client: ClientConnection, totalNanoseconds: Int64, received: UInt64,
        sent: UInt64
    ) {
        guard logsAccess else { return }
        let record = exchange.record
        let attempt = exchange.attempt
        var line = AccessRecord(
            wallNanoseconds: ProcessClock.wallNanoseconds(), status: exchange.outlet.status,
            reason: record.reason)
        line.withheld = record.withheld
        line.pool = exchange.pool?.metrics
        line.backend = exchange.backendMetrics
        line.formerBackends = record.formerBackends
        line.hasFallenBack = exchange.hasFallenBack
        line.hasSpilled = exchange.spread.hasSpilled
        let claim = exchange.claim
        line.priorityClass = claim.classMetrics
        line.model = claim.model
        line.usage = claim.tokens(attempt)
        switch claim.tenant {
        case .anonymous: break
        case .named: line.tenant = claim.tenantName
        case .hashed(let hash): line.tenantHash = hash
        }
        line.totalNanoseconds = totalNanoseconds
        line.bytesIn = received
        line.bytesOut = sent
        line.attempts = record.attempts
        line.reused = attempt.isReused
        if attempt.wasGranted {
            line.queueNanoseconds = record.queueNanoseconds
            line.connectNanoseconds = attempt.connectNanoseconds
            line.firstByteNanoseconds = attempt.firstByteNanoseconds
        }
        // A head that could not be parsed has no ranges to log.
        if exchange.intake.isHeadComplete {
            write(line, exchange.requestID, exchange.intake.head, client.peer)
        } else {
            write(line, [], RequestHead(), client.peer)
        }
    }

    /// Writes a line of the access log about a request with that head.
    func write(
        _ line: borrowing AccessRecord, _ requestID: borrowing [UInt8],
        _ head: borrowing RequestHead, _ peer: borrowing PeerAddress
    ) {
        accessLog?.log(
            line, requestID: requestID.span, client: peer.bytes,
            method: head.span(head.methodRange), path: head.span(head.path),
            host: head.span(head.authority ?? 0..<0))
    }
}
