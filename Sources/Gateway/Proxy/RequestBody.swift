// A request's body as far as it is read to route the request: what of it is held until it can be
// forwarded, and the readers that go on while the rest of it passes, so that a second `model` at
// its end is found before the backend has the whole of it. An exchange makes one the first time
// that it is needed and keeps it for its later requests.
//
// Where a route cannot be found without the body, one that cannot be read is refused. Where the gateway would
// only like to know what is in it, it looks, and what it cannot read passes as it came.

internal import Bytes
internal import HTTP1
internal import Inference
internal import Reactor
internal import Telemetry

/// The body of a request that is routed by model.
final class RequestBody {
    /// Content that is not forwarded yet.
    private(set) var held = ByteBuffer()
    /// Whether something is held.
    var isHolding: Bool { held.capacity > 0 }
    /// Whether the body is still read as it passes.
    private(set) var isFollowed = false
    /// Whether it was begun to read the body.
    private(set) var isBegun = false
    /// Whether a body that cannot be read is refused.
    private(set) var isNeeded = true
    /// Whether the body turned out to be none that can be read, and is not refused for that.
    private(set) var isUnread = false
    /// What is done about the body that is looked at.
    private var looking = Look()
    /// Whether all of it was read, to its end.
    private(set) var isReadWhole = false
    /// Whether the body is compressed, so that no name in it can be replaced.
    private(set) var isCompressed = false
    private var request = RequestReader()
    private var form: MultipartReader?
    private var inflater: Inflater?
    private let pool: BufferPool

    /// A body that nothing has come of, whose storage `pool` lends.
    init(pool: BufferPool) { self.pool = pool }

    /// What keeps a body from being read.
    enum Obstacle {
        /// Its coding, or its form without a boundary.
        case encoding
        /// Memory.
        case memory
    }

    /// Begins to read the body that `head` announces; the obstacle where there is one.
    func begin(_ head: borrowing RequestHead) -> Obstacle? {
        isBegun = true
        isFollowed = true
        switch ContentCoding(of: head) {
        case .identity: break
        case .gzip:
            guard let made = Inflater() else { return .memory }
            inflater = made
            isCompressed = true
        case .other: return .encoding
        }
        if let field = head.firstField(.contentType), FormType.isForm(head.value(of: field)) {
            form = MultipartReader(contentType: head.value(of: field))
            if form == nil { return .encoding }
        }
        return nil
    }

    /// What a body is looked at for.
    struct Look {
        /// Whether its coding is said to be gzip.
        var mayBeGzip = false
        /// Whether it is expanded then.
        var expands = false
        /// While fewer bytes are held, it is refused where servers do not agree on whether it asks for a
        /// stream.
        var decidesWithin = 0
    }

    /// Begins to look at the body, which passes whatever is found.
    func begin(looking look: Look) {
        isBegun = true
        isFollowed = true
        isNeeded = false
        looking = look
        request.reset(isStrict: false)
    }

    /// The request goes on by what was found so far; what is found later is no fault of it.
    func endLook() { looking.decidesWithin = 0 }

    /// Whether the body is looked at, and not needed.
    var isOnlyLookedAt: Bool { isBegun && !isNeeded }

    /// Holds a piece of the content until it can be forwarded.
    func hold(_ content: Range<Int>, of input: borrowing ByteBuffer) {
        pool.makeRoom(in: &held, for: held.count + content.count)
        held.append(content, of: input)
    }

    /// Reads a piece of the content.
    func read(_ content: Range<Int>, of input: borrowing ByteBuffer) throws(BodyFault) {
        let bytes = input.bytes.extracting(content)
        if looking.mayBeGzip, !bytes.isEmpty { lookAtFirst(bytes[0]) }
        guard let inflater else {
            if isFollowed { try read(bytes) }
            return
        }
        var index = 0
        while true {
            let before = index
            let count = try inflater.step(bytes, at: &index)
            if count == 0 && index == before { return }
            try read(inflater.output, count)
        }
    }

    /// Whether a body that is said to be gzip is: some servers do not look at what is said.
    private func lookAtFirst(_ byte: UInt8) {
        looking.mayBeGzip = false
        guard byte == 0x1f else { return }
        inflater = looking.expands ? Inflater() : nil
        isCompressed = true
        if inflater == nil { giveUp() }
    }

    /// The body is not read any further, and passes.
    private func giveUp() {
        isUnread = true
        isFollowed = false
    }

    /// Reads a piece of the content, and answers what is wrong with it.
    func fault(reading content: Range<Int>, of input: borrowing ByteBuffer) -> BodyFault? {
        do throws(BodyFault) {
            try read(content, of: input)
            return nil
        } catch {
            if isNeeded || error == .ambiguousField { return error }
            giveUp()
            return nil
        }
    }

    private func read(_ bytes: borrowing [UInt8], _ count: Int) throws(BodyFault) {
        try read(bytes.span.extracting(0..<count))
    }

    private func read(_ bytes: Span<UInt8>) throws(BodyFault) {
        if !isNeeded { return try look(at: bytes) }
        if form == nil { try request.read(bytes) } else { try form?.read(bytes) }
    }

    /// Reads what can be read.
    ///
    /// What is expanded is expanded to its end: its length counts.
    private func look(at bytes: Span<UInt8>) throws(BodyFault) {
        if isUnread { return }
        do throws(BodyFault) {
            try request.read(bytes)
        } catch {
            if error == .ambiguousField, held.count < looking.decidesWithin { throw error }
            isUnread = true
            isFollowed = inflater != nil
        }
    }

    /// Notes that the body has ended.
    func finish() throws(BodyFault) {
        isFollowed = false
        do throws(BodyFault) {
            try inflater?.finish()
            isReadWhole = true
            if let form { try form.finish() } else if !isUnread { try request.finish() }
        } catch {
            if isNeeded { throw error }
            isUnread = true
        }
    }

    /// Bytes of the content as a server reads it, of a body that has `bodyBytes` and is said to be gzip: as
    /// many where no server could expand it, else no fewer than it expands to; nil where nothing is known.
    func contentBytes(of bodyBytes: Int) -> Int? {
        guard isBegun, !looking.mayBeGzip else { return nil }
        guard let inflater else { return isCompressed ? nil : bodyBytes }
        return inflater.expandedBytes + Inflater.mostExpanded(from: bodyBytes - inflater.readBytes)
    }

    /// Whether the model is known.
    var hasModel: Bool { form?.hasModel ?? request.hasModel }
    /// The model as the client names it; empty while it is not known.
    var model: [UInt8] { form?.model ?? request.model }
    /// Where the name stands in the content.
    var modelRange: Range<Int> { form?.modelRange ?? request.modelRange }
    /// Whether the name stands in JSON, where some bytes need escaping.
    private var isJSON: Bool { form == nil }
    /// Whether a stream is asked for; nil while nothing is said.
    var streams: Bool? { isUnread ? nil : request.streams }
    /// The most tokens that are asked for.
    var maxTokens: Int? { request.maxTokens }
    /// How many responses are asked for.
    var choices: Int { request.choices }

    /// What is different in the body that the backend gets.
    struct Change {
        /// The name that stands for the model; nil where it stays.
        var model: [UInt8]?
        /// Whether the usage of the stream is asked for.
        var asksForUsage = false
    }

    /// Whether the body, which was read whole and is held, can be made to ask for the usage of its stream,
    /// and does not yet.
    var mayAskForUsage: Bool {
        isJSON && !isCompressed && isHolding && isReadWhole && !isUnread
            && request.usageEdit != nil
    }

    /// Whether it asks for that by itself.
    var asksForUsage: Bool { request.asksForUsage }

    /// How `change` is written, in the order of the body's bytes.
    private func edits(_ change: Change) -> [TextEdit] {
        var edits: [TextEdit] = []
        if let model = change.model { edits.append(TextEdit(modelRange, replacement(for: model))) }
        if change.asksForUsage, let edit = request.usageEdit { edits.append(edit) }
        return edits.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    /// How much longer the body becomes by `change`.
    func growth(_ change: Change) -> Int { edits(change).reduce(0) { $0 + $1.growth } }

    /// The bytes that stand for the model in the body when it names `model`.
    private func replacement(for model: [UInt8]) -> [UInt8] {
        guard isJSON else { return model }
        var escaped = ByteBuffer()
        escaped.append(jsonEscaped: model.span)
        var bytes: [UInt8] = []
        for index in 0..<escaped.count { bytes.append(escaped.bytes[index]) }
        return bytes
    }

    /// Writes `change` into what is held.
    func apply(_ change: Change) {
        var rewritten = ByteBuffer()
        var written = 0
        for edit in edits(change) {
            rewritten.append(written..<edit.range.lowerBound, of: held)
            rewritten.append(edit.bytes)
            written = edit.range.upperBound
        }
        rewritten.append(written..<held.count, of: held)
        swap(&rewritten, &held)
        pool.release(from: &rewritten)
    }

    /// Exchanges what is held for `output`, which is empty.
    func moveHeld(to output: inout ByteBuffer) { swap(&output, &held) }

    /// Gives what is held to `sent`, which keeps it.
    func giveHeld(to sent: SentBody) { sent.take(&held) }

    /// Gives up what is held.
    func release() { pool.release(from: &held) }

    /// Forgets everything but the storage that is worth keeping.
    func reset() {
        release()
        isFollowed = false
        isBegun = false
        isNeeded = true
        isUnread = false
        looking = Look()
        isReadWhole = false
        isCompressed = false
        request.reset()
        form = nil
        inflater = nil
    }
}
