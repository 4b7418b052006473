// One try of a request at one backend: the permit, the dial or the connection, and what has come of the
// response. What is done when it fails is its exchange's to decide.
//
// Life: begins with a permit, ends when the permit is spent and the connection given up; what the log says
// of it stays until the next one begins. One object serves the tries of one exchange after another, and
// each begins with state made anew.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Reactor
internal import Telemetry

/// A try of a request at a backend.
final class Attempt {
    private var permit: Permit?
    private var dial: Dial?
    private(set) var connection: UpstreamConnection?
    /// When what happened.
    private(set) var times = Times()
    /// What has come of the response.
    private(set) var response = Response()
    /// The last backend's label.
    private(set) var backend: BackendID?
    /// Whether it is on a connection that had served before.
    private(set) var isReused = false
    /// Whether it waits for a connection of a worker's.
    private(set) var awaitsWorker = false
    /// Whether the body is kept back until a worker says that it takes the request.
    private(set) var awaitsGrant = false
    /// What follows the response, of a dialect whose responses are read.
    private var reader: ResponseReader?

    /// Instants, each zero until it happens.
    struct Times {
        /// The permit was granted.
        var grantedAt = Instant(nanoseconds: 0)
        /// The last dial began.
        var dialBeganAt = Instant(nanoseconds: 0)
        /// A connection to the backend was there.
        var connectedAt = Instant(nanoseconds: 0)
        /// The backend last took or gave a byte.
        var progressAt = Instant(nanoseconds: 0)
        /// A sign of the backend's life was last told to its pool.
        var lifeReportedAt = Instant(nanoseconds: 0)
    }

    /// What has come of a response.
    struct Response {
        /// The response's first byte was there.
        var firstByteAt = Instant(nanoseconds: 0)
        /// The last event of a stream was there.
        var lastEventAt = Instant(nanoseconds: 0)
        /// The first and the last event of a stream were there that carried tokens.
        var firstTokenAt = Instant(nanoseconds: 0)
        var lastTokenAt = Instant(nanoseconds: 0)
        /// The response's last byte was there.
        var endedAt = Instant(nanoseconds: 0)
        /// What the backend answered; 0 before.
        var status = 0
        /// Whole seconds of its `Retry-After`; 0 without one.
        var retryAfterSeconds = 0
        /// Interim responses that came.
        var interims = 0
        /// The body's bytes, without chunk framing.
        var bodyBytes = 0
        /// Events where it is a stream, else chunks: what the limit takes for work.
        var pieces = 0
        /// Events of a stream that carried tokens.
        var tokens = 0
        /// Whether all bytes that were read have been looked at.
        var needsMore = true

        /// Whether anything has come.
        var hasBegun: Bool { firstByteAt.nanoseconds != 0 }
        /// Whether an event of a stream has come.
        var hasEvents: Bool { lastEventAt.nanoseconds != 0 }
        /// Whether all has come.
        var hasEnded: Bool { endedAt.nanoseconds != 0 }
    }

    /// Interim responses passed on for one request; a backend that sends more is not taken seriously.
    static let mostInterims = 16

    /// Whether there ever was a permit.
    var wasGranted: Bool { times.grantedAt.nanoseconds != 0 }

    /// From the permit to the connection; nil where none came.
    var connectNanoseconds: Int64? {
        guard times.connectedAt.nanoseconds != 0 else { return nil }
        return times.connectedAt.nanoseconds(since: times.grantedAt)
    }

    /// From the permit to the response's first byte; nil where none came.
    var firstByteNanoseconds: Int64? {
        guard response.hasBegun else { return nil }
        return response.firstByteAt.nanoseconds(since: times.grantedAt)
    }

    /// Forgets everything but the storage.
    func reset() {
        precondition(permit == nil && connection == nil, "an attempt ended and kept something")
        guard wasGranted else { return }
        times = Times()
        response = Response()
        backend = nil
        isReused = false
        awaitsWorker = false
        awaitsGrant = false
        reader?.reset()
    }

    // MARK: The permit

    /// Begins with a permit.
    func begin(_ permit: consuming Permit, now: Instant) {
        times = Times()
        times.grantedAt = now
        response = Response()
        isReused = false
        awaitsWorker = false
        awaitsGrant = false
        backend = permit.backend
        self.permit = consume permit
    }

    /// Whether it has a permit.
    var hasPermit: Bool { permit != nil }

    /// Whom the request waits for; nil without a permit.
    var awaited: Awaited? {
        switch permit {
        case .some(let held): held.awaited
        case nil: nil
        }
    }

    /// Units of the limit that the request takes; 0 without a permit.
    var seats: Int {
        switch permit {
        case .some(let held): held.seats
        case nil: 0
        }
    }

    /// The permit, which has to be spent now; nil where it was spent.
    func takePermit() -> Permit? { permit.take() }

    /// Tells `pool` whom the request waits for.
    func wait(on awaited: Awaited, in pool: Pool) { pool.wait(on: awaited, &permit) }

    /// Tells `pool` that the client has left; what becomes of the backend's work.
    func leave(_ pool: Pool, _ kind: RequestKind, _ phase: Outcome.Phase) -> Departure {
        pool.leave(&permit, kind, phase)
    }

    /// Whether `pool` lets the request go to another backend after this outcome.
    func mayRetry(in pool: Pool, after outcome: Outcome) -> Bool {
        pool.mayRetry(&permit, after: outcome)
    }

    // MARK: The connection

    /// A dial begins.
    func beginDial(now: Instant) {
        isReused = false
        times.dialBeganAt = now
    }

    /// Waits for `dial`; false where none could be made.
    func await(_ dial: Dial?) -> Bool {
        self.dial = dial
        return dial != nil
    }

    /// The dial has ended.
    func endDial() { dial = nil }

    /// Gives the dial up.
    func cancelDial(of dialler: Dialler) {
        guard let dial else { return }
        self.dial = nil
        dialler.cancel(dial)
    }

    /// A connection is there that had served before.
    func reuse() { isReused = true }

    /// Waits for a worker's connection.
    func awaitWorker(now: Instant) {
        beginDial(now: now)
        awaitsWorker = true
    }

    /// Keeps the body back.
    func awaitGrant() { awaitsGrant = true }

    /// The worker takes the request.
    func endGrantWait() { awaitsGrant = false }

    /// Goes on with `connection`.
    func attach(_ connection: UpstreamConnection, now: Instant) {
        self.connection = connection
        awaitsWorker = false
        times.connectedAt = now
        times.progressAt = now
    }

    /// Goes on without a connection; with the same permit, a fresh one may follow.
    func detach() { connection = nil }

    /// The backend took or gave a byte, or is not waited for.
    @inline(__always) func noteProgress(now: Instant) { times.progressAt = now }

    // MARK: The response

    /// Forgets the response, which is not what the client gets.
    func forgetResponse() {
        response = Response()
        reader?.reset()
    }

    /// Whether a stream of events is under way whose form is known.
    var isStream: Bool { reader?.isStream == true }

    /// The form of the stream, while an event of the gateway's own can follow what has come; else nil.
    var openFormat: EventSplitter.Format? { reader?.openFormat }

    /// Whether a stream of events is under way that is a success.
    var isServedStream: Bool { isStream && response.status / 100 == 2 }

    /// Keeps events that only have usage from the client.
    func filterUsage() { reader?.filterUsage() }

    /// Whether not all of the response passes.
    var isFiltered: Bool { reader?.isFiltered == true }

    /// The response has ended: passes on what is left of an event that is not complete.
    func passRest(to client: ClientConnection, writesChunks: Bool) {
        guard let reader, reader.isFiltered else { return }
        reader.finishFilter()
        var relay = BodyRelay(highBytes: .max, writesChunks: writesChunks)
        relay.appendPassed(by: reader, &client.output, client.buffers)
        if relay.filledOutput { client.outputWasFilled() }
    }

    /// What the response has reported of tokens.
    var reportedUsage: TokenUsage { reader?.usage ?? TokenUsage() }

    /// Whether the response is read, and is no stream.
    var isReadWhole: Bool { reader?.isStream == false }

    /// Notes what a final response's head says of itself; `isRead` where its body is to be read.
    func noteHead(_ head: borrowing ResponseHead, isRead: Bool, now: Instant) {
        if !response.hasBegun { response.firstByteAt = now }
        response.status = head.status
        if isRead {
            let reader = reader ?? ResponseReader()
            self.reader = reader
            reader.begin(head)
        }
        noteRetryAfter(head)
    }

    /// Notes for how long a backend asks not to be sent more.
    func noteRetryAfter(_ head: borrowing ResponseHead) {
        guard Outcome(status: head.status) == .overload, let field = head.firstField(.retryAfter)
        else { return }
        response.retryAfterSeconds = Attempt.wholeSeconds(head.value(of: field))
    }

    /// An interim response has come; false where there are too many.
    func noteInterim() -> Bool {
        response.interims += 1
        guard response.interims <= Attempt.mostInterims else { return false }
        // What was promised within its time is the response itself.
        response.firstByteAt = Instant(nanoseconds: 0)
        return true
    }

    /// The response becomes a tunnel.
    func noteSwitch(status: Int, now: Instant) {
        response.status = status
        response.endedAt = now
        times.progressAt = now
    }

    /// The response's last byte was there.
    func noteEnd(now: Instant) { response.endedAt = now }

    /// Events have come.
    func noteEvents(now: Instant) { response.lastEventAt = now }

    /// Events that carry tokens have come; the time since the last one, nil before the first.
    func noteTokens(now: Instant) -> Int64? {
        defer { response.lastTokenAt = now }
        guard response.lastTokenAt.nanoseconds != 0 else {
            response.firstTokenAt = now
            return nil
        }
        return now.nanoseconds(since: response.lastTokenAt)
    }

    // The connection is an argument of what follows: whoever calls has it in hand already.

    /// Reads more of the response while fewer than `highBytes` are buffered; false where nothing came.
    func fill(
        from connection: UpstreamConnection, for client: ClientConnection, highBytes: Int,
        now: Instant
    ) -> Bool {
        let held = connection.hasInput ? connection.input.count : 0
        // What is left in a full buffer when more is asked for is a head, or trailers: they may be
        // larger than what is buffered of a body.
        let most = held >= highBytes ? UpstreamConnection.headLimits.maxHeadBytes : highBytes
        let wanted = BodyRelay.bytesToRead(
            highBytes, outputHolds: client.hasOutput ? client.output.count : 0)
        guard connection.fill(highBytes: min(most, held + wanted)) > 0 else { return false }
        times.progressAt = now
        if !response.hasBegun { response.firstByteAt = now }
        return true
    }

    /// Whether there is something to look at: what was read before, or is read now.
    func hasMore(
        from connection: UpstreamConnection, for client: ClientConnection, highBytes: Int,
        now: Instant
    ) -> Bool {
        if response.needsMore, !connection.hasInput,
            !fill(from: connection, for: client, highBytes: highBytes, now: now)
        {
            return false
        }
        response.needsMore = false
        return true
    }

    /// All that was read has been looked at.
    func waitForMore() { response.needsMore = true }

    /// Moves what was read to the client's output, which may hold `highBytes`; `isRead` where the body is
    /// read.
    ///
    /// Returns the step, and the events of a stream or else the chunks that were moved.
    func move(
        from connection: UpstreamConnection, to client: ClientConnection, highBytes: Int,
        writesChunks: Bool, isRead: Bool
    ) -> (step: BodyStep, events: Int) {
        var relay = BodyRelay(highBytes: highBytes, writesChunks: writesChunks)
        let step = relay.moveResponse(
            &connection.parser, &connection.input, &client.output,
            from: client.buffers, readBy: isRead ? reader : nil)
        guard relay.pieces > 0 else { return (step, 0) }
        if relay.filledOutput { client.outputWasFilled() }
        response.bodyBytes += relay.bytes
        // A server that streams sends a chunk for each event; a body of known length says nothing
        // of the work in it.
        if isRead, isStream {
            response.pieces += relay.events
            if let reader { response.tokens = reader.tokenEvents }
            return (step, relay.events)
        }
        if relay.readsChunks { response.pieces += relay.pieces }
        return (step, 0)
    }

    /// Whether the end of the connection is the response's end too.
    func isEndOfResponse(on connection: UpstreamConnection) -> Bool {
        // A reset is no end: bytes may be missing that a body without a length does not miss.
        guard !connection.isBroken else { return false }
        do throws(ParseError) {
            if case .end = try connection.parser.endOfInput() { return true }
        } catch {}
        return false
    }

    /// Tells `pool` what came beyond `pieces`, while the permit is held.
    func report(to pool: Pool, since pieces: Int, now: Instant) {
        guard let backend else { return }
        if response.pieces > pieces {
            times.lifeReportedAt = now
            pool.progress(at: backend, units: response.pieces - pieces)
        } else if times.progressAt == now {
            pool.lives(backend, toldAt: &times.lifeReportedAt)
        }
    }

    /// What the backend did for the request so far.
    func work(_ outcome: Outcome, _ charge: Charge) -> ServedWork {
        var work = ServedWork(units: max(1, response.pieces))
        if let time = firstByteNanoseconds { work.firstByteNanoseconds = time }
        work.charge = charge
        if outcome == .success, response.pieces == 0, response.bodyBytes > 0 {
            work.size = Double(response.bodyBytes)
        }
        if outcome == .overload, response.retryAfterSeconds > 0 {
            work.retryAfterNanoseconds = Int64(response.retryAfterSeconds) * 1_000_000_000
        }
        return work
    }

    /// Whole seconds, a minute at most, of what is a number or a date (RFC 9110 section 10.2.3); 0 for
    /// what is neither.
    private static func wholeSeconds(_ text: Span<UInt8>) -> Int {
        var seconds = 0
        for index in text.indices {
            let digit = Int(text[index]) - 0x30
            guard (0...9).contains(digit) else { return secondsUntil(text) }
            seconds = min(10 * seconds + digit, longestRetryAfterSeconds)
        }
        return seconds
    }

    private static func secondsUntil(_ date: Span<UInt8>) -> Int {
        let now = Int(ProcessClock.wallNanoseconds() / 1_000_000_000)
        guard let then = HTTPDate.seconds(date, now: now) else { return 0 }
        return min(max(0, then - now), longestRetryAfterSeconds)
    }

    private static let longestRetryAfterSeconds = 60
}
