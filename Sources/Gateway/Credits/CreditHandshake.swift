// A connection to a gateway until it has changed sides: it asks to, and is a client's connection afterwards; or it is refused.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor

/// Why a gateway does not take a connection.
struct CreditRefusal: Equatable {
    /// The status of the answer; 0 for none, because the connection broke or spoke no HTTP.
    var status = 0
    /// What the answer says, for people; the first line.
    var text = ""
    /// When the answer says to come back.
    var retryAfterSeconds: Int?
}

/// One connection that asks to change sides.
final class CreditHandshake: StreamConnection {
    private unowned let link: GatewayLink
    /// Whether it is to be the connection that is no credit.
    let isControl: Bool
    private var parser = ResponseParser(limits: HeadLimits())
    private var isOver = false
    private var refusal = CreditRefusal()
    private var text = ByteBuffer()

    private static let highBytes = 64 * 1024
    private static let mostTextBytes = 4096
    private static let patienceNanoseconds: Int64 = 10_000_000_000

    init(
        _ link: GatewayLink, _ transport: consuming Transport, in reactor: Reactor,
        isControl: Bool
    ) {
        self.link = link
        self.isControl = isControl
        super.init(reactor: reactor)
        open(transport)
    }

    /// Sends the request; false where the kernel refuses to watch the connection.
    func begin(_ request: [UInt8]) -> Bool {
        guard start() else { return false }
        parser.begin(requestMethod: .get, mayReverse: true)
        prepareOutput()
        output.append(request.span)
        reactor.setDeadline(
            of: self, to: reactor.now.advanced(byNanoseconds: Self.patienceNanoseconds))
        advance()
        return true
    }

    override func ready(_ readiness: Readiness) { if note(readiness) { advance() } }

    override func resume() { advance() }

    override func deadlineReached() { refused() }

    private func advance() {
        guard !isOver else { return }
        flush()
        while !isOver {
            do throws(ParseError) {
                switch try parser.next(in: input) {
                case .needMoreData(let consumed):
                    input.drop(consumed)
                    guard fill(highBytes: Self.highBytes) > 0 else {
                        if inputEnded || isBroken { refused() }
                        return
                    }
                case .head(let consumed):
                    input.drop(consumed)
                    takeHead()
                case .body(let consumed, let content):
                    let room = max(0, Self.mostTextBytes - text.count)
                    let end = min(content.upperBound, content.lowerBound + room)
                    text.append(content.lowerBound..<end, of: input)
                    input.drop(consumed)
                case .end:
                    refused()
                }
            } catch {
                refused()
            }
        }
    }

    private func takeHead() {
        refusal.status = parser.head.status
        if parser.head.isSwitch { return accepted() }
        guard !parser.head.isInformational, let field = parser.head.firstField(.retryAfter) else {
            return
        }
        refusal.retryAfterSeconds = Int(parser.head.value(of: field).text)
    }

    /// The connection is a client's from now on; what has come behind the answer is its first request.
    private func accepted() {
        isOver = true
        var early = ByteBuffer()
        early.append(0..<input.count, of: input)
        input.removeAll()
        output.removeAll()
        releaseBuffers()
        link.accepted(self, surrender(), early: early.takeList())
    }

    private func refused() {
        guard !isOver else { return }
        isOver = true
        let bytes = text.takeList()
        let line = bytes.prefix { $0 >= 0x20 && $0 < 0x7f }
        refusal.text = String(decoding: line, as: UTF8.self)
        close()
        link.refused(self, refusal)
    }

    /// Gives it up; nothing is told.
    func giveUp() {
        guard !isOver else { return }
        isOver = true
        close()
    }
}
