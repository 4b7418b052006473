// One connection to the bulk lane: lines go out as fast as the gateway takes them, and answers are read all the
// while.

internal import Admission
internal import Bulk
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor

/// One bulk request.
final class BulkConnection: StreamConnection {
    private unowned let transfer: BulkTransfer
    private let lines: BulkInput
    private let first: Int
    private var parser = ResponseParser(limits: HeadLimits())
    private var reader = BulkLineReader(maxLineBytes: BulkConnection.mostLineBytes)
    private var piece = ByteBuffer()
    private var hasSentAll = false
    private var hasEnded = false
    private var isHeadRead = false
    /// The body of a refusal.
    private var refusal: [UInt8] = []
    private var last: BulkEnd?

    private static let mostLineBytes = 1 << 30
    private static let highBytes = 128 * 1024
    private static let mostRefusalBytes = 64 * 1024
    /// A gateway that lives says something every 15 s.
    private static let silenceNanoseconds: Int64 = 60_000_000_000

    init(
        _ transfer: BulkTransfer, _ transport: consuming Transport, _ lines: BulkInput, first: Int
    ) {
        self.transfer = transfer
        self.lines = lines
        self.first = first
        super.init(reactor: transfer.reactor)
        open(transport)
    }

    /// Sends the head; false when the kernel refuses to watch the connection.
    func begin() -> Bool {
        guard start() else { return false }
        let settings = transfer.settings
        parser.begin(requestMethod: .post)
        prepareOutput()
        output.append(
            "POST \(settings.address.path.isEmpty ? "/bulk" : settings.address.path)?from=\(first)")
        if settings.keepsOrder { output.append("&order=input") }
        output.append(
            " HTTP/1.1\r\nHost: \(settings.address.authority)\r\nUser-Agent: penstock/\(Penstock.version)\r\n"
        )
        output.append("Content-Type: application/x-ndjson\r\nAccept: application/x-ndjson\r\n")
        if !settings.key.isEmpty {
            output.append("Authorization: Bearer ")
            output.append(settings.key.span)
            output.append("\r\n")
        }
        output.append("Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
        advance()
        return true
    }

    override func ready(_ readiness: Readiness) { if note(readiness) { advance() } }

    override func resume() { advance() }

    override func deadlineReached() { end() }

    private func advance() {
        var rounds = 0
        while !hasEnded, isOpen {
            let hasRead = receive()
            if hasEnded { return }
            let hasSent = send()
            if hasEnded { return }
            if !hasRead, !hasSent { break }
            rounds += 1
            if rounds == 64 {
                reactor.resumeLater(self)
                break
            }
        }
        if !hasEnded, isBroken || inputEnded { return end() }
        transfer.flush()
        releaseBuffers()
        reactor.setDeadline(
            of: self,
            to: reactor.now.advanced(byNanoseconds: BulkConnection.silenceNanoseconds))
    }

    // MARK: Out

    private func send() -> Bool {
        guard refusal.isEmpty, last == nil else { return false }
        var moved = flush() > 0
        while !hasSentAll, !hasOutput || output.count < BulkConnection.highBytes {
            do {
                if try lines.read(into: &piece) > 0 {
                    prepareOutput()
                    output.appendChunk(0..<piece.count, of: piece)
                    piece.removeAll()
                } else {
                    hasSentAll = true
                    prepareOutput()
                    output.appendLastChunk()
                }
            } catch {
                end()
                return false
            }
            let count = flush()
            moved = moved || count > 0
            if count == 0 { break }
        }
        return moved
    }

    // MARK: In

    private func receive() -> Bool {
        guard fill(highBytes: BulkConnection.highBytes) > 0 else { return false }
        do throws(ParseError) {
            while !hasEnded, try step() {}
        } catch {
            end()
        }
        return true
    }

    private func step() throws(ParseError) -> Bool {
        switch try parser.next(in: input) {
        case .needMoreData(let consumed):
            input.drop(consumed)
            return false
        case .head(let consumed):
            input.drop(consumed)
            isHeadRead = !parser.head.isInformational
        case .body(let consumed, let content):
            if parser.head.status == 200 {
                take(content)
            } else {
                note(content)
            }
            if !hasEnded { input.drop(consumed) }
        case .end(let consumed):
            input.drop(consumed)
            end()
            return false
        }
        return true
    }

    /// Takes a piece of the answer: lines, the last of which says that nothing follows.
    private func take(_ content: Range<Int>) {
        var answer = ByteBuffer()
        answer.append(content, of: input)
        var index = 0
        while !hasEnded {
            switch reader.next(in: answer.bytes, at: &index) {
            case .needMoreData: return
            case .line:
                // A list of its own: its span may not outlive a look at the reader's.
                let line = reader.line
                last = transfer.take(line.span) ?? last
            case .tooLong: return end()
            }
            // What is wrong with a line or with the file ends it all.
            if !isOpen { hasEnded = true }
        }
    }

    /// Takes a piece of the body of a refusal.
    private func note(_ content: Range<Int>) {
        var answer = ByteBuffer()
        answer.append(content, of: input)
        let room = BulkConnection.mostRefusalBytes - refusal.count
        for index in 0..<min(room, answer.count) { refusal.append(answer.bytes[index]) }
    }

    /// The end, in order or not; whoever owns the connection closes it.
    private func end() {
        guard !hasEnded else { return }
        hasEnded = true
        let status = isHeadRead ? parser.head.status : 0
        if status != 0, status != 200 {
            transfer.refused(status, refusal, retryAfterSeconds: retryAfterSeconds)
        } else {
            transfer.ended(last)
        }
    }

    private var retryAfterSeconds: Int? {
        BulkConnection.retryAfterSeconds(parser.head)
    }

    private static func retryAfterSeconds(_ head: borrowing ResponseHead) -> Int? {
        guard let field = head.firstField(.retryAfter) else { return nil }
        return Int(head.value(of: field).text)
    }
}
