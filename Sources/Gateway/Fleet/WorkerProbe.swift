// A question to a worker whose answer says only that it lives: its process may have been stopped, and the kernel keeps the
// connections of those.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor

/// One `OPTIONS *` on a connection that rested.
final class WorkerProbe: UpstreamUser {
    let connection: UpstreamConnection
    private unowned let owner: WorkerConnections
    private var isOver = false

    /// Whatever the worker answers, it is short.
    private static let mostBytes = 64 * 1024

    init(_ connection: UpstreamConnection, of owner: WorkerConnections) {
        self.connection = connection
        self.owner = owner
    }

    /// Asks.
    func begin() {
        connection.begin(self, method: .options)
        connection.prepareOutput()
        // Its name may have colons, which no host has.
        connection.output.append("OPTIONS * HTTP/1.1\r\nHost: worker\r\n\r\n")
        waitLonger()
        upstreamReady()
    }

    /// Waits for as long as for an answer once more.
    func waitLonger() {
        let reactor = connection.reactor
        reactor.setDeadline(
            of: connection,
            to: reactor.now.advanced(byNanoseconds: WorkerConnections.answerNanoseconds))
    }

    override func upstreamSpokeTooEarly() { end(isAnswered: false, reusable: false) }

    override func upstreamLost() { end(isAnswered: false, reusable: false) }

    override func upstreamDeadlineReached() {
        if !isOver { owner.missed(self) }
    }

    override func upstreamReady() {
        guard !isOver else { return }
        connection.flush()
        while !isOver {
            do throws(ParseError) {
                switch try connection.parser.next(in: connection.input) {
                case .needMoreData(let consumed):
                    connection.input.drop(consumed)
                    if connection.fill(highBytes: WorkerProbe.mostBytes) > 0 { continue }
                    if connection.inputEnded
                        || connection.receivedSinceBegun > WorkerProbe.mostBytes
                    {
                        end(isAnswered: false, reusable: false)
                    }
                    return
                case .head(let consumed), .body(let consumed, _):
                    connection.input.drop(consumed)
                case .end(let consumed):
                    connection.input.drop(consumed)
                    end(isAnswered: true, reusable: connection.parser.head.keepAlive)
                }
            } catch {
                end(isAnswered: false, reusable: false)
            }
        }
    }

    private func end(isAnswered: Bool, reusable: Bool) {
        guard !isOver else { return }
        isOver = true
        owner.ended(self, isAnswered: isAnswered, reusable: reusable)
    }
}
