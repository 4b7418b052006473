// A request as its client sends it: the head, and how far the body has come. It reads and holds; what is
// done about what it finds is its exchange's to decide.
//
// Life: its exchange's, for one request after another: `reset` forgets all but the storage. This file has
// the state; `RequestIntake+Body.swift` the one loop that bodies are read in, `RequestIntake+Sent.swift`
// what is kept of a body that may have to be sent again.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor

/// The client's side of a request.
final class RequestIntake {
    let buffers: BufferPool
    let memory: BodyMemory
    /// Reads the request; used for nothing else.
    var parser: RequestParser
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
        if case .head = event {
            isHeadComplete = true
            isComplete = !head.hasBody
        }
        return event
    }

    // MARK: What is known of the body

    /// Whether the request has no body.
    var isBodyless: Bool { head.framing == .none || head.framing == .length(0) }

    /// The body's bytes: announced, else what has come.
    var bodyLength: Int { announcedLength ?? bodyBytes }

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

    // MARK: Steps that the body loop notes

    /// So many bytes of the body have come.
    @inline(__always) func noteBody(_ bytes: Int) { bodyBytes += bytes }

    /// The body's last byte has been read.
    @inline(__always) func noteEnd() { isComplete = true }

    /// The backend's output holds as much as it may, or no longer does.
    @inline(__always) func pause(_ isPaused: Bool) { self.isPaused = isPaused }

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
