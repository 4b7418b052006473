// A client's connection: one exchange after another, and the drain of what must not be lost at its
// end.
//
// `advance` is the only engine. Every event, from the client's socket or the backend's, ends up
// there; it does what can be done until nothing moves, then arranges to be woken. It never
// recurses: a call that arrives while it runs is covered by the rounds that are still to come.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

/// One accepted connection.
final class ClientConnection: StreamConnection, TableMember {
    private enum State {
        /// Reading requests and answering them.
        case open
        /// Our side is closed; what still arrives is thrown away, so that the client can read our
        /// answer.
        case lingering
    }

    let shard: Shard
    let peer: PeerAddress
    /// The request that is being read or answered; nil between requests.
    private(set) var exchange: Exchange?
    /// Where the gateway's table keeps this connection, -1 for nowhere.
    var tableIndex = -1
    /// The API key of its last request that had one.
    var lastKey = LastKey()
    /// When the client last took a byte.
    var writeProgress: WriteProgress
    /// The client network whose bounds hold for it, 0 for none, and what it has of them beside the
    /// connection.
    let network: UInt64
    var unfinished: NetworkBound?
    /// What TLS has told of the client; nil where the connection is in the clear.
    let security: ClientSecurity?
    /// The lane's connection that this is the gateway's end of; nil where there is a client.
    var lane: LaneConnection?
    /// The gateway that this connection was opened to as its worker's; nil where a client has opened it.
    var link: GatewayLink?
    private var isOutputPending = false
    private var state = State.open
    private var isAdvancing = false
    /// When the last exchange ended, or the connection began.
    private(set) var idleSince: Instant
    private var lingeringBytes = 0

    /// Rounds in one turn before others get theirs.
    private static let roundsPerTurn = 16
    /// How long, and for how many bytes, a closed client's input is still read.
    private static let lingerNanoseconds: Int64 = 2_000_000_000
    private static let lingerBytes = 1 << 20
    /// How long, while the gateway drains, a request that has arrived may take to be read.
    private static let arrivalNanoseconds: Int64 = 1_000_000_000
    init(
        shard: Shard, transport: consuming Transport, peer: PeerAddress, network: UInt64 = 0,
        security: ClientSecurity? = nil
    ) {
        self.shard = shard
        self.peer = peer
        self.network = network
        self.security = security
        writeProgress = WriteProgress(now: shard.reactor.now)
        idleSince = shard.reactor.now
        super.init(reactor: shard.reactor)
        open(transport)
    }

    /// Bytes that the client has sent and taken.
    var movedBytes: Int { receivedBytes &+ sentBytes }

    /// Whether nothing is being read or answered.
    var isIdle: Bool { exchange == nil && !hasInput && !hasOutput && state == .open }

    /// Whether it has nothing left to do: it rests, or only waits for its client to close.
    var isSpare: Bool { isIdle || state == .lingering && !hasOutput }

    override func ready(_ readiness: Readiness) {
        if note(readiness) { advance() }
    }

    override func resume() { advance() }

    /// Does what can be done.
    func advance() {
        guard !isAdvancing else { return }
        isAdvancing = true
        var rounds = 0
        while step() {
            rounds += 1
            if rounds == ClientConnection.roundsPerTurn {
                reactor.resumeLater(self)
                break
            }
        }
        isAdvancing = false
        if network != 0, !keepsNetworkBounds() {
            // The refusal is sent now.
            advance()
            return
        }
        settle()
        if let lane { lane.moved() }
    }

    /// One round.
    ///
    /// Returns whether anything moved.
    private func step() -> Bool {
        guard isOpen else { return false }
        if state == .lingering { return throwAwayInput() }
        guard let exchange, exchange.stage != .readingHead else {
            if isBroken {
                end()
                return false
            }
            return readHead()
        }
        if hasLeft(exchange) {
            exchange.clientGone()
            return false
        }
        return exchange.relay(for: self)
    }

    /// Whether the client will not take the response any more.
    private func hasLeft(_ exchange: Exchange) -> Bool {
        if isBroken { return true }
        guard peerClosed, exchange.stage != .delivering, exchange.stage != .tunnelling else {
            return false
        }
        return exchange.snapshot.policy.server.halfClose == .gone
    }

    /// Reads and parses until a head is complete.
    ///
    /// Returns whether anything moved.
    private func readHead() -> Bool {
        guard hasInput || mayRead || inputEnded else { return false }
        let snapshot = shard.snapshot
        if !hasInput, fill(highBytes: snapshot.bufferHighBytes) == 0 {
            if inputEnded { end() }
            return false
        }
        let exchange = currentExchange(snapshot)
        do throws(ParseError) {
            switch try exchange.intake.readHead(self) {
            case .needMoreData(let consumed):
                input.drop(consumed)
                // Stray line ends begin nothing that would have to end in time.
                if consumed > 0, !hasInput { forgetExchange() }
                if fill(highBytes: snapshot.bufferHighBytes) > 0 { return true }
                if inputEnded { end() }
                return false
            case .head(let consumed):
                input.drop(consumed)
                if let link, !link.takes(exchange.intake.head, on: self) {
                    end()
                    return false
                }
                exchange.classify(from: self)
                return true
            case .body, .end:
                preconditionFailure("a body before its head")
            }
        } catch {
            exchange.reply(error)
            return true
        }
    }

    private func currentExchange(_ snapshot: Snapshot) -> Exchange {
        if let exchange { return exchange }
        let begun = shard.acquireExchange()
        begun.begin(for: self, snapshot: snapshot)
        exchange = begun
        return begun
    }

    // MARK: Ends

    /// The exchange is over and the client has its last byte.
    @inline(__always) func exchangeFinished(keeps: Bool, lingers: Bool) {
        exchange = nil
        idleSince = reactor.now
        // Whoever was told that the connection stays may be sending already.
        if keeps { return }
        if lingers || hasInput || mayHaveInput {
            shutdownWriting()
            state = .lingering
        } else {
            end()
        }
    }

    /// The exchange is over and its response was not completed.
    func endAfterCut(reset: Bool) {
        exchange = nil
        end(reset: reset)
    }

    /// Gives up a request that has not come whole, for others who wait for the connection's place: its
    /// client is told so as far as that is possible at once.
    func giveUpRequest() {
        exchange?.refuseUnfinished()
        advance()
        if state == .lingering { end() }
    }

    /// Closes the connection; an exchange that was still reading its head goes with it.
    func end(reset: Bool = false) {
        forgetExchange()
        guard isOpen else { return }
        close(reset: reset)
        shard.connectionEnded(self)
    }

    private func forgetExchange() {
        guard let exchange else { return }
        self.exchange = nil
        shard.release(exchange)
    }

    /// Whether closing now could reset the connection under a response that the client has not read
    /// yet.
    private var mayHaveInput: Bool { mayRead && !inputEnded }

    private func throwAwayInput() -> Bool {
        let count = fill(highBytes: shard.snapshot.bufferHighBytes)
        input.removeAll()
        lingeringBytes += count
        if inputEnded || isBroken || lingeringBytes > ClientConnection.lingerBytes {
            end()
            return false
        }
        return count > 0
    }

    /// The gateway begins to drain: the response that is under way or comes next is the last one, and a
    /// connection that rests waits for a request a moment longer.
    func drain() {
        if isIdle { reactor.setDeadline(of: self, to: nextDeadline()) }
        if exchange?.stage == .bulk { advance() }
    }

    /// The peer's machine is gone.
    func abandon() {
        guard let exchange, exchange.stage != .readingHead else { return end() }
        exchange.clientGone()
    }

    /// Ends whatever is going on, because the time to drain is up.
    func abort() {
        guard let exchange, exchange.stage != .readingHead else {
            end()
            return
        }
        exchange.endDraining()
    }

    // MARK: Time

    /// Gives unused buffers back and arranges the next time-outs.
    private func settle() {
        guard isOpen else { return }
        // A time-out counts from when there was something to wait for.
        let isPending = hasOutput
        if !isPending || !isOutputPending { writeProgress = WriteProgress(now: reactor.now) }
        isOutputPending = isPending
        releaseBuffers()
        guard let exchange else {
            reactor.setDeadline(of: self, to: nextDeadline())
            return
        }
        exchange.noteBodyWait()
        reactor.setDeadline(of: self, to: nextDeadline(of: exchange))
        exchange.settleUpstream(for: self)
    }

    /// The deadline while there is no exchange.
    private func nextDeadline() -> Instant {
        let limits = shard.snapshot.timeouts
        if state == .lingering {
            return idleSince.advanced(byNanoseconds: ClientConnection.lingerNanoseconds)
        }
        if isOutputPending { return writeProgress.nextLook(stall: limits.writeStallNanoseconds) }
        let end = restsUntil
        guard isFresh else { return end }
        // Looked at now and then: connections may have become scarce.
        let looked = idleSince.advanced(byNanoseconds: limits.headNanoseconds)
        let next = reactor.now.advanced(byNanoseconds: limits.headNanoseconds)
        return min(end, looked <= reactor.now ? next : looked)
    }

    /// Whether the client has sent nothing yet.
    private var isFresh: Bool { receivedBytes == 0 }

    private func nextDeadline(of exchange: Exchange) -> Instant {
        if exchange.stage == .bulk { return exchange.bulkDeadline(for: self) }
        let limits = shard.snapshot.timeouts
        if isOutputPending {
            return min(
                exchange.nextStepAt,
                writeProgress.nextLook(stall: limits.writeStallNanoseconds))
        }
        if exchange.stage == .readingHead {
            return exchange.record.startedAt.advanced(byNanoseconds: limits.headNanoseconds)
        }
        let commentAt = exchange.commentDeadline
        if exchange.awaitsBody {
            return min(commentAt, exchange.intake.bodyDeadline(limits))
        }
        return commentAt
    }

    override func deadlineReached() {
        if state == .lingering || exchange == nil && !mayRest {
            // What has arrived and was not read yet is told of in the next turn.
            if shard.isDraining, isIdle, hasPendingInput() {
                reactor.setDeadline(of: self, to: restsLonger)
            } else {
                end()
            }
            return
        }
        if let exchange, exchange.stage == .bulk {
            exchange.bulkDeadlineReached(for: self)
        } else if hasOutput {
            if let exchange, !exchange.takesMore(), isWriteStalled {
                exchange.cut(.writeTimeout)
                return
            }
        } else if let exchange {
            if exchange.commentDeadline <= reactor.now {
                exchange.sendComment()
            } else {
                exchange.clientTimedOut()
            }
        }
        advance()
    }

    /// Whether the client has taken nothing for as long as it may.
    var isWriteStalled: Bool {
        writeProgress.isStalled(
            sent: sentBytes, unsent: unsentBytes(),
            stall: shard.snapshot.timeouts.writeStallNanoseconds, now: reactor.now)
    }

    /// When a connection without an exchange has rested long enough.
    private var restsUntil: Instant {
        let end = idleSince.advanced(
            byNanoseconds: shard.snapshot.timeouts.keepAliveNanoseconds)
        guard shard.isDraining else { return end }
        let farewell = max(idleSince, shard.drainBeganAt)
        return min(
            end, farewell.advanced(byNanoseconds: shard.farewellNanoseconds))
    }

    /// The same for one whose request has arrived.
    private var restsLonger: Instant {
        reactor.now.advanced(byNanoseconds: ClientConnection.arrivalNanoseconds)
    }

    /// Whether a connection without an exchange may stay.
    private var mayRest: Bool {
        if hasOutput { return !isWriteStalled }
        if reactor.now >= restsUntil { return false }
        let limits = shard.snapshot.timeouts
        let rested = reactor.now.nanoseconds(since: idleSince)
        return !isFresh || rested < limits.headNanoseconds || !shard.isShortOfConnections
    }
}
