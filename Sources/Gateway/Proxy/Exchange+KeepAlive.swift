// Comments that keep a stream's connection alive until its first event, for clients and proxies that
// give up on silence. They are asked for on the route, and sent to requests that ask for a stream.
//
// A comment that comes before the backend's response commits the client to one: 200, and a stream of
// events. From then on a stream is promised. If the backend's response is a stream, its events follow;
// whatever else becomes of the request is told by an error event.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor

extension Exchange {
    /// Whether it decides something about the request, on the route with that index, that it asks
    /// for a stream.
    func isStreamWanted(onRoute index: Int) -> Bool {
        snapshot.policy.routes[index].streamKeepAlive != nil && mayBeStream
    }

    /// Whether the request may be answered by a stream that has comments, and says so in JSON.
    private var mayBeStream: Bool {
        dialect != .plain && dialect.hasComments && head.method == .post
            && Exchange.announcesJSON(head)
    }

    private static func announcesJSON(_ head: borrowing RequestHead) -> Bool {
        guard let field = head.firstField(.contentType),
            case .json = ResponseForm(contentType: head.value(of: field))
        else { return false }
        return true
    }

    /// Whether the body has said that it asks for a stream, or is not held any longer to hear it: half
    /// of what may be held is enough, so that no body is refused for that.
    func tellsOfStream(_ body: RequestBody) -> Bool {
        body.streams != nil || 2 * body.held.count >= snapshot.policy.models.maxHeldBytes
    }

    /// The time between two comments, in nanoseconds; nil where none are asked for.
    private var keepAliveNanoseconds: Int64? {
        guard routeIndex >= 0 else { return nil }
        return snapshot.policy.routes[routeIndex].streamKeepAlive?.wholeNanoseconds
    }

    /// Arranges for comments if the request is to have them.
    func armKeepAlive() {
        guard let time = keepAliveNanoseconds, body?.streams == true, mayBeStream, !asksForTunnel
        else { return }
        keepAliveAt = now.advanced(byNanoseconds: time)
    }

    /// Whether a client that waits for the next byte for so long always gets one in that time.
    func isKeptAlive(within nanoseconds: Int64) -> Bool {
        keepAliveAt != .distantFuture && (keepAliveNanoseconds ?? .max) < nanoseconds
    }

    /// When the next comment is due.
    var keepAliveDeadline: Instant {
        switch stage {
        case .parked, .dialling, .forwarding: keepAliveAt
        case .readingHead, .readingBody, .delivering, .tunnelling: .distantFuture
        }
    }

    /// Sends a comment, where one can stand.
    func sendKeepAlive() {
        guard let client, let time = keepAliveNanoseconds else { return }
        keepAliveAt = now.advanced(byNanoseconds: time)
        if !isResponseBegun { promiseStream(client) }
        guard openFormat == .serverSent else { return }
        client.prepareOutput()
        appendToStream(Exchange.comment.utf8.count, to: &client.output) { output in
            output.append(Exchange.comment)
        }
        client.flush()
    }

    private static let comment = ": waiting\n\n"

    /// The form of the stream that the client reads, while an event of the gateway's own can follow
    /// what it has got; else nil.
    var openFormat: EventSplitter.Format? {
        guard responseFraming.isChunked || responseFraming.isUntilClose else { return nil }
        return isStreamPromised ? .serverSent : responseReader?.openFormat
    }

    /// Appends something of the gateway's own to the stream, in a chunk where it has chunks.
    func appendToStream(
        _ count: Int, to output: inout ByteBuffer, _ append: (inout ByteBuffer) -> Void
    ) {
        if responseFraming.isChunked { output.appendChunkHead(count) }
        append(&output)
        if responseFraming.isChunked { output.appendChunkEnd() }
    }

    /// Begins a response although nothing is known of it but that it is to be a stream.
    private func promiseStream(_ client: ClientConnection) {
        isStreamPromised = true
        isResponseBegun = true
        record.status = 200
        responseFraming = head.version == .http11 ? .chunked : .untilClose
        if responseFraming.isUntilClose || shard.isDraining { keepsClient = false }
        client.prepareOutput()
        client.output.appendStatusLine(status: 200)
        shard.appendDate(to: &client.output)
        client.output.append("Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n")
        if responseFraming.isChunked { client.output.appendTransferEncodingChunked() }
        if let rates = pool?.rates(of: tenant) {
            RateFields(rates).append(dialect, to: &client.output)
        }
        appendFallback(to: &client.output)
        client.output.appendField(.xRequestID, requestID)
        appendConnection(to: &client.output)
        client.output.appendLineEnd()
    }

    /// The backend has answered a request whose client has been promised a stream.
    func takePromised(_ upstream: UpstreamConnection) {
        noteResponse(upstream.parser.head)
        let status = upstream.parser.head.status
        if (200...299).contains(status), responseReader?.openFormat == .serverSent {
            isStreamPromised = false
            return
        }
        let outcome = Outcome(status: status)
        if triesElsewhere(after: outcome) { return }
        release(upstream, reusable: false)
        spendPermit(outcome == .success ? .failed(.request) : outcome)
        appendReply(LocalReply(insteadOfStream: status))
    }
}
