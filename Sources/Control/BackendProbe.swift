// Whether the backends of a policy can be reached from here: each is dialled with the code and the TLS
// settings that `serve` uses, and asked for what costs it nothing.

internal import Admission
internal import Bytes
internal import Gateway
internal import HTTP1
package import Policy
package import Reactor

/// What became of one backend.
package struct BackendFinding: Equatable, Sendable {
    /// The setting, such as `pools.chat.backends[0]`.
    package let path: String
    /// The backend as the policy names it.
    package let backend: String
    /// Whether it answered, with whatever status.
    package let isReached: Bool
    /// What it said, or why it said nothing.
    package let text: String
}

/// Asks all backends of a policy.
package final class BackendProbe {
    private let reactor: Reactor
    private let dialler: Dialler
    private let policy: Policy
    private let credentials: PoolCredentials
    private var waiting: [(pool: Int, backend: Int)] = []
    private var findings: [(pool: Int, backend: Int, finding: BackendFinding)] = []
    private var running = 0
    /// Dials that are under way: they end when nobody keeps them.
    private var dials: [Dial] = []
    private var connections: [ProbeConnection] = []

    /// Backends that are asked at once.
    private static let mostAtOnce = 32

    /// Asks each backend for `HEAD /`, and waits for a connection as long as its pool does, and for the
    /// response up to 5 s; returns what they said in the policy's order.
    ///
    /// Throws when the process is out of descriptors.
    package static func findings(_ policy: Policy) throws(SystemError) -> [BackendFinding] {
        let probe = BackendProbe(policy, try Reactor())
        probe.startNext()
        if probe.running > 0 { probe.reactor.run() }
        return probe.findings.sorted { ($0.pool, $0.backend) < ($1.pool, $1.backend) }
            .map(\.finding)
    }

    private init(_ policy: Policy, _ reactor: Reactor) {
        self.policy = policy
        self.reactor = reactor
        dialler = Dialler(reactor: reactor)
        credentials = PoolCredentials(policy)
        for (index, pool) in policy.pools.enumerated() {
            waiting += pool.backends.indices.map { (index, $0) }
        }
        waiting.reverse()
    }

    private func startNext() {
        while running < BackendProbe.mostAtOnce, let next = waiting.popLast() {
            running += 1
            ask(next.pool, next.backend)
        }
        if running == 0 { reactor.stop() }
    }

    private func ask(_ pool: Int, _ backend: Int) {
        let settings = policy.pools[pool]
        let address = settings.backends[backend]
        if let fault = credentials.faults.first(where: { $0.pool == pool }) {
            return note(pool, backend, false, fault.fault.error.description)
        }
        let target = DialTarget(
            address, verifies: settings.tls.verify, credentials: credentials.all[pool])
        let dial = dialler.dial(
            target, in: DialLine(),
            timeoutMilliseconds: Int(settings.connectTimeout.wholeNanoseconds / 1_000_000),
            now: MonotonicClock.now
        ) { [unowned self] result in
            switch consume result {
            case .failed(let failure):
                note(pool, backend, false, BackendProbe.text(of: failure.cause))
            case .connected(let transport): talk(transport, pool, backend)
            }
        }
        guard let dial else { return note(pool, backend, false, "there is no memory to dial") }
        dials.append(dial)
    }

    private func talk(_ transport: consuming Transport, _ pool: Int, _ backend: Int) {
        let address = policy.pools[pool].backends[backend]
        let host =
            if case .fixed(let name) = policy.pools[pool].host { name } else { address.authority }
        let connection = ProbeConnection(reactor: reactor, transport: transport, host: host) {
            [unowned self] isReached, text in
            let secure = address.scheme == .https ? " over TLS" : ""
            note(pool, backend, isReached, text + secure)
        }
        connections.append(connection)
        connection.begin()
    }

    private func note(_ pool: Int, _ backend: Int, _ isReached: Bool, _ text: String) {
        let settings = policy.pools[pool]
        let finding = BackendFinding(
            path: "pools.\(settings.name).backends[\(backend)]",
            backend: settings.backends[backend].label, isReached: isReached, text: text)
        findings.append((pool, backend, finding))
        running -= 1
        startNext()
    }

    private static func text(of cause: DialFailure.Cause) -> String {
        switch cause {
        case .nameUnknown: "its name has no address (DNS)"
        case .nameTimeout: "nobody told its name's address in time (DNS)"
        case .refused: "refused: nobody listens there"
        case .unreachable: "unreachable: no packet gets there"
        case .socketMissing: "the socket's file is not there"
        case .socketForbidden: "the socket's file may not be opened"
        case .timeout: "nothing answered in time"
        case .waitedInLine: "other dials took all the time"
        case .handshakeTimeout: "TLS: the handshake did not end in time"
        case .handshake: "TLS: the handshake failed"
        case .certificate: "TLS: its certificate could not be verified"
        case .exhausted: "there are no descriptors, ports or memory left here"
        case .other: "the connection failed"
        }
    }
}

/// A connection to a backend with one request on it.
private final class ProbeConnection: StreamConnection {
    private var parser = ResponseParser(
        limits: HeadLimits(maxHeadBytes: 64 * 1024, maxFields: 200))
    private let host: String
    private var then: ((Bool, String) -> Void)?

    private static let patienceNanoseconds: Int64 = 5_000_000_000
    private static let highBytes = 128 * 1024

    init(
        reactor: Reactor, transport: consuming Transport, host: String,
        then: @escaping (Bool, String) -> Void
    ) {
        self.host = host
        self.then = then
        super.init(reactor: reactor)
        open(transport)
        parser.begin(requestMethod: .head)
    }

    func begin() {
        guard start() else { return finish(false, "there are no descriptors left here") }
        prepareOutput()
        output.append("HEAD / HTTP/1.1\r\nHost: ")
        output.append(host)
        output.append("\r\nUser-Agent: penstock-check\r\nConnection: close\r\n\r\n")
        reactor.setDeadline(
            of: self,
            to: MonotonicClock.now.advanced(
                byNanoseconds: ProbeConnection.patienceNanoseconds))
        advance()
    }

    override func ready(_ readiness: Readiness) {
        if note(readiness) { advance() }
    }

    override func resume() { advance() }

    override func deadlineReached() { finish(false, "connected, but no response in 5 s") }

    private func advance() {
        guard then != nil else { return }
        _ = flush()
        _ = fill(highBytes: ProbeConnection.highBytes)
        while hasInput {
            do throws(ParseError) {
                switch try parser.next(in: input) {
                case .head(let consumed):
                    let status = parser.head.status
                    input.drop(consumed)
                    if parser.head.isInformational { continue }
                    return finish(true, "HTTP \(status) \(ReasonPhrase.of(status)) to HEAD /")
                case .needMoreData(let consumed):
                    input.drop(consumed)
                    if fill(highBytes: ProbeConnection.highBytes) == 0 { return endedEarly() }
                case .body(let consumed, _): input.drop(consumed)
                case .end(let consumed): input.drop(consumed)
                }
            } catch {
                return finish(false, "connected, but what answers is no HTTP/1.1: \(error.message)")
            }
        }
        endedEarly()
    }

    private func endedEarly() {
        if inputEnded || isBroken { finish(false, "connected, but closed without a response") }
    }

    private func finish(_ isReached: Bool, _ text: String) {
        guard let then else { return }
        self.then = nil
        close()
        then(isReached, text)
    }
}
