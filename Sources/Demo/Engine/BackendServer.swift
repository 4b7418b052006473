// A simulated inference server: the engine's model behind a real socket. This is a dull driver: it
// hands requests to the model, sleeps until the step ends, and sends what the model says was made.

internal import Admission
internal import Gateway
internal import Reactor

/// One backend.
final class BackendServer: EventHandler {
    private let reactor: Reactor
    private let listener: BackendSocket
    private(set) var engine: BatchEngine
    private var connections = ConnectionTable<BackendConnection>()
    private var isClosed = false

    /// Connections accepted in one turn before others get theirs.
    private static let acceptsPerTurn = 64

    /// Begins to accept on `listener`.
    init(reactor: Reactor, listener: BackendSocket, speed: EngineSpeed) throws(SystemError) {
        self.reactor = reactor
        self.listener = listener
        engine = BatchEngine(speed: speed)
        super.init()
        guard
            reactor.register(self, descriptor: listener.socket.rawValue, interest: .readable)
        else { throw SystemError("watch a backend's socket") }
    }

    override func ready(_ readiness: Readiness) {
        for _ in 0..<BackendServer.acceptsPerTurn {
            switch listener.socket.accept() {
            case .connection(let descriptor, _):
                let connection = BackendConnection(server: self, reactor, descriptor)
                if connection.start() { connections.insert(connection) }
            case .none:
                return
            case .exhausted:
                // The client stays in the backlog; its patience ends there.
                return
            }
        }
    }

    /// The engine's step has ended.
    override func deadlineReached() {
        for progress in engine.finishSteps(upTo: reactor.now) {
            connections[progress.id]?.made(isLast: progress.isLast)
        }
        arrangeNextStep()
    }

    /// Hands a connection's request to the engine.
    func submit(_ request: CompletionRequest, for connection: BackendConnection) {
        engine.submit(connection.tableIndex, tokens: request.tokens, now: reactor.now)
        arrangeNextStep()
    }

    /// Forgets a connection that has ended, and drops its request from the batch at once.
    func forget(_ connection: BackendConnection) {
        engine.cancel(connection.tableIndex)
        connections.remove(connection)
    }

    /// Stops listening and closes every connection.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        for connection in connections.all { connection.leave() }
        reactor.deregister(self, keepingOpen: listener.socket.rawValue)
    }

    private func arrangeNextStep() {
        reactor.setDeadline(of: self, to: engine.stepEnd ?? .distantFuture)
    }
}
