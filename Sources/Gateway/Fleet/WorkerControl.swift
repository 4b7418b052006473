// A worker's connection that is no credit: over it the worker is asked for a sign of life, also while all its others carry
// requests. A stopped process keeps its connections, and says nothing on those where it owes an answer.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor

/// The control connection of a worker.
final class WorkerControl: StreamConnection {
    private unowned let owner: WorkerConnections
    private var parser = ResponseParser(limits: HeadLimits())
    /// Questions without an answer, one behind the other; -1 while none is asked.
    private var missed = -1

    /// Whatever the worker answers, it is short.
    private static let highBytes = 64 * 1024
    private static let question = "OPTIONS * HTTP/1.1\r\nHost: worker\r\n\r\n"

    init(_ transport: consuming Transport, of owner: WorkerConnections, in reactor: Reactor) {
        self.owner = owner
        super.init(reactor: reactor)
        open(transport)
    }

    /// Begins to ask; false where the kernel refuses to watch the connection.
    func begin() -> Bool {
        guard start() else { return false }
        rest()
        return true
    }

    private func rest() {
        missed = -1
        releaseBuffers()
        wake(in: WorkerConnections.probeNanoseconds)
    }

    private func wake(in nanoseconds: Int64) {
        reactor.setDeadline(of: self, to: reactor.now.advanced(byNanoseconds: nanoseconds))
    }

    override func deadlineReached() {
        missed += 1
        if missed == WorkerConnections.mostMissed { return owner.controlIsSilent() }
        if missed == 0 {
            parser.begin(requestMethod: .options)
            prepareOutput()
            output.append(WorkerControl.question)
            flush()
        }
        wake(in: WorkerConnections.answerNanoseconds)
    }

    override func ready(_ readiness: Readiness) { if note(readiness) { advance() } }

    override func resume() { advance() }

    private func advance() {
        flush()
        while isOpen {
            do throws(ParseError) {
                switch try parser.next(in: input) {
                case .needMoreData(let consumed):
                    input.drop(consumed)
                    if fill(highBytes: WorkerControl.highBytes) > 0, missed >= 0 { continue }
                    // What speaks unasked is no better than what has ended.
                    if inputEnded || isBroken || hasInput && missed < 0 { owner.controlEnded() }
                    return
                case .head(let consumed), .body(let consumed, _): input.drop(consumed)
                case .end(let consumed):
                    input.drop(consumed)
                    return parser.head.keepAlive && missed >= 0 ? rest() : owner.controlEnded()
                }
            } catch {
                return owner.controlEnded()
            }
        }
    }
}
