// One request and its response, from the first byte of the head to the last byte of the response.
//
// Life: lent to a client connection when bytes arrive; reads the head; is offered to the pool's
// admission controller and then parked, refused or granted a permit; borrows a connection to the
// backend that the permit names, or dials one; relays the body one way and the response the other;
// spends the permit when the backend is done; and goes back to the gateway's store when the client
// has the last byte. Whatever goes wrong ends in `answer` (nothing was sent yet) or `cut`
// (something was), and in `finish`, which happens exactly once.
//
// This file holds the state and the way through the stages; the extensions hold what happens in
// each.

internal import Admission
internal import HTTP1
internal import Inference
internal import Reactor
internal import Telemetry

/// A request and its response.
final class Exchange {
    let shard: Shard
    /// The exchange's place in the gateway's table, and how many exchanges had this place before.
    let place: Int
    private(set) var generation: UInt32 = 0

    /// Where it stands; `move` takes it further.
    private(set) var stage = ExchangeStage.readingHead
    var client: ClientConnection?
    var parser: RequestParser
    /// The request's head, once it is complete; before, that of some other request.
    private(set) var head = RequestHead()
    /// Whether the parser has read another request and was not reset since: it is borrowed once for
    /// both.
    private var parserIsUsed = false
    /// What the parser has its limits from.
    private var limitsSnapshot: Snapshot
    /// What was in force when the head was complete; later reloads do not touch this exchange.
    var snapshot: Snapshot
    var pool: Pool?
    /// Index of the route that was taken, -1 before.
    var routeIndex = -1
    /// Whether the request was sent to the route's other pool.
    var hasFallenBack = false
    /// The body, of a request that is routed by model or waits for the rest of it.
    var body: RequestBody?
    /// What was sent of the body on a connection that may turn out to be at its end.
    var keptBody: KeptBody?
    /// Whether that is all that was sent of it.
    var keepsBody = false
    /// What follows the response, of a dialect whose answers are read.
    var responseReader: ResponseReader?
    /// The counters of the request's model, and those of its model, class and tenant.
    var modelMetrics: ModelMetrics?
    var traffic: TrafficMetrics?
    /// The model's own name; empty where none was read.
    var model: [UInt8] = []
    /// Whether the backend is told another name than the client said.
    var isModelReplaced = false
    /// Where the path names the model, in the head's bytes.
    var modelPathRange: Range<Int>?
    /// Whether the client was told to send its body.
    var hasAskedForBody = false
    /// The counters of the priority class that the request was offered in.
    var classMetrics: ClassMetrics?
    /// How errors are written for this client.
    var dialect = Dialect.plain
    /// Whose request it is.
    var tenant = TenantID.anonymous
    /// Until when its client wants the response to begin, and to end.
    var deadline = Instant.distantFuture
    var answerDeadline = Instant.distantFuture
    var permit: Permit?
    var parkedHandle: ParkedHandle?
    var dial: Dial?
    var upstream: UpstreamConnection?

    /// Whether the head was parsed, so that its ranges mean something.
    var isHeadComplete = false
    /// Whether the request's last byte has been read.
    var isRequestComplete = false
    /// Whether the final response's head is in the client's output.
    var isResponseBegun = false
    /// Whether the client's connection can carry another request after this response.
    var keepsClient = false
    /// How the response's body is framed towards the client.
    var responseFraming = BodyFraming.none
    /// Whether the request body is read only to be thrown away.
    var isDiscarding = false
    /// Whether reading one side waits for the other side's output to sink to the low mark.
    var isRequestPaused = false
    var isResponsePaused = false
    /// What the client's output may hold of a response that is taken ahead of it; 0 for the usual.
    var aheadBytes = 0
    /// Whether all bytes of the response that were read have been looked at.
    var responseNeedsMore = true
    /// Whether the request asks for a WebSocket, and may have one.
    var asksForTunnel = false
    /// Interim responses passed on.
    var interimResponses = 0
    /// Whether the client has been told that a stream comes which has not begun.
    var isStreamPromised = false
    /// When a comment is due that keeps the client waiting; never where none are wanted.
    var keepAliveAt = Instant.distantFuture

    /// The facts that the log and the metrics get.
    var record = ExchangeRecord()
    /// `x-request-id`, as it came or as it was made; of another request while the head is not complete.
    var requestID: [UInt8] = []
    /// The place of the next one in the gateway's list of those that are free, -1 for none.
    var nextFreePlace = -1

    init(shard: Shard, place: Int, snapshot: Snapshot) {
        self.shard = shard
        self.place = place
        self.snapshot = snapshot
        limitsSnapshot = snapshot
        parser = RequestParser(limits: snapshot.headLimits)
    }

    /// How the admission controller names this exchange.
    var id: RequestID {
        RequestID(reactor: shard.index, place: place, generation: generation)
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
        if self.snapshot !== snapshot { self.snapshot = snapshot }
        record = ExchangeRecord()
        record.startedAt = now
        tenant = .anonymous
        deadline = .distantFuture
        answerDeadline = .distantFuture
        record.receivedBefore = client.usedBytes
        record.sentBefore = client.sentBytes
        if limitsSnapshot !== snapshot {
            limitsSnapshot = snapshot
            parser = RequestParser(limits: snapshot.headLimits)
        }
    }

    /// The counters of the last backend that was tried.
    var backendMetrics: BackendMetrics? {
        guard let pool, let backend = record.backend else { return nil }
        return pool.upstream(backend)?.metrics
    }

    /// Forgets everything but the storage.
    func reset() {
        precondition(permit == nil, "an exchange ended and kept its permit")
        generation &+= 1
        stage = .readingHead
        client = nil
        pool = nil
        routeIndex = -1
        hasFallenBack = false
        dropHeld()
        if keepsBody { dropKept() }
        body?.reset()
        responseReader?.reset()
        modelMetrics = nil
        traffic = nil
        model = []
        isModelReplaced = false
        modelPathRange = nil
        hasAskedForBody = false
        classMetrics = nil
        dialect = .plain
        parkedHandle = nil
        dial = nil
        upstream = nil
        isHeadComplete = false
        isRequestComplete = false
        isResponseBegun = false
        keepsClient = false
        responseFraming = .none
        isDiscarding = false
        isRequestPaused = false
        isResponsePaused = false
        releaseAhead()
        responseNeedsMore = true
        asksForTunnel = false
        interimResponses = 0
        isStreamPromised = false
        keepAliveAt = .distantFuture
        parserIsUsed = true
    }

    /// Looks for the end of the head in what the client has sent.
    ///
    /// Returns the parser's event; from `.head` on the head is complete.
    func readHead(_ client: ClientConnection) throws(ParseError) -> ParserEvent {
        let isUsed = parserIsUsed
        parserIsUsed = false
        let event = try parser.next(
            in: client.input, afterReset: isUsed, givingHeadFor: &head)
        if case .head = event { isHeadComplete = true }
        return event
    }

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
        }
    }

    /// Returns whether another round could move more.
    ///
    /// What is read is moved until nothing is left to read; so more can be done now only where an
    /// output had been full, the client was found to have left, or another stage or backend has come.
    private func relayBothWays(_ client: ClientConnection) -> Bool {
        guard let upstream else { return flush(client) }
        var goesOn = false
        if !isRequestComplete { goesOn = relayRequest(from: client, to: upstream) }
        if stage == .forwarding {
            if keepsBody { keepSent(on: upstream) }
            if upstream.flush() > 0 {
                record.upstreamProgressAt = now
                goesOn = goesOn || !isRequestComplete
            }
            relayResponse(from: upstream, to: client)
            if keepsBody { settleKept(of: upstream) }
        }
        let madeRoom = flush(client) && isResponsePaused
        if goesOn || madeRoom || client.isBroken { return true }
        return stage != .forwarding || upstream !== self.upstream
    }

    /// Sends what is left, throws away what is left of the request's body, and finishes when both
    /// are done.
    private func deliver(to client: ClientConnection) -> Bool {
        let moved = flush(client)
        guard client.isOpen, !client.hasOutput else { return moved }
        if !isRequestComplete && isDiscarding {
            if discardRequest() { return true }
            if !isRequestComplete && keepsClient { return moved }
        }
        finish(client)
        return true
    }

    private func flush(_ client: ClientConnection) -> Bool {
        guard client.isOpen, client.flush() > 0 else { return false }
        client.writeProgress.moved(now: now)
        if aheadBytes > 0, !client.hasOutput { releaseAhead() }
        return true
    }
}
