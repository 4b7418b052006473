// One bulk request on its way: lines in, lines out. It is asked for lines by its lane and never reads more
// than that; what is read is asked, and what has ended waits here until the client's output has room.
//
// Bounds: what was read of the body and is no line yet, the water mark of buffers and `bulk.max_line`; lines
// that are asked, the lane's window; answers that wait, `bulk.held`, which the lane counts; what is known of
// lines above the first that is not answered, `BulkWindow.maxLines`.
//
// Life: made with the request's head, owned by its exchange, gone with it; lines that are still asked then are
// cancelled.

internal import Admission
internal import Bulk
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

/// A bulk request that is being answered.
final class BulkRun: LaneUser, TableMember {
    /// Where the shard keeps it, -1 for nowhere.
    var tableIndex = -1
    /// Its `X-Request-ID`.
    private let requestID: [UInt8]
    private let beganAt: Instant
    let settings: BulkSettings
    private let terms: BulkTerms
    private let head: BulkHead
    private let buffers: BufferPool
    private let metrics: GatewayMetrics
    private unowned let client: ClientConnection
    /// Whom lines are asked through; set once, at the beginning.
    private var lane: Lane?

    private var reader: BulkLineReader
    /// Bytes of the body that were read and not looked at.
    private var piece = ByteBuffer()
    private var window: BulkWindow
    /// Results that wait for room, in the order in which they are written, and how many were.
    private var results: [Waiting] = []
    private var writtenCount = 0
    /// Those that wait for others before them, where the order is that of the lines.
    private var order: BulkOrder<Waiting>?
    /// The names of lines that are asked.
    private var names: [Int: [UInt8]] = [:]
    /// Lines that are asked and have not ended.
    private var runningCount = 0
    /// Where a line is put together.
    private var scratch = ByteBuffer()
    /// Whether the body has ended and all of it was looked at.
    private var hasReadAll = false
    /// Why no more lines are read, although there may be more.
    private(set) var stop: Reason?
    /// Whether the last line is written.
    private(set) var hasEnded = false
    /// Whether the client has something to take that the kernel has no room for.
    private var isBlocked = false
    /// What the client has taken of what was sent, and when that last grew.
    private var takenBytes = 0
    private var takenAt: Instant
    /// When something was last written to the client.
    private(set) var wroteAt: Instant
    /// Bytes thrown away of a body whose client reads nothing before it has sent it.
    private var droppedBytes = 0
    /// Whether nothing more is thrown away.
    private(set) var isDropped = false

    /// A result, and how much of the lane's room it takes.
    private struct Waiting {
        var result: BulkResult
        var heldBytes: Int
    }

    /// Lines from the first that is not answered on, where answers come in the order of lines.
    private static let orderedLines = 256
    /// After so much silence a blank line says that the connection lives.
    static let silenceNanoseconds: Int64 = 15_000_000_000
    /// Bytes that are thrown away so that a client that reads nothing meanwhile comes to its answer.
    private static let mostDroppedBytes = 256 << 20
    /// Looks at what the client takes, in the time that it may take nothing.
    static let looks: Int64 = 4

    init(
        _ terms: BulkTerms, _ head: borrowing RequestHead, _ settings: BulkSettings,
        requestID: [UInt8], client: ClientConnection, metrics: GatewayMetrics
    ) {
        self.requestID = requestID
        beganAt = client.reactor.now
        self.settings = settings
        self.terms = terms
        self.head = BulkHead(head)
        self.client = client
        self.metrics = metrics
        buffers = client.reactor.buffers
        reader = BulkLineReader(maxLineBytes: settings.maxLineBytes)
        window = BulkWindow(first: terms.first)
        order = terms.keepsOrder ? BulkOrder(next: terms.first) : nil
        takenAt = client.reactor.now
        wroteAt = client.reactor.now
        super.init()
        metrics.countBulkBegan()
    }

    /// Asks lines through `lane` from now on.
    func begin(_ lane: Lane) { self.lane = lane }

    /// How far it is.
    func snapshot(now: Instant) -> BulkSnapshot {
        BulkSnapshot(
            client: client.peer.text, requestID: String(decoding: requestID, as: UTF8.self),
            ageNanoseconds: now.nanoseconds(since: beganAt), linesRead: window.total,
            linesCompleted: window.completed, linesFailed: window.failed)
    }

    // MARK: What the lane tells

    override func laneHasDemand() { client.advance() }

    override func laneEnded(_ result: consuming LaneResult) {
        guard runningCount > 0 else { return }
        runningCount -= 1
        let name = names.removeValue(forKey: result.key)
        let heldBytes = result.body.count
        let outcome: BulkResult.Outcome =
            switch result.failure {
            case nil: .response(status: result.status, body: result.body)
            case .tooLarge?:
                .failure(
                    code: "answer_too_large",
                    message: "The answer is longer than this gateway takes.")
            case .cut?:
                .failure(code: "answer_cut", message: "The answer ended before it was whole.")
            }
        add(
            BulkResult(
                index: result.key, customID: name, requestID: result.requestID, outcome),
            heldBytes: heldBytes)
        client.advance()
    }

    private func add(_ result: BulkResult, heldBytes: Int) {
        let waiting = Waiting(result: result, heldBytes: heldBytes)
        if order == nil {
            results.append(waiting)
        } else {
            order?.add(waiting, at: result.index)
            while let next = order?.take() { results.append(next) }
        }
    }

    // MARK: Out

    /// Whether results wait for room in the client's output.
    private var hasResults: Bool { writtenCount < results.count }

    /// Writes results while the output has room; whether any was.
    func writeResults(to client: ClientConnection, _ outlet: ResponseOutlet, highBytes: Int) -> Bool
    {
        var moved = false
        while hasResults, !client.hasOutput || client.output.count < highBytes {
            let waiting = results[writtenCount]
            writtenCount += 1
            if writtenCount == results.count || writtenCount >= 1024 {
                results.removeFirst(writtenCount)
                writtenCount = 0
            }
            // Told of with the line itself: what a client has not got is not done.
            window.finish(waiting.result.index, isCompleted: waiting.result.isCompleted)
            metrics.countBulkLine(isCompleted: waiting.result.isCompleted)
            waiting.result.append(doneBelow: window.doneBelow, to: &scratch)
            send(to: client, outlet)
            lane?.release(bytes: waiting.heldBytes)
            client.flush()
            moved = true
        }
        return moved
    }

    /// Sends what was put together.
    private func send(to client: ClientConnection, _ outlet: ResponseOutlet) {
        client.prepareOutput()
        if outlet.framing.isChunked {
            client.output.appendChunk(0..<scratch.count, of: scratch)
        } else {
            client.output.append(0..<scratch.count, of: scratch)
        }
        scratch.removeAll()
        if scratch.capacity > BufferPool.largePieceBytes { scratch = ByteBuffer() }
        wroteAt = client.reactor.now
    }

    /// Whether nothing is left but to say so.
    var isDone: Bool {
        guard !hasEnded, hasReadAll || stop != nil else { return false }
        return runningCount == 0 && !hasResults
    }

    /// Writes the last line, and the end of the answer behind it.
    func writeEnd(to client: ClientConnection, _ outlet: ResponseOutlet) {
        hasEnded = true
        let local = stop.map { LocalReply($0) }
        BulkEnd(window, code: stop?.name).append(message: local?.message, to: &scratch)
        send(to: client, outlet)
        if outlet.framing.isChunked { client.output.appendLastChunk() }
    }

    /// Writes a line that says nothing.
    func writeBlank(to client: ClientConnection, _ outlet: ResponseOutlet) {
        scratch.append(0x0a)
        send(to: client, outlet)
    }

    // MARK: In

    /// Whether another line may be read, where the lane wants so many.
    private func mayRead(_ client: ClientConnection, _ demand: Int, highBytes: Int) -> Bool {
        guard stop == nil, !hasReadAll, !hasResults, demand > 0 else { return false }
        if client.hasOutput, client.output.count >= highBytes { return false }
        return window.hasRoom(
            lines: order == nil ? BulkWindow.maxLines : BulkRun.orderedLines)
    }

    /// Whether reading waits for nothing but room in the client's output.
    func isHeldBackByOutput(_ client: ClientConnection, highBytes: Int) -> Bool {
        guard stop == nil, !hasReadAll, client.hasOutput else { return false }
        return hasResults || client.output.count >= highBytes
    }

    /// Whether it can only go on when the client sends more.
    func awaitsBody(_ client: ClientConnection) -> Bool {
        if stop == .bulkHalfDuplex { return !isDropped }
        if hasEnded { return false }
        return stop == nil && !hasReadAll && runningCount == 0 && !hasResults && piece.isEmpty
            && !client.hasOutput
    }

    /// What reading came to.
    enum Step {
        /// Nothing more can be read now; whether anything was.
        case waits(moved: Bool)
        /// The client has gone.
        case gone
        /// The body's framing is none.
        case invalid
    }

    /// Reads lines as long as they are asked for.
    func read(_ intake: RequestIntake, from client: ClientConnection, highBytes: Int) -> Step {
        var moved = false
        // Counting what is worked on takes time; it grows by itself while lines are asked.
        let asked = runningCount
        let demand = lane?.demand ?? 0
        while mayRead(client, demand - (runningCount - asked), highBytes: highBytes) {
            if beginLine() {
                moved = true
                continue
            }
            if intake.isComplete {
                end()
                return .waits(moved: true)
            }
            switch intake.take(from: client, into: &piece, highBytes: highBytes) {
            case .needsMore(let movedBody):
                if movedBody {
                    moved = true
                } else if client.fill(highBytes: highBytes) > 0 {
                    intake.noteProgress(now: client.reactor.now)
                    moved = true
                } else {
                    return client.inputEnded ? .gone : .waits(moved: moved)
                }
            case .full, .ended: moved = true
            case .invalid, .unreadable, .tooLarge: return .invalid
            case .head: preconditionFailure("a head within a body")
            }
        }
        return .waits(moved: moved)
    }

    /// Takes the next line out of what is there of the body; false where none ends in it.
    private func beginLine() -> Bool {
        guard !piece.isEmpty else { return false }
        var index = 0
        let event = reader.next(in: piece.bytes, at: &index)
        piece.drop(index)
        if piece.isEmpty { buffers.release(from: &piece) }
        return begin(event)
    }

    private func begin(_ event: BulkLineReader.Event) -> Bool {
        switch event {
        case .needMoreData: return false
        case .tooLong: fail(window.begin(), .tooLong, name: nil)
        case .line: ask(window.begin())
        }
        return true
    }

    /// The body has ended: its last line may have no end of its own.
    private func end() {
        _ = begin(reader.finish())
        hasReadAll = true
    }

    /// Asks what the line in hand says.
    private func ask(_ index: Int) {
        var name: [UInt8]?
        do throws(BulkFault) {
            // A list of its own: its span may not outlive a look at the reader's.
            let text = reader.line
            let line = try BulkLine(text.span, target: terms.target, customID: &name)
            let target = line.target.isEmpty ? terms.target : line.target
            guard !isBulk(target) else { throw .invalidURL }
            let body = Array(text[line.body])
            runningCount += 1
            if let name = line.customID { names[index] = name }
            lane?.submit(
                LaneRequest(
                    key: index, head: head.bytes(target: target, bodyBytes: body.count), body: body)
            )
        } catch {
            fail(index, error, name: name)
        }
    }

    /// Whether a line asks for the bulk lane itself.
    private func isBulk(_ target: [UInt8]) -> Bool {
        let end = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
        return BulkTerms.isBelow(target.span.extracting(0..<end), settings.path)
    }

    private func fail(_ index: Int, _ fault: BulkFault, name: [UInt8]?) {
        add(
            BulkResult(
                index: index, customID: name,
                .failure(code: fault.code, message: fault.message)), heldBytes: 0)
    }

    // MARK: Ends

    /// Reads no more lines; those that are asked are answered, unless their client would not read that.
    func stop(_ reason: Reason) {
        guard stop == nil, !hasEnded else { return }
        stop = reason
        if reason == .bulkHalfDuplex { cancel() }
    }

    /// How much a lane may have under way.
    static func lane(_ settings: BulkSettings) -> LaneSettings {
        var lane = LaneSettings()
        lane.mostAnswerBytes = settings.maxAnswerBytes
        lane.mostHeldBytes = settings.heldBytes
        return lane
    }

    /// Gives up what is asked.
    func cancel() {
        runningCount = 0
        names.removeAll()
        lane?.cancel()
    }

    /// Lets go of everything: the exchange is over.
    func leave() {
        cancel()
        lane = nil
        buffers.release(from: &piece)
        metrics.countBulkEnded()
    }

    /// Throws away what its client still sends, until that is all or too much.
    func dropBody(_ intake: RequestIntake, from client: ClientConnection, highBytes: Int) {
        while !isDropped {
            piece.removeAll()
            let step = intake.take(from: client, into: &piece, highBytes: highBytes)
            droppedBytes += piece.count
            switch step {
            case .needsMore(let moved):
                if moved { break }
                let count = client.fill(highBytes: highBytes)
                guard count > 0 else {
                    isDropped = client.inputEnded
                    return
                }
                intake.noteProgress(now: client.reactor.now)
            case .full: break
            case .ended, .invalid, .unreadable, .tooLarge, .head: isDropped = true
            }
            if droppedBytes > BulkRun.mostDroppedBytes { isDropped = true }
        }
    }

    // MARK: Time

    /// Notes after each round whether the client has something to take.
    func noteOutput(_ client: ClientConnection) {
        if client.hasOutput, !isBlocked { takenAt = client.reactor.now }
        isBlocked = client.hasOutput
    }

    /// Notes what the client has taken; for how long it has taken nothing, in nanoseconds.
    func noteTaken(_ client: ClientConnection) -> Int64 {
        let now = client.reactor.now
        let taken = client.sentBytes - (client.unsentBytes() ?? 0)
        if taken != takenBytes || !client.hasOutput {
            takenBytes = taken
            takenAt = now
        }
        return now.nanoseconds(since: takenAt)
    }

    /// Whether the client has sent more than was looked at.
    func hasMore(_ client: ClientConnection) -> Bool {
        !piece.isEmpty || client.hasInput || client.hasPendingInput()
    }
}
