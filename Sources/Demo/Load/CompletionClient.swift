// A client's connection: sends a request, waits for the whole response, and leaves when its patience
// is at an end.

internal import Admission
internal import Bytes
internal import Gateway
internal import HTTP1
internal import Reactor

/// One client connection, used for one request after another.
final class CompletionClient: LoopbackConnection {
    /// The port that this connection leads to, as the side's list of them numbers it.
    let target: Int
    private unowned let side: LoadSide
    private var parser = ResponseParser(limits: HeadLimits())
    /// The request that is being answered.
    private(set) var attempt: Attempt?

    /// A request on its way.
    struct Attempt {
        var request: PlannedRequest
        var isRetry: Bool
    }

    /// A connection of a client of `side` to its port number `target`.
    init(side: LoadSide, target: Int, descriptor: consuming Descriptor) {
        self.side = side
        self.target = target
        super.init(reactor: side.reactor, descriptor: descriptor)
    }

    /// Sends a request; the client's patience began when it wanted to, not when it could.
    func send(_ attempt: Attempt) {
        self.attempt = attempt
        parser.begin(requestMethod: .post)
        let body = attempt.request.completion.body
        output.append("POST /v1/chat/completions HTTP/1.1\r\nHost: demo\r\n")
        output.append("Content-Type: application/json\r\n")
        output.appendContentLength(body.utf8.count)
        output.appendLineEnd()
        output.append(body)
        flush()
        reactor.setDeadline(
            of: self,
            to: attempt.request.at.advanced(byNanoseconds: side.patienceNanoseconds))
    }

    override func received() {
        do throws(ParseError) {
            while isOpen, try parse() {}
        } catch {
            end(.failed)
        }
    }

    override func ended() { end(.failed) }

    /// The client's patience is at an end.
    override func deadlineReached() { end(.gaveUp) }

    /// Takes one step through the input; false when more bytes are needed.
    private func parse() throws(ParseError) -> Bool {
        guard attempt != nil else { return false }
        switch try parser.next(in: input) {
        case .needMoreData(let consumed):
            input.drop(consumed)
            return false
        case .head(let consumed), .body(let consumed, _):
            input.drop(consumed)
        case .end(let consumed):
            input.drop(consumed)
            finish()
        }
        return true
    }

    private func finish() {
        reactor.setDeadline(of: self, to: .distantFuture)
        guard let finished = attempt else { return }
        attempt = nil
        switch parser.head.status {
        case 200: side.ended(finished, .complete)
        case 503: side.ended(finished, .refused(reason, retryAfterSeconds: retryAfterSeconds))
        default: side.ended(finished, .failed)
        }
        if parser.head.keepAlive { side.keep(self) } else { leave() }
    }

    /// The connection is of no use any more, and with it the request that it had.
    private func end(_ ending: LoadSide.Ending) {
        let unanswered = attempt
        leave()
        if let unanswered { side.ended(unanswered, ending) }
    }

    /// Closes the connection as the death of a client's process does.
    func leave() {
        side.forget(self)
        attempt = nil
        close(reset: true)
    }

    // MARK: What a refusal says

    private var reason: Reason {
        guard let field = parser.head.firstField(.xPenstockReason) else { return .none }
        let name = parser.head.bytes[field.value]
        return Reason.allCases.first { name.elementsEqual($0.name.description.utf8) } ?? .none
    }

    /// Seconds until the client should come back; nil when it was not told.
    private var retryAfterSeconds: Double? {
        if let field = parser.head.firstField(.retryAfterMilliseconds) {
            return number(field).map { Double($0) / 1000 }
        }
        return parser.head.firstField(.retryAfter).flatMap(number).map { Double($0) }
    }

    private func number(_ field: Field) -> Int? {
        var value = 0
        for byte in parser.head.bytes[field.value] {
            guard byte >= 0x30 && byte <= 0x39 && value < 100_000_000 else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }
}
