// The inner loop of both directions: what a parser finds in one buffer goes to another one. Parser and
// buffers are arguments, so that each is borrowed once for the whole loop: as properties of objects
// every look at them would be checked at run time for overlaps.

internal import HTTP1
internal import Inference

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
    /// The output takes no more from this many bytes on.
    let highBytes: Int
    /// Whether the output is framed in chunks.
    let writesChunks: Bool
    /// Lends the output its storage.
    let pool: BufferPool
    /// Reads the request's body as it passes, where something of it matters to the gateway.
    var body: RequestBody?
    /// Reads the answer as it passes.
    var answer: AnswerReader?
    /// Events of the answer that ended.
    private(set) var events = 0
    /// Pieces of the body that came, which are its chunks where it has any, and their bytes.
    private(set) var pieces = 0
    private(set) var bytes = 0
    /// Whether the output has storage now that it may not have had before.
    private(set) var filledOutput = false

    init(highBytes: Int, writesChunks: Bool, pool: BufferPool) {
        self.highBytes = highBytes
        self.writesChunks = writesChunks
        self.pool = pool
    }

    /// Moves an answer until something else than a piece of its body comes.
    mutating func moveAnswer(
        _ parser: inout ResponseParser, _ input: inout ByteBuffer, _ output: inout ByteBuffer
    ) -> BodyStep {
        while output.count < highBytes {
            let event: ParserEvent
            do throws(ParseError) {
                event = try parser.next(in: input)
            } catch {
                return .invalid(error)
            }
            if let step = take(event, &input, &output, .max) { return step }
        }
        return .full(moved: pieces > 0)
    }

    /// Moves a request's body until something else than a piece of it comes; at most `bytesMax`.
    mutating func moveRequest(
        _ parser: inout RequestParser, _ input: inout ByteBuffer, _ output: inout ByteBuffer,
        bytesMax: Int
    ) -> BodyStep {
        while output.count < highBytes {
            let event: ParserEvent
            do throws(ParseError) {
                event = try parser.next(in: input)
            } catch {
                return .invalid(error)
            }
            if let step = take(event, &input, &output, bytesMax) { return step }
        }
        return .full(moved: pieces > 0)
    }

    /// Moves a piece of a body; nil to go on.
    private mutating func take(
        _ event: ParserEvent, _ input: inout ByteBuffer, _ output: inout ByteBuffer,
        _ bytesMax: Int
    ) -> BodyStep? {
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
        case .body(let consumed, let content):
            pieces += 1
            bytes += content.count
            guard bytes <= bytesMax else {
                // The parser has gone past these bytes: shown again, they would be read as framing.
                input.drop(consumed)
                return .tooLarge
            }
            if let answer { events += answer.read(content, of: input) }
            if let fault = body?.fault(reading: content, of: input) {
                input.drop(consumed)
                return .unreadable(fault)
            }
            append(content, consumed, &input, &output)
            return nil
        }
    }

    private mutating func append(
        _ content: Range<Int>, _ consumed: Int, _ input: inout ByteBuffer,
        _ output: inout ByteBuffer
    ) {
        filledOutput = true
        if !writesChunks && output.isEmpty && content.count == input.count {
            // A piece of a long body, and nothing else: the buffers change places.
            output.takeAll(of: &input)
            return
        }
        if output.capacity == 0 { output.adopt(pool.lend()) }
        if writesChunks {
            output.appendChunk(content, of: input)
        } else {
            output.append(content, of: input)
        }
        input.drop(consumed)
    }
}
