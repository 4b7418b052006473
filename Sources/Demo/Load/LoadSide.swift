// The clients of one side of the demo, all of them: those that go through the gateway, or those
// that go to the backends directly and take turns among them, as a plain load balancer would have
// it.

internal import Admission
internal import Gateway
internal import Reactor

/// One side's clients.
final class LoadSide {
    let reactor: Reactor
    /// How long a client waits for the end of its response.
    let patienceNanoseconds: Int64
    /// What these clients saw so far.
    private(set) var statistics = SideStatistics()

    private let ports: [UInt16]
    private var nextPort = 0
    private var clients = ConnectionTable<CompletionClient>()
    /// Connections without a request, by port.
    private var idle: [[CompletionClient]]
    private var retries = RetrySchedule()

    /// How a request ended for its client.
    enum Ending {
        case complete
        case refused(Reason, retryAfterSeconds: Double?)
        case gaveUp
        case failed
    }

    /// Clients of `ports`, by turns.
    init(reactor: Reactor, ports: [UInt16], patience: Duration) {
        self.reactor = reactor
        self.ports = ports
        patienceNanoseconds = patience.wholeNanoseconds
        idle = Array(repeating: [], count: ports.count)
    }

    /// A client arrives.
    func arrive(_ request: PlannedRequest) {
        statistics.arrived += 1
        start(CompletionClient.Attempt(request: request, isRetry: false))
    }

    /// Lets those come back whose time has come.
    func sendDueRetries() {
        while let request = retries.popDue(now: reactor.now) {
            statistics.cameBack += 1
            start(CompletionClient.Attempt(request: request, isRetry: true))
        }
    }

    private func start(_ attempt: CompletionClient.Attempt) {
        let target = nextPort
        nextPort = (nextPort + 1) % ports.count
        if let client = idle[target].popLast() {
            client.send(attempt)
            return
        }
        guard let descriptor = dialLoopback(port: ports[target]) else {
            statistics.failed += 1
            return
        }
        let client = CompletionClient(side: self, target: target, descriptor: descriptor)
        guard client.start() else {
            statistics.failed += 1
            return
        }
        clients.insert(client)
        client.send(attempt)
    }

    /// Notes how a request ended.
    func ended(_ attempt: CompletionClient.Attempt, _ ending: Ending) {
        let seconds = reactor.now.seconds(since: attempt.request.at)
        switch ending {
        case .complete:
            statistics.inTime += 1
            if attempt.isRetry { statistics.inTimeAfterRetry += 1 }
            statistics.latency.add(seconds: seconds)
        case .refused(let reason, let wait):
            statistics.countRefused(reason, afterSeconds: seconds)
            if let wait, attempt.request.comesBack && !attempt.isRetry {
                comeBack(attempt.request, inSeconds: wait)
            }
        case .gaveUp:
            statistics.gaveUp += 1
        case .failed:
            statistics.failed += 1
        }
    }

    private func comeBack(_ request: PlannedRequest, inSeconds seconds: Double) {
        var request = request
        request.at = reactor.now.advanced(byNanoseconds: Int64(seconds * 1e9))
        _ = retries.insert(request)
    }

    // MARK: Connections

    /// Keeps a connection for the next request.
    func keep(_ client: CompletionClient) { idle[client.target].append(client) }

    /// Forgets a connection that is about to be closed.
    func forget(_ client: CompletionClient) {
        clients.remove(client)
        if client.attempt == nil { idle[client.target].removeAll { $0 === client } }
    }

    /// All clients leave.
    func close() {
        for client in clients.all { client.leave() }
    }
}
