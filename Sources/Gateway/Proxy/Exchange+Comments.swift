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
        claim.readsResponse && claim.dialect.hasComments && intake.head.method == .post
            && Exchange.announcesJSON(intake.head)
    }

    static func announcesJSON(_ head: borrowing RequestHead) -> Bool {
        guard let field = head.firstField(.contentType),
            case .json = ResponseForm(contentType: head.value(of: field))
        else { return false }
        return true
    }

    /// Whether the body has said that it asks for a stream, or is not held any longer to hear it: half
    /// of what may be held is enough, so that no body is refused for that.
    func tellsOfStream(_ body: RequestBody) -> Bool {
        body.streams != nil || isHalfHeld(body)
    }

    /// Whether half of what may be held of the body is.
    func isHalfHeld(_ body: RequestBody) -> Bool {
        body.held.count >= halfOfHeldBytes
    }

    /// Half of what may be held of a body, rounded up.
    var halfOfHeldBytes: Int { (snapshot.policy.models.maxHeldBytes + 1) / 2 }

    /// The time between two comments, in nanoseconds; nil where none are asked for.
    private var routeCommentNanoseconds: Int64? {
        guard routeIndex >= 0 else { return nil }
        return snapshot.policy.routes[routeIndex].streamKeepAlive?.wholeNanoseconds
    }

    /// The time between two comments that the client will get, in nanoseconds; `max` where it gets none.
    var commentNanoseconds: Int64 {
        outlet.commentAt == .distantFuture ? .max : routeCommentNanoseconds ?? .max
    }

    /// Arranges for comments if the request is to have them.
    func armComments() {
        guard let time = routeCommentNanoseconds, intake.body?.streams == true, mayBeStream,
            !asksForTunnel
        else { return }
        outlet.comment(at: now.advanced(byNanoseconds: time))
    }

    /// When the next comment is due.
    var commentDeadline: Instant {
        switch stage {
        case .parked, .dialling, .forwarding: outlet.commentAt
        case .readingHead, .readingBody, .delivering, .tunnelling, .bulk: .distantFuture
        }
    }

    /// Sends a comment, where one can stand.
    func sendComment() {
        guard let client, let time = routeCommentNanoseconds else { return }
        outlet.comment(at: now.advanced(byNanoseconds: time))
        if !outlet.isBegun { promiseStream(client) }
        guard openFormat == .serverSent else { return }
        client.prepareOutput()
        outlet.appendToStream(Exchange.comment.utf8.count, to: &client.output) { output in
            output.append(Exchange.comment)
        }
        client.flush()
    }

    private static let comment = ": waiting\n\n"

    /// The form of the stream that the client reads, while an event of the gateway's own can follow
    /// what it has got; else nil.
    var openFormat: EventSplitter.Format? {
        guard outlet.isOpenEnded else { return nil }
        return outlet.isStreamPromised ? .serverSent : attempt.openFormat
    }

    /// Begins a response although nothing is known of it but that it is to be a stream.
    private func promiseStream(_ client: ClientConnection) {
        outlet.promiseStream(to: intake.head.version)
        if shard.isDraining { outlet.endClient() }
        client.prepareOutput()
        client.output.appendStatusLine(status: 200)
        shard.appendDate(to: &client.output)
        client.output.append("Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n")
        if outlet.framing.isChunked { client.output.appendTransferEncodingChunked() }
        if let rates = pool?.rates(of: claim.tenant, paidBy: claim.payer) {
            RateFields(rates).append(claim.dialect, to: &client.output)
        }
        appendFallback(to: &client.output)
        appendCrossOrigin(to: &client.output)
        client.output.appendField(.xRequestID, requestID)
        outlet.appendConnection(intake.head.version, to: &client.output)
        client.output.appendLineEnd()
    }

    /// The backend has answered a request whose client has been promised a stream.
    func takePromised(_ upstream: UpstreamConnection) {
        noteResponse(upstream.parser.head)
        heedSignals(upstream.parser.head)
        let status = upstream.parser.head.status
        if (200...299).contains(status), attempt.openFormat == .serverSent {
            outlet.keepPromise()
            return
        }
        let outcome = Outcome(status: status)
        if triesElsewhere(after: outcome) { return }
        release(upstream, reusable: false)
        spendPermit(outcome == .success ? .failed(.request) : outcome)
        appendReply(LocalReply(insteadOfStream: status))
    }
}
