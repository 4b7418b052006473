// A shard: one reactor with everything that lives in it, on a thread of its own. The shards of a gateway
// share their pools' admission and what is in `ReactorGroup`; everything else goes by message, between
// them and to and from the thread that controls them.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

/// What one reactor of a gateway owns.
final class Shard {
    /// The loop that everything here lives in.
    let reactor: Reactor
    /// All reactors, and which of them this is.
    let group: ReactorGroup
    let index: Int
    /// Whether this reactor has let everything go.
    private(set) var hasEnded = false
    /// What is counted of it as a whole.
    let metrics = GatewayMetrics()
    let dialler: Dialler
    let logger: Logger
    /// Whether decisions are written to the log: its level.
    private(set) var explains: Bool
    /// Responses that are no pool's.
    let replies = ReplyCache()
    /// The policy in force.
    var snapshot: Snapshot
    /// All pools that still have something to do, those of former policies included.
    var pools: [Pool]
    var listeners: [Listener] = []
    /// Whether `drain` was called.
    var isDraining = false
    /// Whether it will drain soon.
    var isLeaving = false
    /// When it was.
    var drainBeganAt = Instant.distantFuture
    /// How long, while the gateway drains, a connection is open for a request that its client may be
    /// sending at this moment: the way there and a scheduler's whim.
    var farewellNanoseconds: Int64 = 1_000_000_000
    /// Whether the controlling thread knows that nobody is accepted any more.
    var hasStoppedAccepting = false

    var connections = IndexedTable<ClientConnection>()
    /// Clients that are not served yet, and how fast their handshakes go on.
    var handshakes = ClientHandshakes()
    let handshakePace = HandshakePace()
    /// Responses that are read to their ends although their clients have left.
    var abandonedResponses = IndexedTable<AbandonedResponse>()
    /// Copies of requests that are under way.
    var mirrors = MirroredRequests()
    /// Bulk requests that are being answered.
    var bulkRuns = IndexedTable<BulkRun>()
    /// Who asks without a client's socket.
    var lanes = IndexedTable<Lane>()
    /// Who asks for what topics have, by their numbers.
    var topics: [Int: TopicLane] = [:]
    private var exchanges: [Exchange] = []
    /// The place of the first of those that are free, -1 for none, and how many they are.
    private var firstFreeSlot = -1
    private var freeCount = 0
    private var random: SplitMix64
    /// What tenants that no policy names are hashed with, for as long as the gateway runs.
    let hashKey: HashKey
    private var dates = DateWriter()
    var accessLog: AccessLog?
    /// Whether there is one.
    private(set) var logsAccess = false
    /// What bodies have in memory beside the usual buffers.
    let bodyMemory = BodyMemory()
    /// Reads what prompts begin with, of one request after another.
    var promptReader = PromptReader()
    /// Requests that have a permit and wait for their clients.
    var clientWaits = ClientWaits()
    /// What has become of the connection cap.
    var capWatch = CapWatch()
    /// What it takes of other gateways as their worker; nil where it is nobody's.
    var credits: Credits?
    /// Where requests and workers' connections find each other.
    let workers: ShardDesk
    var workerSweep: WorkerSweep?

    /// Makes a shard, on its thread.
    init(_ assignment: Assignment) throws(SystemError) {
        let policy = assignment.policy
        let reactor = try Reactor()
        self.reactor = reactor
        group = assignment.group
        index = assignment.index
        hashKey = assignment.hashKey
        logger = assignment.logger
        explains = assignment.logger.logLevel <= .debug
        dialler = Dialler(reactor: reactor)
        var random = SplitMix64(seed: assignment.seed)
        let number = Pool.ShardNumber(index: assignment.index, count: assignment.group.count)
        let desk = ShardDesk(assignment.group, index: assignment.index, reactor: reactor)
        workers = desk
        pools = assignment.admissions.map { admission in
            Pool(admission, reactor: reactor, shard: number, desk: desk)
        }
        snapshot = Snapshot(policy, pools: pools)
        if let accessWriter = assignment.accessWriter {
            logsAccess = true
            accessLog = AccessLog(writer: accessWriter, settings: policy.log, seed: random.next())
        }
        self.random = random
        for pool in pools { pool.admission.noteMoves(explains) }
        desk.shard = self
        reactor.turnEnded = { [unowned self] in turnEnded() }
        try group.deliver(to: index, self)
    }

    /// Takes over the logs of a reloaded policy: `access` is the access log's writer, nil where it is
    /// off.
    func takeOver(_ settings: LogSettings, access: LogWriter?) {
        if let access {
            if accessLog == nil {
                accessLog = AccessLog(writer: access, settings: settings, seed: drawSeed())
            }
            accessLog?.move(to: access)
            accessLog?.apply(settings)
        } else {
            accessLog = nil
        }
        logsAccess = access != nil
    }

    /// Takes over the level of the log, which decides whether decisions are written to it.
    func followLogLevel() {
        explains = logger.logLevel <= .debug
        for pool in pools { pool.admission.noteMoves(explains) }
    }

    /// Runs until it is told to stop.
    func run() {
        reactor.run()
        letGo()
    }

    /// Closes what is left open and unties what refers back to the gateway, so that nothing outlives it.
    func letGo() {
        hasEnded = true
        for listener in listeners { listener.close() }
        listeners.removeAll()
        giveUpHandshakes()
        topics.removeAll()
        for lane in lanes.all { lane.cancel() }
        credits?.stop()
        workerSweep?.stop()
        workerSweep = nil
        for connection in connections.all { connection.abort() }
        // Its connections have told it of their ends.
        credits = nil
        for response in abandonedResponses.all { response.giveUp() }
        for request in mirrors.all { request.giveUp() }
        for pool in pools { pool.retire() }
        // Messages that are still there may hold permits.
        group.close(index, self)
        exchanges = []
        firstFreeSlot = -1
        freeCount = 0
        reactor.turnEnded = nil
        workers.shard = nil
    }

    // MARK: Turns

    /// Lets the pools decide about their parked requests; answers when they want to be asked again.
    private func turnEnded() -> Instant {
        endCrowds()
        if mirrors.hasWaiting {
            for request in mirrors.takeWaiting() { request.begin() }
        }
        var next = Instant.distantFuture
        var isRepeated = true
        while isRepeated {
            isRepeated = false
            if workers.dueAt <= reactor.now { workers.settle() }
            next = workers.dueAt
            for pool in pools {
                var deadline = pool.nextDeadline
                if deadline <= reactor.now {
                    while let decision = pool.poll() {
                        apply(decision, pool)
                        isRepeated = true
                    }
                    if pool.admission.hasDoubts {
                        tellDoubts(pool)
                        tellSignals(pool)
                    }
                    deadline = pool.nextDeadline
                }
                if deadline < next { next = deadline }
            }
            if workers.dueAt <= reactor.now { isRepeated = true }
        }
        if explains { for pool in pools { explainMoves(pool) } }
        return forgetRetiredPools() ? reactor.now : next
    }

    private func apply(_ decision: consuming Decision, _ pool: Pool) {
        guard decision.id.reactor == index else {
            transfer(decision, pool)
            return
        }
        guard let exchange = openExchange(decision.id) else {
            preconditionFailure("a decision for an exchange that has ended")
        }
        carryOut(decision, exchange)
    }

    /// Does with a parked exchange what was decided about it.
    func carryOut(_ decision: consuming Decision, _ exchange: Exchange) {
        switch consume decision {
        case .forward(_, let permit):
            // A request that comes back from a failed dial was counted when it was first granted.
            if exchange.record.attempts == 0 {
                exchange.pool?.metrics.countForwarded(
                    afterNanoseconds: reactor.now.nanoseconds(since: exchange.record.waitBeganAt),
                    in: exchange.claim.classMetrics)
            }
            exchange.granted(permit)
        case .reject(_, let rejection):
            exchange.refused(rejection)
        }
        exchange.client?.advance()
    }

    /// The exchange of that name, unless it has ended.
    func openExchange(_ id: RequestID) -> Exchange? {
        guard id.slot < exchanges.count else { return nil }
        let exchange = exchanges[id.slot]
        return exchange.id == id ? exchange : nil
    }

    /// Forgets pools that the policy has no more and that have nothing to do; whether another one has
    /// to look at parked requests for them.
    private func forgetRetiredPools() -> Bool {
        guard pools.count > snapshot.pools.count else { return false }
        var kept = pools
        var heirs: [Pool] = []
        kept.removeAll { pool in
            guard pool.isRetired else { return false }
            let heir = snapshot.pools.first { $0.admission === pool.admission }
            guard heir == nil ? pool.admission.isIdle : isUnused(pool) else { return false }
            pool.admission.leave(index)
            if let heir { heirs.append(heir) }
            return true
        }
        pools = kept
        for heir in heirs { heir.lookAgain() }
        return !heirs.isEmpty
    }

    /// Whether no request is in the pool, as far as that was looked for of late: there may be many.
    private func isUnused(_ pool: Pool) -> Bool {
        guard pool.looksForUseAt <= reactor.now else { return false }
        pool.looksForUseAt = reactor.now.advanced(byNanoseconds: 500_000_000)
        return !exchanges.contains { $0.pool === pool }
    }

    // MARK: Exchanges

    /// Lends an exchange, made anew where none is free; there are at most as many as client
    /// connections.
    func acquireExchange() -> Exchange {
        if firstFreeSlot >= 0, firstFreeSlot < exchanges.count {
            let exchange = exchanges[firstFreeSlot]
            firstFreeSlot = exchange.nextFreeSlot
            freeCount &-= 1
            return exchange
        }
        let exchange = Exchange(
            shard: self, slot: exchanges.count, snapshot: snapshot)
        exchanges.append(exchange)
        return exchange
    }

    /// Takes an exchange back that has ended.
    func release(_ exchange: Exchange) {
        exchange.reset()
        exchange.nextFreeSlot = firstFreeSlot
        firstFreeSlot = exchange.slot
        freeCount &+= 1
    }

    /// Exchanges that are under way.
    var openExchangeCount: Int { exchanges.count - freeCount }

    /// A seed for something else that is left to chance.
    func drawSeed() -> UInt64 { random.next() }

    /// Permits that exchanges hold.
    var heldPermitCount: Int { exchanges.count { $0.attempt.hasPermit } }

    /// Makes `bytes` 32 hexadecimal digits that no other request has.
    func makeRequestID(_ bytes: inout [UInt8]) {
        if bytes.count != 32 {
            bytes.removeAll(keepingCapacity: true)
            bytes.append(contentsOf: repeatElement(0, count: 32))
        }
        var digits = bytes.mutableSpan
        HexadecimalDigits.write(random.next(), to: &digits, at: 0)
        HexadecimalDigits.write(random.next(), to: &digits, at: 16)
    }

    /// Appends the `Date` field.
    func appendDate(to output: inout ByteBuffer) {
        output.append("Date: ")
        appendDateText(to: &output)
        output.appendLineEnd()
    }

    /// Appends a response of the gateway's own: its text with the date, the request's id and the
    /// numbers that it has gaps for.
    func append(
        _ template: borrowing MessageTemplate, requestID: borrowing [UInt8], _ first: Int,
        _ second: Int, _ third: Int, to output: inout ByteBuffer
    ) {
        dates.withHTTPDate(ProcessClock.wallNanoseconds()) { date in
            output.append(template, date: date, requestID: requestID, first, second, third)
        }
    }

    /// Appends what a `Date` field says; the text is made once a second.
    func appendDateText(to output: inout ByteBuffer) {
        dates.appendHTTPDate(ProcessClock.wallNanoseconds(), to: &output)
    }
}
