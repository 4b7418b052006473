// A request as its client sends it: the head, and how far the body has come. It reads and holds; what is
// done about what it finds is its exchange's to decide.
//
// One loop reads bodies, whatever becomes of them: held before their requests are offered, passed on to the
// backend, or thrown away. Buffers are read where they are, and what fills one alone changes places with it.
//
// Life: its exchange's, for one request after another: `reset` forgets all but the storage.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Reactor

/// The client's side of a request.
final class RequestIntake {
    private let buffers: BufferPool
    private let memory: BodyMemory
    private var parser: RequestParser
    /// Whether the parser has read another request and was not reset since: it is borrowed once for
    /// both.
    private var parserIsUsed = false
    /// What the parser has its limits from.
    private var limits: Snapshot

    /// The request's head, once it is complete; before, that of some other request.
    private(set) var head = RequestHead()
    /// Whether the head was parsed, so that its ranges mean something.
    private(set) var isHeadComplete = false
    /// Whether the request's last byte has been read.
    private(set) var isComplete = false
    /// Whether the client was told to send its body.
    private(set) var hasAskedForBody = false
    /// Whether the body is read only to be thrown away.
    private(set) var isDiscarding = false
    /// Whether it is not read until the backend's output has sunk to the low mark.
    private(set) var isPaused = false
    /// The body's bytes that have come, without chunk framing.
    private(set) var bodyBytes = 0
    /// The body, of a request that is routed by model or waits for the rest of it.
    private(set) var body: RequestBody?
    /// How the body is coded, where its length is charged for: what was not looked up passes for identity.
    private(set) var coding = ContentCoding.identity
    /// What was sent of the body on a connection that may turn out to be at its end.
    let sent: SentBody

    /// The client last sent a byte of the body.
    private var progressAt = Instant(nanoseconds: 0)
    /// For how long the client was waited for.
    private var clock = BodyClock()

    /// An intake that has read nothing, for requests of `snapshot`'s policy.
    init(_ snapshot: Snapshot, buffers: BufferPool, memory: BodyMemory) {
        self.buffers = buffers
        self.memory = memory
        limits = snapshot
        parser = RequestParser(limits: snapshot.headLimits)
        sent = SentBody(pool: buffers, memory: memory)
    }

    /// Begins with a request of `snapshot`'s policy.
    func begin(_ snapshot: Snapshot) {
        guard limits !== snapshot else { return }
        limits = snapshot
        parser = RequestParser(limits: snapshot.headLimits)
    }

    /// Forgets everything but the storage.
    func reset() {
        dropHeld()
        sent.drop()
        body?.reset()
        isHeadComplete = false
        isComplete = false
        hasAskedForBody = false
        isDiscarding = false
        isPaused = false
        bodyBytes = 0
        coding = .identity
        clock = BodyClock()
        parserIsUsed = true
    }

    /// Looks for the end of the head in what the client has sent.
    ///
    /// Returns the parser's event; from `.head` on the head is complete.
    func readHead(_ client: ClientConnection) throws(ParseError) -> ParserEvent {
        let isUsed = parserIsUsed
        parserIsUsed = false
        let event = try parser.next(in: client.input, afterReset: isUsed, givingHeadFor: &head)
        if case .head = event { isHeadComplete = true }
        return event
    }

    /// The head is complete, and says whether there is a body.
    func beginBody(_ hasBody: Bool) { isComplete = !hasBody }

    // MARK: What is known of the body

    /// Whether the request has no body.
    var isBodyless: Bool { head.framing == .none || head.framing == .length(0) }

    /// The body's bytes: announced, else what has come.
    var bodyLength: Int { announcedLength ?? bodyBytes }

    /// Looks up how the body is coded, because it is charged for by its length.
    func noteCoding() { coding = ContentCoding(of: head) }

    /// The body's bytes as a server reads them, announced, else what has come; of one that is gzip no fewer
    /// than it expands to, of another coding a guess.
    var contentBytes: Int {
        switch coding {
        case .identity: bodyLength
        case .gzip: body?.contentBytes(of: bodyLength) ?? Inflater.mostExpanded(from: bodyLength)
        // Brotli and zstd have no bound that would be of use, nor what was compressed twice, and anybody can
        // write a name that means nothing.
        case .other: ContentCoding.otherExpanded(from: bodyLength)
        }
    }

    /// Whether these are all, and not only a bound.
    var isContentKnown: Bool {
        switch coding {
        case .identity: true
        case .gzip: body?.isReadWhole == true
        case .other: false
        }
    }

    /// The length that the head says; nil where it says none.
    var announcedLength: Int? {
        if case .length(let length) = head.framing { length } else { nil }
    }

    /// Whether the client still waits to be asked for its body, as far as anybody knows.
    var awaitsContinue: Bool { head.expectsContinue && bodyBytes == 0 }

    /// The request's body as it is read for what it says, made the first time that one is needed.
    func makeBody() -> RequestBody {
        let made = body ?? RequestBody(pool: buffers)
        body = made
        return made
    }

    /// Asks the client for its body, because the backend that would is not known yet.
    func askForBody(_ client: ClientConnection) {
        hasAskedForBody = true
        client.prepareOutput()
        client.output.append("HTTP/1.1 100 Continue\r\n\r\n")
        client.flush()
    }

    /// The backend's output holds as much as it may, or no longer does.
    func pause(_ isPaused: Bool) { self.isPaused = isPaused }

    // MARK: What the client's time is

    /// From `now` on the rest of the body is waited for.
    func noteProgress(now: Instant) { progressAt = now }

    /// Notes after each round whether the client is waited for to send more of its body.
    func noteWait(_ isAwaited: Bool, now: Instant) {
        if isAwaited {
            clock.start(now: now)
        } else {
            progressAt = now
            clock.stop(now: now)
        }
    }

    /// When a body that is waited for comes too late: by its last piece, by all of it, or by the rate
    /// that it comes at.
    func bodyDeadline(_ limits: Snapshot.Timeouts) -> Instant {
        var at = progressAt.advanced(byNanoseconds: limits.bodyIdleNanoseconds)
        at = min(at, clock.reaches(limits.bodyNanoseconds))
        guard limits.bodyByteNanoseconds > 0 else { return at }
        // A head's time to begin with; from then on each byte has bought some.
        let bought = Double(bodyBytes) * limits.bodyByteNanoseconds
        let allowed = Double(limits.headNanoseconds) + bought
        return min(at, clock.reaches(Int64(min(allowed, 9e18))))
    }

    /// When a body that may come as slowly as it likes is given up, as nothing of it comes.
    func idleDeadline(_ limits: Snapshot.Timeouts) -> Instant {
        progressAt.advanced(byNanoseconds: limits.bodyIdleNanoseconds)
    }

    // MARK: Throwing away

    /// Body bytes read and thrown away to keep a connection; beyond that closing it is cheaper.
    static let discardBytes = 64 * 1024

    /// Whether reading the rest of the body is cheaper than a new connection.
    var isWorthDiscarding: Bool {
        guard isHeadComplete else { return true }
        // Where there is no body at all the parser says so without reading.
        if let length = announcedLength, length - bodyBytes > RequestIntake.discardBytes {
            return false
        }
        return !awaitsContinue
    }

    /// From here on what is left of the body is thrown away, or no longer.
    func discard(_ isDiscarding: Bool) { self.isDiscarding = isDiscarding }
}

// MARK: The body

extension RequestIntake {
    /// Passes on what is there of the body, until it has ended or `upstream`'s output holds
    /// `highBytes`; all of the body may have `bytesMax`.
    func relay(
        from client: ClientConnection, to upstream: UpstreamConnection, highBytes: Int,
        bytesMax: Int
    ) -> BodyStep {
        var relay = BodyRelay(highBytes: highBytes, writesChunks: head.framing.isChunked)
        let step = relay.moveRequest(
            &parser, &client.input, into: &upstream.output, from: buffers,
            readBy: body, bytesMax: bytesMax - bodyBytes)
        if relay.filledOutput { upstream.outputWasFilled() }
        note(relay, step)
        return step
    }

    /// Holds what is there of the body, until it has ended or `room` bytes more are held, beyond which it
    /// is refused or follows later; all of it may have `bytesMax`.
    func hold(
        from client: ClientConnection, room: Int, isRefused: Bool, bytesMax: Int
    ) -> BodyStep {
        guard let body else { return .full(moved: false) }
        var relay = BodyRelay(highBytes: .max, writesChunks: false)
        let step = relay.holdRequest(
            &parser, &client.input, in: body, room: room, isRefused: isRefused,
            bytesMax: bytesMax - bodyBytes)
        memory.changeHeld(by: relay.heldBytes)
        note(relay, step)
        return step
    }

    /// Moves what is there of the body to `buffer`, which is empty, until it has ended or `highBytes` are in it.
    func take(
        from client: ClientConnection, into buffer: inout ByteBuffer, highBytes: Int
    ) -> BodyStep {
        var relay = BodyRelay(highBytes: highBytes, writesChunks: false)
        let step = relay.moveRequest(
            &parser, &client.input, into: &buffer, from: buffers, readBy: nil, bytesMax: .max)
        note(relay, step)
        return step
    }

    /// Throws away what is there of the body.
    func discard(from client: ClientConnection) -> BodyStep {
        var relay = BodyRelay(highBytes: .max, writesChunks: false)
        let step = relay.dropRequest(
            &parser, &client.input, bytesMax: RequestIntake.discardBytes - bodyBytes)
        note(relay, step)
        return step
    }

    private func note(_ relay: borrowing BodyRelay, _ step: BodyStep) {
        bodyBytes += relay.bytes
        if case .ended = step { isComplete = true }
    }

    // MARK: What was held

    /// Hands what is held to `connection`, behind the head, with `change` where there is one.
    func forwardHeld(to connection: UpstreamConnection, _ change: RequestBody.Change?) {
        guard let body, body.isHolding else { return }
        memory.changeHeld(by: -body.held.count)
        if let change { body.apply(change) }
        if head.framing.isChunked {
            connection.output.appendChunk(0..<body.held.count, of: body.held)
        } else if body.held.count > RequestIntake.copiedBytes, connection.flush() > 0,
            connection.output.isEmpty
        {
            // Copying a long prompt costs more than a system call.
            connection.releaseBuffers()
            body.moveHeld(to: &connection.output)
            connection.outputWasFilled()
        } else {
            connection.prepareOutput()
            connection.output.append(0..<body.held.count, of: body.held)
            if sent.isKept, sent.count == 0 { body.giveHeld(to: sent) }
        }
        body.release()
    }

    /// Writes what ends a body of chunks, with the trailers that `editors` let through.
    func endChunks(to connection: UpstreamConnection, _ editors: FieldEditors?) {
        connection.prepareOutput()
        if let editors {
            connection.output.appendLastChunk(trailers: parser.trailers, without: editors.drops)
        } else {
            connection.output.appendLastChunk(trailers: parser.trailers)
        }
    }

    private static let copiedBytes = 16 * 1024

    /// Lets go of what is held and not wanted any more.
    func dropHeld() {
        guard let body, body.isHolding else { return }
        memory.changeHeld(by: -body.held.count)
        body.release()
    }

    /// What the backend's Content-Length differs by from the client's where the body is changed.
    func lengthDifference(_ change: RequestBody.Change) -> Int { body?.growth(change) ?? 0 }
}
