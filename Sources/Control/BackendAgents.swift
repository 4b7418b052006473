// Agents of backends: whoever a pool's `signals` name is asked now and then what each backend may be sent, over TCP or
// HTTP, on a connection of its own. What follows is worked out by the admission controller.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor

/// Asks agents, on the controlling thread.
final class BackendAgents: EventHandler {
    private typealias Timetable = BackendTimetable<AgentBackend, Question>

    /// A question, as far as it is.
    private enum Question {
        case fetch(Fetch)
        case dial(Dial)
        case line(AgentConnection)
    }

    /// Bytes of an answer; one that is longer is none.
    static let mostBytes = 4096
    /// How long an answer may take at least and at most, in milliseconds; between these as long as the interval.
    private static let timeouts = 1_000.0...10_000.0

    private let gateway: Gateway
    /// Made for the first question: most policies have none.
    private lazy var fetcher = Fetcher(askingBackendsIn: gateway.reactor)
    private lazy var dialler = Dialler(reactor: gateway.reactor)
    /// All of them in one line, so that they take few descriptors at once.
    private let line = DialLine()
    private var timetable: Timetable

    init(_ gateway: Gateway, seed: UInt64) {
        self.gateway = gateway
        timetable = Timetable(seed: seed)
        super.init()
        gateway.reactor.register(self)
        follow()
    }

    /// Follows the policy in force: new agents are asked at once.
    func follow() {
        for former in timetable.follow(gateway.agentBackends, now: gateway.reactor.now) {
            cancel(former.question)
            gateway.endAgent(of: former.backend)
        }
        deadlineReached()
    }

    /// Asks no more.
    func stop() {
        for question in timetable.removeAll() { cancel(question) }
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
        for key in timetable.due(now) { ask(key, now: now) }
        if let next = timetable.nextAt { gateway.reactor.setDeadline(of: self, to: next) }
    }

    private func ask(_ key: Timetable.Key, now: Instant) {
        guard let backend = timetable.backend(key) else { return }
        timetable.schedule(key, every: backend.every, now: now)
        let interval = Double(backend.every.wholeNanoseconds)
        let bounds = BackendAgents.timeouts
        let timeout = Int(min(max(interval / 1e6, bounds.lowerBound), bounds.upperBound))
        switch backend.agent.scheme {
        case .http: fetch(key, backend, timeoutMilliseconds: timeout)
        case .tcp: dial(key, backend, timeoutMilliseconds: timeout, now: now)
        }
    }

    private func fetch(_ key: Timetable.Key, _ backend: AgentBackend, timeoutMilliseconds: Int) {
        let request = backend.request(
            timeoutMilliseconds: timeoutMilliseconds, mostBytes: BackendAgents.mostBytes)
        let fetch = fetcher.begin(request) { [unowned self] outcome in
            guard case .success(let response) = outcome, (200..<300).contains(response.status)
            else { return end(key, nil) }
            end(key, response.body)
        }
        timetable.set(fetch.map { .fetch($0) }, for: key)
    }

    private func dial(
        _ key: Timetable.Key, _ backend: AgentBackend, timeoutMilliseconds: Int, now: Instant
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
        timetable.set(dial.map { .dial($0) }, for: key)
    }

    private func read(
        _ key: Timetable.Key, _ transport: consuming Transport, until deadline: Instant
    ) {
        let connection = AgentConnection(reactor: gateway.reactor) { [unowned self] text in
            end(key, text)
        }
        timetable.set(.line(connection), for: key)
        connection.begin(transport, until: deadline)
    }

    /// A question has been answered, or will not be.
    private func end(_ key: Timetable.Key, _ text: [UInt8]?) {
        guard let backend = timetable.backend(key) else { return }
        timetable.set(nil, for: key)
        gateway.heard(text, of: backend)
        deadlineReached()
    }
}

extension AgentBackend: AskedBackend {}
