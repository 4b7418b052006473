// A client's TLS handshake, from the accepted socket to a connection that can be served, or to nothing. It is looked at
// by its owner as a whole: who has too many gives some up.

internal import Admission

/// How many steps of handshakes a reactor takes in a turn: one costs as much as some twenty requests, and those who
/// stream go on in between.
package final class HandshakePace {
    private var turn: UInt64 = 0
    private var steps = 0

    /// Steps in a turn: a millisecond and a half at most.
    private static let stepsPerTurn = 4

    /// None was taken yet.
    package init() {}

    /// Whether another step may be taken in that turn.
    func takesStep(in turn: UInt64) -> Bool {
        if turn != self.turn {
            self.turn = turn
            steps = 0
        }
        guard steps < HandshakePace.stepsPerTurn else { return false }
        steps += 1
        return true
    }
}

/// One handshake under way.
package final class Handshake: EventHandler {
    private let reactor: Reactor
    private let pace: HandshakePace
    private let session: ServerSession
    /// Called once, unless it is given up.
    private var endsAt = Instant.distantFuture
    private let ended: (Handshake, Result<ServerSession, HandshakeFault>) -> Void

    /// A handshake of `session` in `reactor`, at the pace of all there; `ended` is called once with what came of it.
    package init(
        _ session: ServerSession, in reactor: Reactor, pace: HandshakePace,
        ended: @escaping (Handshake, Result<ServerSession, HandshakeFault>) -> Void
    ) {
        self.session = session
        self.reactor = reactor
        self.pace = pace
        self.ended = ended
        super.init()
    }

    /// Begins, and gives up after `nanoseconds`; false where the kernel watches no more, and nothing is called then.
    package func start(timeoutNanoseconds nanoseconds: Int64) -> Bool {
        guard reactor.register(self, descriptor: session.socket) else { return false }
        hasten(nanoseconds)
        // What the client has sent at once is there already.
        advance()
        return true
    }

    /// Gives up after `nanoseconds`, unless that was to be earlier.
    package func hasten(_ nanoseconds: Int64) {
        endsAt = min(endsAt, reactor.now.advanced(byNanoseconds: nanoseconds))
        reactor.setDeadline(of: self, to: endsAt)
    }

    /// Ends it without a word.
    package func giveUp() { reactor.deregister(self, keepingOpen: session.socket) }

    package override func ready(_ readiness: Readiness) { advance() }

    package override func resume() { advance() }

    package override func deadlineReached() { end(.failure(.timeout)) }

    private func advance() {
        guard slot >= 0 else { return }
        guard pace.takesStep(in: reactor.turnNumber) else { return reactor.resumeLater(self) }
        switch session.shakeHands() {
        case .waits: break
        case .done: end(.success(session))
        case .failed(let fault):
            if fault == .plainHTTP { session.answerInTheClear() }
            end(.failure(fault))
        }
    }

    private func end(_ result: Result<ServerSession, HandshakeFault>) {
        // Who goes on with the socket has it watched anew, and is told what is there.
        reactor.deregister(self, keepingOpen: session.socket)
        ended(self, result)
    }
}
