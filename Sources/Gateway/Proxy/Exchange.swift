// One request and its response, from the first byte of the head to the last byte of the response.
//
// An exchange decides what comes next; four parts hold what there is to know, each with its state to
// itself: the `intake` (the request as the client sends it), the `claim` (what it asks of its pool, in
// whose name), the `attempt` (one try at one backend) and the `outlet` (the response as the client gets
// it). None of them knows the exchange; each tells what it found, and the exchange acts on it.
//
// Life: acquired by a client connection when bytes arrive; reads the head; is offered to the pool's
// admission controller and then parked, refused or granted a permit; goes on over a connection to the
// backend that the permit names; relays the body one way and the response the other; spends the permit
// when the backend is done; and is released when the client has the last byte. Whatever goes wrong ends
// in `reply` (nothing was sent yet) or `cut` (something was), and in `finish`, which happens exactly once.
//
// This file has the state and the way through the stages; the extensions have what happens in each.

internal import Admission
internal import HTTP1
internal import Inference
internal import Reactor
internal import Telemetry

/// A request and its response.
final class Exchange: UpstreamUser {
    let shard: Shard
    /// Index in the shard's table, and how many exchanges had it before.
    let slot: Int
    private(set) var generation: UInt32 = 0
    /// The next one in the shard's list of those that are free, -1 for none.
    var nextFreeSlot = -1

    let intake: RequestIntake
    let claim = Claim()
    let attempt = Attempt()
    let outlet: ResponseOutlet

    /// Where it stands; `move` takes it further.
    private(set) var stage = ExchangeStage.readingHead
    private(set) var client: ClientConnection?
    /// Whether the client speaks TLS.
    private(set) var isSecured = false
    /// What was in force when the head was complete; later reloads do not touch this exchange.
    var snapshot: Snapshot
    var pool: Pool?
    /// Index of the route that was taken, -1 before.
    var routeIndex = -1
    /// What its route says about it; nil for nothing.
    var rules: RouteRules?
    /// Where it goes besides, or instead.
    var spread = Spread()
    /// What its prompt begins with, where its pool looks for that.
    var prompt: PrefixKeys?

    /// What has become of a request whose route has a split or a mirror; nothing for others.
    struct Spread {
        /// Parts of the split that the request was sent to, a bit for each.
        var triedParts: UInt32 = 0
        /// Whether it has left the pool that the split had chosen for another one of it.
        var hasSpilled = false
        /// Whether it is still to be decided about a copy.
        var mayBeCopied = false
    }

    /// Whether the request was sent to the route's other pool.
    var hasFallenBack = false
    /// Whether the request asks for a WebSocket, and may have one.
    var asksForTunnel = false
    /// The tunnel that the connection has become.
    var tunnel: Tunnel?
    /// The many requests that it stands for.
    var bulk: BulkRun?
    /// The pace of its bodies, in a pool with rates of bytes.
    var pacing: Pacing?
    var parkedHandle: ParkedHandle?
    /// The facts that the log and the metrics get.
    var record = ExchangeRecord()
    /// `x-request-id`, as it came or as it was made; of another request while the head is not complete.
    var requestID: [UInt8] = []

    init(shard: Shard, slot: Int, snapshot: Snapshot) {
        self.shard = shard
        self.slot = slot
        self.snapshot = snapshot
        let memory = shard.bodyMemory
        intake = RequestIntake(snapshot, buffers: shard.reactor.buffers, memory: memory)
        outlet = ResponseOutlet(memory: memory)
    }

    /// How the admission controller names this exchange.
    var id: RequestID {
        RequestID(reactor: shard.index, slot: slot, generation: generation)
    }

    var now: Instant { shard.reactor.now }

    /// Takes the exchange to its next stage; one that does not follow from the present one traps.
    func move(to next: ExchangeStage) {
        precondition(stage.leads(to: next), "an exchange goes where it cannot go")
        stage = next
    }

    /// Begins with the first bytes that `client` received.
    func begin(for client: ClientConnection, snapshot: Snapshot) {
        self.client = client
        isSecured = client.security != nil
        if self.snapshot !== snapshot { self.snapshot = snapshot }
        intake.begin(snapshot)
        record = ExchangeRecord()
        record.startedAt = now
        record.receivedBefore = client.usedBytes
        record.sentBefore = client.sentBytes
    }

    /// The counters of the last backend that was tried.
    @inline(__always) var backendMetrics: BackendMetrics? { record.lastBackend }

    /// Forgets everything but the storage.
    func reset() {
        generation &+= 1
        stage = .readingHead
        client = nil
        // First the claim: then the reader alone has the name's storage, and empties it without a new one.
        claim.reset()
        intake.reset()
        attempt.reset()
        if prompt != nil { prompt = nil }
        outlet.reset()
        pool = nil
        routeIndex = -1
        if rules != nil { rules = nil }
        spread = Spread()
        hasFallenBack = false
        asksForTunnel = false
        tunnel = nil
        if let pacing {
            pacing.end(now: now)
            self.pacing = nil
        }
        if let bulk {
            shard.bulkRuns.remove(bulk)
            bulk.leave()
            self.bulk = nil
        }
        parkedHandle = nil
    }

    // MARK: What its backend's connection tells

    /// On a reused connection that is like any close in the moment of reuse.
    override func upstreamSpokeTooEarly() { upstreamFailed(.upstreamClosed) }

    override func upstreamReady() { client?.advance() }

    override func upstreamLost() {
        let client = client
        if stage == .tunnelling { endTunnel(.workerLost) } else { upstreamFailed(.upstreamClosed) }
        client?.advance()
    }

    override func upstreamDeadlineReached() {
        if let pacing, pacing.isDeadlineOurs {
            client?.advance()
        } else {
            backendTimedOut()
        }
    }

    // MARK: Relaying

    /// Moves what can be moved for `client`, whose exchange this is.
    ///
    /// Returns whether anything was.
    func relay(for client: ClientConnection) -> Bool {
        switch stage {
        case .readingHead: false
        // Comments, and the response that they have begun.
        case .parked, .dialling: flush(client)
        case .readingBody: readBody()
        case .forwarding: relayBothWays(client)
        case .delivering: deliver(to: client)
        case .tunnelling: relayTunnel()
        case .bulk: relayBulk()
        }
    }

    /// Returns whether another round could move more.
    ///
    /// What is read is moved until nothing is left to read; so more can be done now only where an
    /// output had been full, the client was found to have left, or another stage or backend has come.
    private func relayBothWays(_ client: ClientConnection) -> Bool {
        guard let upstream = attempt.connection else { return flush(client) }
        var goesOn = false
        let awaitedGrant = attempt.awaitsGrant
        if !intake.isComplete, !awaitedGrant {
            goesOn = relayRequest(from: client, to: upstream)
        }
        if stage == .forwarding {
            if intake.sent.isKept { intake.sent.keep(from: upstream) }
            if pacing?.maySend(now: now) != false, upstream.flush() > 0 {
                attempt.noteProgress(now: now)
                goesOn = goesOn || !intake.isComplete
            }
            relayResponse(from: upstream, to: client)
            if intake.sent.isKept { settleSent(on: upstream) }
        }
        let madeRoom = flush(client) && outlet.isPaused
        // What was kept back is handed over, and not sent yet.
        if awaitedGrant, !attempt.awaitsGrant { goesOn = true }
        if goesOn || madeRoom || client.isBroken { return true }
        return stage != .forwarding || upstream !== attempt.connection
    }

    /// Sends what is left, throws away what is left of the request's body, and finishes when both
    /// are done.
    private func deliver(to client: ClientConnection) -> Bool {
        let moved = flush(client)
        guard client.isOpen, !client.hasOutput else { return moved }
        if !intake.isComplete && intake.isDiscarding {
            if discardRequest(from: client) { return true }
            if !intake.isComplete && outlet.keepsClient { return moved }
        }
        finish(client)
        return true
    }

    private func flush(_ client: ClientConnection) -> Bool {
        guard client.isOpen, client.flush() > 0 else { return false }
        client.writeProgress.moved(now: now)
        if !client.hasOutput { outlet.releaseAhead() }
        return true
    }
}
