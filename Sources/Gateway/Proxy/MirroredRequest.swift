// A copy of a request, and the permit that it holds in the pool that it was made for. It is sent once, its answer is
// read and thrown away, and what it says of the backend teaches that pool's limits as any answer does.
//
// Life: made, with its permit, by an exchange that forwards the original; begun at the end of that turn; owned by its
// shard's table until the answer has ended, failed, or fallen silent. Nothing refers back to the exchange.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

/// A copy of a request under way.
final class MirroredRequest: UpstreamUser, TableMember {
    /// What is remembered of the request that it is a copy of.
    struct Origin: ~Copyable {
        let head: RequestHead
        let requestID: [UInt8]
        let peer: PeerAddress
        /// Whether answers of its dialect are read.
        let readsResponse: Bool
    }

    private let shard: Shard
    private let pool: Pool
    private let upstream: Upstream
    private let origin: Origin
    private var request: ByteBuffer
    /// Bytes of the request, for as long as it is under way.
    let bytes: Int
    private var permit: Permit?
    private var dial: Dial?
    private var connection: UpstreamConnection?
    private var reader: ResponseReader?
    private let startedAt: Instant
    private var progressAt: Instant
    /// When the pool was last told that the backend lives.
    private var lifeReportedAt: Instant
    private var firstByteAt: Instant?
    private var status = 0
    private var interims = 0
    /// Events of a stream, else chunks.
    private var units = 0
    private var bodyBytes = 0
    private var isReused = false
    /// Where the shard keeps it, -1 for nowhere.
    var tableIndex = -1

    /// Bytes read in one turn before others get theirs.
    private static let bytesPerTurn = 256 << 10

    init(
        _ permit: consuming Permit, of pool: Pool, in shard: Shard, to upstream: Upstream,
        request: consuming ByteBuffer, _ origin: consuming Origin
    ) {
        self.permit = consume permit
        self.pool = pool
        self.shard = shard
        self.upstream = upstream
        self.origin = origin
        bytes = request.count
        self.request = request
        startedAt = shard.reactor.now
        progressAt = shard.reactor.now
        lifeReportedAt = shard.reactor.now
        super.init()
        pool.metrics.countMirrorBegun()
    }

    /// Sends it, on an idle connection or a new one.
    func begin() {
        guard permit != nil else { return }
        if let idle = upstream.acquire(now: shard.reactor.now) {
            upstream.metrics.connectionsReused &+= 1
            isReused = true
            send(on: idle)
            return
        }
        // Workers cannot be dialled, and a copy waits for nothing.
        guard upstream.worker == nil else {
            return finish(.cancelled(by: .gateway, in: .connecting), .noBackend)
        }
        dial = shard.dialler.dial(
            upstream.target, in: upstream.dialLine,
            timeoutMilliseconds: Int(pool.timeouts.connectNanoseconds / 1_000_000),
            now: shard.reactor.now
        ) { [unowned self] result in
            dial = nil
            switch consume result {
            case .connected(let transport): connected(transport)
            case .failed(let failure): dialFailed(failure)
            }
        }
        if dial == nil { finish(.failed(.local), .exhausted) }
    }

    private func connected(_ transport: consuming Transport) {
        let made = UpstreamConnection(
            reactor: shard.reactor, transport: transport, upstream: upstream)
        guard made.start() else {
            made.close()
            return finish(.failed(.local), .exhausted)
        }
        upstream.metrics.connectionsOpened &+= 1
        if pool.connected(upstream) { shard.cameBack(upstream, pool) }
        send(on: made)
    }

    private func dialFailed(_ failure: DialFailure) {
        upstream.metrics.countConnectionFailed(failure.reason)
        shard.dialFailed(upstream, pool, failure)
        if failure.reason != .exhausted { pool.refused(upstream) }
        finish(.cancelled(by: .gateway, in: .connecting), failure.reason)
    }

    private func send(on made: UpstreamConnection) {
        connection = made
        progressAt = shard.reactor.now
        made.begin(self, method: origin.head.method)
        made.prepareOutput()
        made.output.append(request.bytes)
        request = ByteBuffer()
        upstreamReady()
    }

    // MARK: What its backend's connection tells

    override func upstreamSpokeTooEarly() { finish(.failed(.closed), .upstreamClosed) }

    /// Writes and reads what can be.
    override func upstreamReady() {
        guard let connection else { return }
        if connection.flush() > 0 { progressAt = shard.reactor.now }
        var count = 0
        while permit != nil {
            switch next(connection) {
            case .needMoreData(let consumed):
                connection.input.drop(consumed)
                let read = connection.fill(highBytes: UpstreamConnection.headLimits.maxHeadBytes)
                guard read > 0 else {
                    if connection.inputEnded { ended(connection) } else { rest(connection) }
                    return
                }
                noteBytes()
                count += read
                if count > MirroredRequest.bytesPerTurn {
                    shard.reactor.resumeLater(connection)
                    return
                }
            case .head(let consumed):
                connection.input.drop(consumed)
                if !takeHead(connection.parser.head) { finish(.failed(.invalid), .upstreamInvalid) }
            case .body(let consumed, let content):
                takeBody(content, connection)
                connection.input.drop(consumed)
            case .end(let consumed):
                connection.input.drop(consumed)
                complete(reusable: connection.parser.head.keepAlive && !connection.hasOutput)
            case nil:
                finish(.failed(.invalid), .upstreamInvalid)
            }
        }
    }

    override func upstreamDeadlineReached() {
        if firstByteAt == nil {
            finish(.failed(.timeout), .firstByteTimeout)
        } else {
            finish(.failed(.stalled), .upstreamIdleTimeout)
        }
    }

    /// Ends it, because the shard does.
    func giveUp() {
        if let dial { shard.dialler.cancel(dial) }
        dial = nil
        finish(.cancelled(by: .gateway, in: .waiting), .draining)
    }

    // MARK: The answer

    private func next(_ connection: UpstreamConnection) -> ParserEvent? {
        do throws(ParseError) {
            return try connection.parser.next(in: connection.input)
        } catch {
            return nil
        }
    }

    private func noteBytes() {
        progressAt = shard.reactor.now
        if firstByteAt == nil { firstByteAt = progressAt }
        pool.lives(upstream.id, toldAt: &lifeReportedAt)
    }

    /// Takes in a head; false where there are too many.
    private func takeHead(_ head: borrowing ResponseHead) -> Bool {
        pool.heed(SignalField.read(head, now: shard.reactor.now), of: upstream)
        if pool.heedsReports { pool.heed(ReportField.read(head), of: upstream) }
        guard !head.isInformational else {
            interims += 1
            firstByteAt = nil
            return interims <= Attempt.mostInterims
        }
        status = head.status
        if origin.readsResponse {
            let made = ResponseReader()
            made.begin(head)
            reader = made
        }
        return true
    }

    private func takeBody(_ content: Range<Int>, _ connection: UpstreamConnection) {
        bodyBytes += content.count
        var done = 0
        if let reader, reader.isStream {
            done = reader.read(content, of: connection.input)
        } else if connection.parser.readsChunks {
            done = 1
        }
        guard done > 0 else { return }
        units += done
        pool.progress(at: upstream.id, units: done)
    }

    /// The backend has closed: the end of an answer that runs until then, or a failure.
    private func ended(_ connection: UpstreamConnection) {
        do throws(ParseError) {
            if !connection.isBroken, case .end = try connection.parser.endOfInput() {
                complete(reusable: false)
                return
            }
        } catch {}
        finish(.failed(.closed), .upstreamClosed)
    }

    private func complete(reusable: Bool) {
        finish(Outcome(status: status), .none, isAnswered: true, reusable: reusable)
    }

    private func rest(_ connection: UpstreamConnection) {
        connection.releaseBuffers()
        let timeouts = pool.timeouts
        let timeout =
            firstByteAt == nil
            ? timeouts.firstByteNanoseconds
            : reader?.isStream == true ? timeouts.streamStallNanoseconds : timeouts.idleNanoseconds
        shard.reactor.setDeadline(
            of: connection, to: progressAt.advanced(byNanoseconds: timeout))
    }

    // MARK: The end

    private func finish(
        _ outcome: Outcome, _ reason: Reason, isAnswered: Bool = false, reusable: Bool = false
    ) {
        guard let permit = permit.take() else { return }
        var work = ServedWork(units: max(1, units))
        if let firstByteAt {
            work.firstByteNanoseconds = firstByteAt.nanoseconds(since: permit.grantedAt)
        }
        if outcome == .success, units == 0, bodyBytes > 0 { work.size = Double(bodyBytes) }
        work.charge = .nothing
        upstream.metrics.count(outcome)
        pool.complete(permit, outcome, work)
        pool.metrics.countMirror(isAnswered ? .answered : .failed)
        var moved = (sent: 0, received: 0)
        if let connection {
            moved = (connection.sentSinceBegun, connection.receivedSinceBegun)
            pool.metrics.upstreamSentBytes &+= UInt64(moved.sent)
            pool.metrics.upstreamReceivedBytes &+= UInt64(moved.received)
        }
        log(reason, moved)
        shard.mirrors.remove(self)
        let ended = connection
        connection = nil
        ended?.end(reusable: reusable)
    }

    private func log(_ reason: Reason, _ moved: (sent: Int, received: Int)) {
        guard shard.logsAccess else { return }
        var line = AccessRecord(
            wallNanoseconds: ProcessClock.wallNanoseconds(), status: status, reason: reason)
        line.isMirror = true
        line.pool = pool.metrics
        line.backend = upstream.metrics
        line.totalNanoseconds = shard.reactor.now.nanoseconds(since: startedAt)
        line.firstByteNanoseconds = firstByteAt?.nanoseconds(since: startedAt)
        line.bytesIn = UInt64(moved.sent)
        line.bytesOut = UInt64(moved.received)
        line.attempts = 1
        line.reused = isReused
        shard.write(line, origin.requestID, origin.head, origin.peer)
    }
}
