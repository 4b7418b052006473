// A response as its client gets it, a backend's or the gateway's own: how far it has begun, how it is
// framed, what the connection is good for afterwards, and how much of it is taken from the backend ahead
// of a client that reads slowly.
//
// Ahead: the client's output grows in steps, up to a bound for each response and one for all of a
// thread's, so that a slow client keeps neither the backend's connection nor a slot of its limit; beyond
// the bounds the backend waits as it does for everybody. A client that takes what it gets within a moment
// never has any of it.
//
// Life: its exchange's, for one request after another: `reset` forgets all.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor

/// The client's side of a response.
final class ResponseOutlet {
    private let memory: BodyMemory

    /// What the client was told; 0 before.
    private(set) var status = 0
    /// Whether the final response's head is in the client's output.
    private(set) var isBegun = false
    /// How the response's body is framed towards the client.
    private(set) var framing = BodyFraming.none
    /// Whether the client's connection can carry another request after this response.
    private(set) var keepsClient = false
    /// Whether the client has been told that a stream comes which has not begun.
    private(set) var isStreamPromised = false
    /// When a comment is due that keeps the client waiting; never where none are wanted.
    private(set) var commentAt = Instant.distantFuture
    /// Whether reading the backend waits for the client's output to sink to the low mark.
    private(set) var isPaused = false
    /// What the client's output may hold of a response that is taken ahead of it; 0 for the usual.
    private var aheadBytes = 0
    /// A paused response is taken further from then on, although its client is slow.
    private var takesMoreAt = Instant(nanoseconds: 0)

    /// How long a response is paused before it is taken further: a client that reads as fast as it
    /// can empties its buffer in less, again and again.
    private static let momentNanoseconds: Int64 = 20_000_000
    /// When to try again where all responses have as much as they may.
    private static let againNanoseconds: Int64 = 1_000_000_000
    /// The first step; each further one doubles it.
    private static let firstStepBytes = BufferPool.hugePieceBytes

    /// An outlet that has sent nothing.
    init(memory: BodyMemory) { self.memory = memory }

    /// Forgets everything.
    func reset() {
        releaseAhead()
        status = 0
        isBegun = false
        framing = .none
        keepsClient = false
        isStreamPromised = false
        commentAt = .distantFuture
        isPaused = false
    }

    // MARK: The client's connection

    /// The connection is kept after the response where `keeps` says so, as far as the request goes.
    func keepClient(_ keeps: Bool) { keepsClient = keeps }

    /// The connection ends with this response.
    func endClient() { keepsClient = false }

    /// Says in a response's head what becomes of the connection, RFC 9112 section 9.3.
    func appendConnection(_ version: Version, to output: inout ByteBuffer) {
        if !keepsClient {
            output.append("Connection: close\r\n")
        } else if version.isHTTP10 {
            output.append("Connection: keep-alive\r\n")
        }
    }

    // MARK: The head

    /// The response begins with this status, and a body framed like that.
    func begin(status: Int, _ framing: BodyFraming = .none) {
        self.status = status
        self.framing = framing
        isBegun = true
        if framing.isUntilClose { keepsClient = false }
    }

    /// A stream is promised of which nothing is known yet.
    func promiseStream(to version: Version) {
        begin(status: 200, version == .http11 ? .chunked : .untilClose)
        isStreamPromised = true
    }

    /// The stream that was promised has begun.
    func keepPromise() { isStreamPromised = false }

    /// Whether nothing has come to the client yet that another backend could not follow.
    var isOpenToAnother: Bool { !isBegun || isStreamPromised }

    // MARK: Comments

    /// Comments are sent, the next one at `instant`; or none are.
    func comment(at instant: Instant) { commentAt = instant }

    /// Appends something of the gateway's own to the stream, in a chunk where it has chunks.
    func appendToStream(
        _ count: Int, to output: inout ByteBuffer, _ append: (inout ByteBuffer) -> Void
    ) {
        if framing.isChunked { output.appendChunkHead(count) }
        append(&output)
        if framing.isChunked { output.appendChunkEnd() }
    }

    /// Whether something of the gateway's own can be appended, as far as the framing goes.
    var isOpenEnded: Bool { framing.isChunked || framing.isUntilClose }

    // MARK: Its client's pace

    /// Bytes of the response above which it is not read: the `usual` ones, or more.
    func highBytes(usual: Int) -> Int { aheadBytes == 0 ? usual : aheadBytes }

    /// Bytes below which it is read again.
    private func lowBytes(_ snapshot: Snapshot) -> Int {
        aheadBytes == 0 ? snapshot.bufferLowBytes : aheadBytes / 2
    }

    /// The client's output is full.
    func pause(now: Instant) {
        isPaused = true
        takesMoreAt = now.advanced(byNanoseconds: ResponseOutlet.momentNanoseconds)
    }

    /// Goes on where the output of so many bytes has sunk enough; whether the response may be read.
    func resumes(outputBytes: Int, _ snapshot: Snapshot) -> Bool {
        if outputBytes > lowBytes(snapshot) { return false }
        isPaused = false
        return true
    }

    /// A response of another backend follows, of which nothing has come.
    func resume() { isPaused = false }

    /// When a paused response is to be taken further.
    func nextStepAt(_ snapshot: Snapshot) -> Instant {
        guard isPaused, nextStepBytes(snapshot) > highBytes(usual: snapshot.bufferHighBytes)
        else {
            return .distantFuture
        }
        return takesMoreAt
    }

    /// Whether the time has come to take the response further, and there is room for it.
    func takesMore(for client: ClientConnection, _ snapshot: Snapshot, now: Instant) -> Bool {
        guard nextStepAt(snapshot) <= now else { return false }
        if takeStep(for: client, snapshot) { return true }
        takesMoreAt = now.advanced(byNanoseconds: ResponseOutlet.againNanoseconds)
        return false
    }

    /// Makes more room for a response of which some is held; false where it has what it may have.
    func growsFurther(for client: ClientConnection, _ snapshot: Snapshot) -> Bool {
        aheadBytes > 0 && takeStep(for: client, snapshot)
    }

    private func nextStepBytes(_ snapshot: Snapshot) -> Int {
        min(snapshot.responseAheadBytes, max(ResponseOutlet.firstStepBytes, 2 * aheadBytes))
    }

    private func takeStep(for client: ClientConnection, _ snapshot: Snapshot) -> Bool {
        let next = nextStepBytes(snapshot)
        let more = next - aheadBytes
        guard next > highBytes(usual: snapshot.bufferHighBytes),
            memory.aheadBytes + more <= snapshot.responsesTotalBytes
        else { return false }
        memory.changeAhead(by: more)
        aheadBytes = next
        isPaused = false
        client.growOutput(to: next)
        return true
    }

    /// Gives up the room that the response has, which the client has emptied or will not read.
    func releaseAhead() {
        guard aheadBytes > 0 else { return }
        memory.changeAhead(by: -aheadBytes)
        aheadBytes = 0
    }
}
