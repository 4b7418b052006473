// Agents of backends: whoever a pool's `signals` name is asked now and then what each backend may be sent, over TCP or
// HTTP, on a connection of its own. What follows is worked out by the admission controller.
//
// One agent is asked one question at a time: where an answer takes longer than the interval, the next question waits. A
// tenth of the interval is left to chance, so that questions about many backends, and of several gateways, do not
// come in step.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor

/// Asks agents, on the controlling thread.
final class BackendAgents: EventHandler {
    private struct Key: Hashable {
        let pool: String
        let address: BackendAddress

        init(_ backend: AgentBackend) {
            pool = backend.pool
            address = backend.address
        }
    }

    private struct Watch {
        var backend: AgentBackend
        /// When the next question is due.
        var nextAt: Instant
        /// The one under way.
        var question: Question?
    }

    /// A question, as far as it is.
    private enum Question {
        case fetch(Fetch)
        case dial(Dial)
        case line(AgentConnection)
    }

    /// Bytes of an answer; one that is longer is none.
    static let mostBytes = 4096
    /// The part of the interval that is left to chance.
    private static let jitter = 0.1
    /// How long an answer may take at least and at most, in milliseconds; between these as long as the interval.
    private static let timeouts = 1_000.0...10_000.0

    private let gateway: Gateway
    /// Made for the first question: most policies have none.
    private lazy var fetcher = Fetcher(askingBackendsIn: gateway.reactor)
    private lazy var dialler = Dialler(reactor: gateway.reactor)
    /// All of them in one line, so that they take few descriptors at once.
    private let line = DialLine()
    private var watches: [Key: Watch] = [:]
    private var random: SplitMix64

    init(_ gateway: Gateway, seed: UInt64) {
        self.gateway = gateway
        random = SplitMix64(seed: seed)
        super.init()
        gateway.reactor.register(self)
        follow()
    }

    /// Follows the policy in force: new agents are asked at once.
    func follow() {
        let former = watches
        watches = [:]
        for backend in gateway.agentBackends {
            let key = Key(backend)
            var watch = former[key] ?? Watch(backend: backend, nextAt: gateway.reactor.now)
            watch.backend = backend
            watches[key] = watch
        }
        for (key, watch) in former where watches[key] == nil {
            cancel(watch.question)
            gateway.endAgent(of: watch.backend)
        }
        deadlineReached()
    }

    /// Asks no more.
    func stop() {
        for watch in watches.values { cancel(watch.question) }
        watches = [:]
        gateway.reactor.deregister(self)
    }

    private func cancel(_ question: Question?) {
        switch question {
        case .fetch(let fetch): fetcher.cancel(fetch)
        case .dial(let dial): dialler.cancel(dial)
        case .line(let connection): connection.cancel()
        case nil: break
        }
    }

    /// Some question is due.
    override func deadlineReached() {
        guard !gateway.isDraining else { return }
        let now = gateway.reactor.now
        for (key, watch) in watches where watch.question == nil && watch.nextAt <= now {
            ask(key, now: now)
        }
        let next = watches.values.filter { $0.question == nil }.map(\.nextAt).min()
        if let next { gateway.reactor.setDeadline(of: self, to: next) }
    }

    private func ask(_ key: Key, now: Instant) {
        guard let backend = watches[key]?.backend else { return }
        let interval = Double(backend.every.wholeNanoseconds)
        let factor = 1 + BackendAgents.jitter * (random.nextUnit() - 0.5)
        watches[key]?.nextAt = now.advanced(byNanoseconds: Int64(interval * factor))
        let bounds = BackendAgents.timeouts
        let timeout = Int(min(max(interval / 1e6, bounds.lowerBound), bounds.upperBound))
        switch backend.agent.scheme {
        case .http: fetch(key, backend, timeoutMilliseconds: timeout)
        case .tcp: dial(key, backend, timeoutMilliseconds: timeout, now: now)
        }
    }

    private func fetch(_ key: Key, _ backend: AgentBackend, timeoutMilliseconds: Int) {
        let request = backend.request(
            timeoutMilliseconds: timeoutMilliseconds, mostBytes: BackendAgents.mostBytes)
        let fetch = fetcher.begin(request) { [unowned self] outcome in
            guard case .success(let response) = outcome, (200..<300).contains(response.status)
            else { return end(key, nil) }
            end(key, response.body)
        }
        watches[key]?.question = fetch.map { .fetch($0) }
    }

    private func dial(
        _ key: Key, _ backend: AgentBackend, timeoutMilliseconds: Int, now: Instant
    ) {
        let deadline = now.advanced(byNanoseconds: Int64(timeoutMilliseconds) * 1_000_000)
        let dial = dialler.dial(
            backend.target, in: line, timeoutMilliseconds: timeoutMilliseconds, now: now
        ) { [unowned self] result in
            switch consume result {
            case .failed: end(key, nil)
            case .connected(let transport): read(key, transport, until: deadline)
            }
        }
        watches[key]?.question = dial.map { .dial($0) }
    }

    private func read(_ key: Key, _ transport: consuming Transport, until deadline: Instant) {
        let connection = AgentConnection(reactor: gateway.reactor) { [unowned self] text in
            end(key, text)
        }
        watches[key]?.question = .line(connection)
        connection.begin(transport, until: deadline)
    }

    /// A question has been answered, or will not be.
    private func end(_ key: Key, _ text: [UInt8]?) {
        guard let backend = watches[key]?.backend else { return }
        watches[key]?.question = nil
        gateway.heard(text, of: backend)
        deadlineReached()
    }
}
