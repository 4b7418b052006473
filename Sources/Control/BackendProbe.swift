// Whether the backends of a policy can be reached from here: each is dialled with the code and the TLS
// settings that `serve` uses, and asked for what costs it nothing.

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
    private let fetcher: Fetcher
    private let policy: Policy
    private let credentials: PoolCredentials
    private var waiting: [(pool: Int, backend: Int)] = []
    private var findings: [(pool: Int, backend: Int, finding: BackendFinding)] = []
    private var running = 0

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
        fetcher = Fetcher(askingBackendsIn: reactor)
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
        if let first = credentials.faults.first(where: { $0.pool == pool }) {
            return note(pool, backend, false, first.fault.error.description)
        }
        let request = FetchRequest(probing: address, of: settings, credentials.all[pool])
        let fetch = fetcher.begin(request) { [unowned self] result in
            switch result {
            case .success(let response):
                let status = "HTTP \(response.status) \(ReasonPhrase.of(response.status)) to HEAD /"
                let secure = address.scheme == .https ? " over TLS" : ""
                note(pool, backend, true, status + secure)
            case .failure(let failure):
                note(pool, backend, false, BackendProbe.text(of: failure))
            }
        }
        if fetch == nil { note(pool, backend, false, "there is no memory to dial") }
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

    private static func text(of failure: FetchFailure) -> String {
        switch failure {
        case .connect(let cause): text(of: cause)
        case .timeout: "connected, but no response in time"
        case .cutShort: "connected, but closed without a response"
        case .notHTTP, .tooLarge: "connected, but what answers is no HTTP/1.1"
        case .exhausted: "there is no memory left here"
        }
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
