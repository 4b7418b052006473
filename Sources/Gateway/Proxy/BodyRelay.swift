// The inner loop of both directions: what a parser finds in one buffer goes to another one. Parser and
// buffers are arguments, so that each is borrowed once for the whole loop.

internal import Bytes
internal import HTTP1
internal import Inference
internal import Reactor

/// How far a step of relaying came.
enum BodyStep {
    /// All that was there is moved, and more has to be read; whether anything was moved.
    case needsMore(moved: Bool)
    /// A head is complete, and its bytes are consumed.
    case head
    /// The message has ended.
    case ended
    /// The bytes are no valid message.
    case invalid(ParseError)
    /// The body is not what its head says it is.
    case unreadable(BodyFault)
    /// The body has more bytes than it may, all of which were consumed and not all passed on.
    case tooLarge
    /// The output holds as much as it may; whether anything was moved.
    case full(moved: Bool)
}

/// One step of relaying, and what it came to.
struct BodyRelay {
    /// The most that the output holds, framing included.
    let highBytes: Int
    /// Whether the output is framed in chunks.
    let writesChunks: Bool
    /// Events of the response that ended.
    private(set) var events = 0
    /// Pieces of the body that came, which are its chunks where it has any, and their bytes.
    private(set) var pieces = 0
    private(set) var bytes = 0
    /// How many of them are held now.
    private(set) var heldBytes = 0
    /// Whether the response that was moved comes in chunks.
    private(set) var readsChunks = false
    /// Whether the output has storage now that it may not have had before.
    private(set) var filledOutput = false

    init(highBytes: Int, writesChunks: Bool) {
        self.highBytes = highBytes
        self.writesChunks = writesChunks
    }

    /// What a chunk has beside its content: its size and two line ends, and the last one comes behind it.
    static let chunkBytes = 32

    /// What the output takes of a body.
    private func room(in output: borrowing ByteBuffer) -> Int {
        highBytes - output.count - (writesChunks ? BodyRelay.chunkBytes : 0)
    }

    /// Less room than this is none: what is read and written in crumbs costs more than it holds.
    private var roomWorthAStep: Int { BodyRelay.roomWorthAStep(highBytes) }

    /// The same for buffers of that size.
    static func roomWorthAStep(_ highBytes: Int) -> Int { min(4096, highBytes / 8) }

    /// How much to read while an output holds `count` bytes: no more than is then passed on at
    /// once, so that a body that somebody takes slowly waits in one buffer and not in two.
    ///
    /// Of what comes in chunks as much goes out, and a little more where one was read in parts.
    static func bytesToRead(_ highBytes: Int, outputHolds count: Int) -> Int {
        max(roomWorthAStep(highBytes), highBytes - count - 64)
    }

    /// Moves a response until something else than a piece of its body comes; `pool` lends the output its
    /// storage, and `reader` reads the response as it passes and says where not all of it is to pass.
    mutating func moveResponse(
        _ parser: inout ResponseParser, _ input: inout ByteBuffer, _ output: inout ByteBuffer,
        from pool: BufferPool, readBy reader: ResponseReader?
    ) -> BodyStep {
        let filters = reader?.isFiltered == true
        // Asked here, where the parser is borrowed anyway, and of what it stores: a call would copy all of it.
        defer { readsChunks = parser.head.framing.isChunked }
        while true {
            let room = room(in: output)
            if room < roomWorthAStep { return .full(moved: pieces > 0) }
            let event: ParserEvent
            do throws(ParseError) {
                event = try parser.next(in: input, contentAtMost: room)
            } catch {
                return .invalid(error)
            }
            if case .body(let consumed, let content) = event {
                count(content)
                if let reader { events += reader.read(content, of: input) }
                if filters, let reader {
                    appendFiltered(content, of: input, by: reader, &output, pool)
                    input.drop(consumed)
                } else {
                    append(content, consumed, &input, &output, pool)
                }
            } else {
                return step(event, &input)
            }
        }
    }

    /// What becomes of a request's content.
    private enum Use {
        case passed, dropped
        case held(Int)
        case heldOrRefused(Int)
    }

    /// Moves a request's body to `output` until something else than a piece of it comes; at most
    /// `bytesMax`.
    ///
    /// `pool` lends the output its storage, and `body` reads what passes where something of it
    /// matters to the gateway.
    mutating func moveRequest(
        _ parser: inout RequestParser, _ input: inout ByteBuffer,
        into output: inout ByteBuffer, from pool: BufferPool, readBy body: RequestBody?,
        bytesMax: Int
    ) -> BodyStep {
        read(&parser, &input, .passed, &output, pool, body, bytesMax)
    }

    /// Holds a request's body until something else than a piece of it comes, or `room` bytes more are held;
    /// at most `bytesMax`.
    ///
    /// Where the body `isRefused` beyond the room, a piece that does not fit is dropped, whole; else at
    /// least a byte is held of it.
    mutating func holdRequest(
        _ parser: inout RequestParser, _ input: inout ByteBuffer, in body: RequestBody, room: Int,
        isRefused: Bool, bytesMax: Int
    ) -> BodyStep {
        var nowhere = ByteBuffer()
        return read(
            &parser, &input, isRefused ? .heldOrRefused(room) : .held(room), &nowhere, nil, body,
            bytesMax)
    }

    /// Drops a request's body until something else than a piece of it comes; at most `bytesMax`.
    mutating func dropRequest(
        _ parser: inout RequestParser, _ input: inout ByteBuffer, bytesMax: Int
    ) -> BodyStep {
        var nowhere = ByteBuffer()
        return read(&parser, &input, .dropped, &nowhere, nil, nil, bytesMax)
    }

    /// The loop over the parser's events.
    @inline(__always)
    private mutating func read(
        _ parser: inout RequestParser, _ input: inout ByteBuffer, _ use: Use,
        _ output: inout ByteBuffer, _ pool: BufferPool?, _ body: RequestBody?, _ bytesMax: Int
    ) -> BodyStep {
        while true {
            let room: Int
            switch use {
            case .passed:
                room = self.room(in: output)
                if room < roomWorthAStep { return .full(moved: pieces > 0) }
            case .held(let most):
                if bytes > 0, bytes >= most { return .full(moved: true) }
                room = max(1, most - bytes)
            case .heldOrRefused, .dropped: room = .max
            }
            let event: ParserEvent
            do throws(ParseError) {
                event = try parser.next(in: input, contentAtMost: room)
            } catch {
                return .invalid(error)
            }
            guard case .body(let consumed, let content) = event else {
                return step(event, &input)
            }
            count(content)
            guard bytes <= bytesMax else {
                // The parser has gone past these bytes: shown again, they would be read as framing.
                input.drop(consumed)
                return .tooLarge
            }
            if case .heldOrRefused(let most) = use, bytes > most {
                input.drop(consumed)
                return .full(moved: true)
            }
            if let body {
                switch use {
                case .held, .heldOrRefused:
                    body.hold(content, of: input)
                    heldBytes += content.count
                case .passed, .dropped: break
                }
                if body.isFollowed, let fault = body.fault(reading: content, of: input) {
                    input.drop(consumed)
                    return .unreadable(fault)
                }
            }
            if case .passed = use, let pool {
                append(content, consumed, &input, &output, pool)
            } else {
                input.drop(consumed)
            }
        }
    }

    private mutating func count(_ content: Range<Int>) {
        pieces += 1
        bytes += content.count
    }

    /// What an event comes to that is no piece of a body.
    private func step(_ event: ParserEvent, _ input: inout ByteBuffer) -> BodyStep {
        switch event {
        case .needMoreData(let consumed):
            input.drop(consumed)
            return .needsMore(moved: pieces > 0)
        case .head(let consumed):
            input.drop(consumed)
            return .head
        case .end(let consumed):
            input.drop(consumed)
            return .ended
        case .body:
            preconditionFailure("a piece of a body is moved")
        }
    }

    /// Appends what `reader` lets pass of a piece of a body, at most an event more than that.
    private mutating func appendFiltered(
        _ content: Range<Int>, of input: borrowing ByteBuffer, by reader: ResponseReader,
        _ output: inout ByteBuffer, _ pool: BufferPool
    ) {
        reader.filter(content, of: input)
        appendPassed(by: reader, &output, pool)
    }

    /// Appends what `reader` has let pass last.
    mutating func appendPassed(
        by reader: ResponseReader, _ output: inout ByteBuffer, _ pool: BufferPool
    ) {
        if reader.passed.isEmpty { return }
        filledOutput = true
        if output.capacity == 0 { pool.acquire(for: &output) }
        if writesChunks {
            output.appendChunk(reader.passed.span)
        } else {
            output.append(reader.passed)
        }
    }

    private mutating func append(
        _ content: Range<Int>, _ consumed: Int, _ input: inout ByteBuffer,
        _ output: inout ByteBuffer, _ pool: BufferPool
    ) {
        filledOutput = true
        if !writesChunks && output.isEmpty && content.count == input.count {
            // A piece of a long body, and nothing else: the buffers change places.
            output.takeAll(of: &input)
            return
        }
        if output.capacity == 0 { pool.acquire(for: &output) }
        if writesChunks {
            output.appendChunk(content, of: input)
        } else {
            output.append(content, of: input)
        }
        input.drop(consumed)
    }
}
