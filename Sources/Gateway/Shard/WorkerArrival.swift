// A worker's connection until its handshake is over: it reads one head, answers it, and is given to a reactor with its
// descriptor, or closed.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Reactor
internal import Telemetry

/// A connection that wants to be a worker's.
final class WorkerArrival: StreamConnection, TableMember {
    /// Where a connection is to go.
    struct Place {
        let worker: Worker
        let admission: SharedAdmission
        /// Whether it is no credit.
        let isControl: Bool

        /// It does not come.
        func giveUp() { worker.forget(isControl: isControl) }
    }

    private enum State {
        /// The head has not come whole.
        case reading
        /// The connection is a worker's as soon as the word for it has left.
        case taken(Place)
        /// The refusal is being sent.
        case refused
        /// Our side is closed; what still comes is thrown away, so that the refusal can be read.
        case lingering
    }

    var tableIndex = -1
    private unowned let listener: WorkerListener
    private var parser: RequestParser
    private var state = State.reading
    /// When it came.
    let startedAt: Instant

    private static let highBytes = 64 * 1024
    private static let lingerNanoseconds: Int64 = 2_000_000_000

    init(_ listener: WorkerListener, transport: consuming Transport, limits: HeadLimits) {
        self.listener = listener
        parser = RequestParser(limits: limits)
        startedAt = listener.reactor.now
        super.init(reactor: listener.reactor)
        open(transport)
    }

    override func ready(_ readiness: Readiness) {
        if note(readiness) { advance() }
    }

    override func resume() { advance() }

    override func deadlineReached() {
        if case .reading = state { refuse(.late) } else { end() }
        advance()
    }

    /// Whether its head has not come whole.
    var isReading: Bool { if case .reading = state { true } else { false } }

    /// Does what can be done.
    func advance() {
        if case .reading = state { read() }
        guard isOpen else { return }
        flush()
        if isBroken { return end() }
        guard !hasOutput else { return }
        switch state {
        case .reading: releaseBuffers()
        case .taken(let place): hand(to: place)
        case .refused:
            shutdownWriting()
            state = .lingering
            reactor.setDeadline(
                of: self, to: reactor.now.advanced(byNanoseconds: Self.lingerNanoseconds))
            throwAwayInput()
        case .lingering: throwAwayInput()
        }
    }

    private func read() {
        while case .reading = state {
            do throws(ParseError) {
                switch try parser.next(in: input) {
                case .needMoreData(let consumed):
                    input.drop(consumed)
                    guard fill(highBytes: Self.highBytes) > 0 else {
                        if inputEnded { end() }
                        return
                    }
                case .head(let consumed):
                    input.drop(consumed)
                    decide()
                case .body, .end: return
                }
            } catch {
                refuse(WorkerRefusal(error))
            }
        }
    }

    private func decide() {
        do throws(WorkerRefusal) {
            let place = try listener.admit(parser.head)
            // Who sends more before it is asked anything does not speak this protocol.
            if hasInput || fill(highBytes: Self.highBytes) > 0 {
                place.giveUp()
                throw .spokeEarly
            }
            listener.count(status: 101)
            state = .taken(place)
            prepareOutput()
            output.append(Self.acceptance)
        } catch {
            refuse(error)
        }
    }

    private static let acceptance =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ptth\r\n"
        + "ALPN: http%2F1.1\r\n"
        + "Penstock-Probe: \(WorkerConnections.probeNanoseconds / 1_000_000_000)\r\n\r\n"

    private func refuse(_ refusal: WorkerRefusal) {
        listener.count(status: refusal.status)
        state = .refused
        let body = "\(refusal.text)\n"
        prepareOutput()
        output.appendStatusLine(status: refusal.status)
        output.append("Content-Type: text/plain\r\nConnection: close\r\n")
        if refusal.status == 401 { output.append("WWW-Authenticate: Bearer\r\n") }
        if refusal.status == 426 { output.append("Upgrade: ptth\r\n") }
        if let seconds = refusal.retryAfterSeconds {
            output.append("Retry-After: \(seconds)\r\n")
        }
        output.appendContentLength(body.utf8.count)
        output.append("\r\n\(body)")
    }

    /// Gives the connection to the reactor that has the fewest of its worker's.
    private func hand(to place: Place) {
        releaseBuffers()
        // Its end gives the place up.
        guard !hasInput, !peerClosed else { return end() }
        watchForDeath()
        let handed = HandedTransport(surrender())
        listener.forget(self)
        listener.hand(handed, to: place)
    }

    private func throwAwayInput() {
        while fill(highBytes: Self.highBytes) > 0 { input.removeAll() }
        if inputEnded || isBroken { end() }
    }

    /// Closes it.
    func end() {
        guard isOpen else { return }
        if case .taken(let place) = state { place.giveUp() }
        state = .lingering
        close()
        listener.forget(self)
    }
}
