// The rest of a response whose client has left. Closing the connection does not stop every engine;
// where it does not, the engine's place is free when it has come to the end, and the surest sign of
// that is the end of the response. So it is read and thrown away, and the permit spent then.
//
// Life: made when a client leaves and admission says that the engine goes on; owned by the backend's
// connection, which wakes it; gone when the response has ended, failed, fallen silent, or taken longer
// than admission gives it.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor
internal import Telemetry

/// A response that nobody wants any more, and the permit that it holds.
final class AbandonedResponse: UpstreamUser, TableMember {
    private let shard: Shard
    private let pool: Pool
    private unowned let connection: UpstreamConnection
    private var permit: Permit?
    /// When it is not waited for any longer.
    private let end: Instant
    /// What its tenant is charged.
    private let charge: Charge
    private var progressAt: Instant
    /// When the pool was last told that the backend lives.
    private var lifeReportedAt: Instant
    private var hasBytes: Bool
    /// Where the gateway keeps it, -1 for nowhere.
    var tableIndex = -1

    /// Bytes read in one turn before others get theirs.
    private static let bytesPerTurn = 1 << 20

    init(
        _ permit: consuming Permit, of pool: Pool, in shard: Shard,
        on connection: UpstreamConnection, until end: Instant, charge: Charge, hasBytes: Bool
    ) {
        self.permit = consume permit
        self.pool = pool
        self.shard = shard
        self.connection = connection
        self.end = end
        self.charge = charge
        self.hasBytes = hasBytes
        progressAt = shard.reactor.now
        lifeReportedAt = shard.reactor.now
        super.init()
    }

    /// Reads what is there.
    override func upstreamReady() {
        var bytes = 0
        while permit != nil {
            switch next() {
            case .needMoreData(let consumed):
                connection.input.drop(consumed)
                let count = connection.fill(highBytes: UpstreamConnection.headLimits.maxHeadBytes)
                guard count > 0 else {
                    if connection.inputEnded { ended() } else { rest() }
                    return
                }
                progressAt = shard.reactor.now
                hasBytes = true
                if let backend = permit?.backend { pool.lives(backend, toldAt: &lifeReportedAt) }
                bytes += count
                if bytes > AbandonedResponse.bytesPerTurn {
                    shard.reactor.resumeLater(connection)
                    return
                }
            case .head(let consumed), .body(let consumed, _):
                connection.input.drop(consumed)
            case .end(let consumed):
                connection.input.drop(consumed)
                finish(
                    .cancelled(by: .client, in: .finished),
                    reusable: connection.parser.head.keepAlive)
            case nil:
                finish(.failed(.invalid), reusable: false)
            }
        }
    }

    /// It has taken too long, or nothing has come for as long as the pool's time-outs allow.
    override func upstreamDeadlineReached() {
        if shard.reactor.now >= end { return giveUp() }
        finish(.failed(hasBytes ? .stalled : .timeout), reusable: false)
    }

    /// Closes the connection, whatever the engine then does.
    func giveUp() { finish(.cancelled(by: .gateway, in: .waiting), reusable: false) }

    private func next() -> ParserEvent? {
        do throws(ParseError) {
            return try connection.parser.next(in: connection.input)
        } catch {
            return nil
        }
    }

    /// The backend has closed: the end of a response that runs until then, or a failure.
    private func ended() {
        do throws(ParseError) {
            if !connection.isBroken, case .end = try connection.parser.endOfInput() {
                finish(.cancelled(by: .client, in: .finished), reusable: false)
                return
            }
        } catch {}
        finish(.failed(.closed), reusable: false)
    }

    private func rest() {
        connection.releaseBuffers()
        let timeout =
            hasBytes ? pool.timeouts.idleNanoseconds : pool.timeouts.firstByteNanoseconds
        connection.reactor.setDeadline(
            of: connection, to: min(end, progressAt.advanced(byNanoseconds: timeout)))
    }

    private func finish(_ outcome: Outcome, reusable: Bool) {
        guard let permit = permit.take() else { return }
        var work = ServedWork()
        work.charge = charge
        connection.upstream.metrics.count(outcome)
        pool.complete(permit, outcome, work)
        pool.metrics.upstreamReceivedBytes &+= UInt64(connection.receivedSinceBegun)
        shard.abandonedResponses.remove(self)
        connection.end(reusable: reusable)
    }
}
