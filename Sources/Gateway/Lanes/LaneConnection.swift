// A client of the gateway's that is the gateway itself: a connection in memory, over which a lane sends one request after
// another. So each of them takes the way of any request, through routes, models, quotas, retries and metrics.
//
// Life: made by a lane that has none idle; lent to one request at a time; ended by the lane, or with its client
// connection where that ends of itself.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor

/// A lane's connection to its own gateway.
final class LaneConnection {
    /// What a connection is doing.
    private enum State {
        case idle
        /// A request is under way.
        case busy
        /// Its response is there, or will not be, and nobody has taken that yet.
        case ended
    }

    private unowned let lane: Lane
    private let stream = MemoryStream()
    private let shard: Shard
    private var client: ClientConnection?
    private var parser = ResponseParser(limits: LaneConnection.headLimits)
    private var state = State.idle
    /// What is under way, and how often it was tried with this.
    private(set) var request: LaneRequest?
    private(set) var tries = 0
    private var result = LaneResult(key: 0)
    private var body = ByteBuffer()
    private var retryAfterSeconds: Int?

    private static let headLimits = HeadLimits(maxHeadBytes: 64 * 1024, maxFields: 200)

    init(_ lane: Lane, in shard: Shard, as identity: LaneIdentity) {
        self.lane = lane
        self.shard = shard
        let client = ClientConnection(
            shard: shard, transport: .memory(stream), peer: identity.peer,
            security: identity.security)
        self.client = client
        client.lane = self
        _ = client.start()
    }

    /// In whose name it asks.
    var identity: LaneIdentity { lane.identity }

    /// Whether another request can be sent.
    var isUsable: Bool { client != nil && state == .idle }

    /// Whether a backend works on its request.
    var isRunning: Bool { client?.exchange?.attempt.hasPermit ?? false }

    /// The pool in whose queue its request is; nil where it is in none.
    var waitsIn: Pool? {
        guard let exchange = client?.exchange, exchange.stage == .parked else { return nil }
        return exchange.pool
    }

    /// Sends a request, for the `tries`th time.
    func begin(_ request: LaneRequest, tries: Int) {
        precondition(isUsable, "a connection has one request at a time")
        state = .busy
        self.request = request
        self.tries = tries
        result = LaneResult(key: request.key)
        result.tries = tries
        retryAfterSeconds = nil
        parser.begin(requestMethod: request.method)
        stream.send(request.head)
        stream.send(request.body)
        client?.ready(.readable)
    }

    /// Takes out the request with what became of it, and when the response says to come back.
    func takeResult() -> (LaneRequest, LaneResult, retryAfterSeconds: Int?) {
        guard state == .ended, let request else {
            preconditionFailure("a result is taken that is not there")
        }
        state = .idle
        self.request = nil
        defer { result = LaneResult(key: 0) }
        return (request, result, retryAfterSeconds)
    }

    /// Drops the connection with whatever is under way.
    func drop() {
        guard let client else { return }
        state = .ended
        stream.reset()
        client.ready([.readable, .peerClosed, .hungUp])
    }

    // MARK: What its client connection tells

    /// Something may have been written.
    func moved() {
        guard state == .busy else { return }
        do throws(ParseError) {
            while try step() {}
        } catch {
            end(.cut)
        }
    }

    /// The request's exchange has ended for that reason.
    func finished(_ reason: Reason, requestID: borrowing [UInt8]) {
        guard state == .busy else { return }
        result.reason = reason
        result.requestID = copy requestID
    }

    /// The client connection is closed.
    func clientEnded() {
        moved()
        client?.lane = nil
        client = nil
        if state == .busy { end(.cut) }
    }

    /// Looks at what was written; whether there may be more to look at.
    private func step() throws(ParseError) -> Bool {
        switch try parser.next(in: stream.output) {
        case .needMoreData(let consumed):
            stream.output.drop(consumed)
            return false
        case .head(let consumed):
            stream.output.drop(consumed)
            if !parser.head.isInformational { takeHead() }
            return true
        case .body(let consumed, let content):
            guard body.count + content.count <= lane.mostAnswerBytes else {
                end(.tooLarge)
                return false
            }
            body.append(content, of: stream.output)
            stream.output.drop(consumed)
            return true
        case .end(let consumed):
            stream.output.drop(consumed)
            end(nil)
            return false
        }
    }

    private func takeHead() {
        result.status = parser.head.status
        guard let field = parser.head.firstField(.retryAfter) else { return }
        retryAfterSeconds = Int(parser.head.value(of: field).text)
    }

    private func end(_ failure: LaneFailure?) {
        state = .ended
        result.failure = failure
        if failure == nil { result.body = body.takeList() } else { body.removeAll() }
        lane.hasResult(self)
    }
}
