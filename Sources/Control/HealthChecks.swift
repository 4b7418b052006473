// Active checks: each backend of a pool with `health` is asked for a path now and then, on a connection of its own
// and without a permit. What that says of it is worked out by its admission controller.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor

/// Checks backends, on the controlling thread.
final class HealthChecks: EventHandler {
    private typealias Timetable = BackendTimetable<CheckedBackend, Fetch>

    private let gateway: Gateway
    /// Made for the first check: most policies have none.
    private lazy var fetcher = Fetcher(askingBackendsIn: gateway.reactor)
    private var timetable: Timetable

    init(_ gateway: Gateway, seed: UInt64) {
        self.gateway = gateway
        timetable = Timetable(seed: seed)
        super.init()
        gateway.reactor.register(self)
        follow()
    }

    /// Follows the policy in force: new backends are checked at once.
    func follow() {
        for former in timetable.follow(gateway.checkedBackends, now: gateway.reactor.now) {
            if let fetch = former.question { fetcher.cancel(fetch) }
            gateway.endChecks(of: former.backend)
        }
        deadlineReached()
    }

    /// Checks no more.
    func stop() {
        for fetch in timetable.removeAll() { fetcher.cancel(fetch) }
        gateway.reactor.deregister(self)
    }

    /// Some check is due.
    override func deadlineReached() {
        guard !gateway.isDraining else { return }
        let now = gateway.reactor.now
        for key in timetable.due(now) { begin(key, now: now) }
        if let next = timetable.nextAt { gateway.reactor.setDeadline(of: self, to: next) }
    }

    private func begin(_ key: Timetable.Key, now: Instant) {
        guard let backend = timetable.backend(key) else { return }
        timetable.schedule(key, every: backend.health.rules.interval, now: now)
        if gateway.isInMaintenance(backend) { return }
        let fetch = fetcher.begin(backend.request) { [unowned self] outcome in
            end(key, outcome)
        }
        timetable.set(fetch, for: key)
    }

    private func end(_ key: Timetable.Key, _ outcome: Result<FetchResponse, FetchFailure>) {
        guard let backend = timetable.backend(key) else { return }
        timetable.set(nil, for: key)
        if let result = CheckResult(outcome) {
            gateway.checked(backend, result, try? outcome.get())
        }
        deadlineReached()
    }
}

extension CheckedBackend: AskedBackend {}

extension CheckResult {
    /// How a check ended; nil where it says nothing of the backend.
    init?(_ outcome: Result<FetchResponse, FetchFailure>) {
        switch outcome {
        case .success(let response):
            self = (200..<300).contains(response.status) ? .passed : .failed
        case .failure(.timeout), .failure(.connect(.timeout)),
            .failure(.connect(.handshakeTimeout)):
            self = .timedOut
        case .failure(.exhausted), .failure(.connect(.exhausted)),
            .failure(.connect(.waitedInLine)):
            return nil
        case .failure: self = .failed
        }
    }
}
