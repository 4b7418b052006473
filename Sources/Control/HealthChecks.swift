// Active checks: each backend of a pool with `health` is asked for a path now and then, on a connection of its own
// and without a permit. What that says of it is worked out by its admission controller.
//
// One backend is asked by one check at a time: where a time-out is longer than the interval, the next check waits
// for the one before. A tenth of the interval is left to chance, so that checks of many backends, and of several
// gateways, do not come in step.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor

/// Checks backends, on the controlling thread.
final class HealthChecks: EventHandler {
    private struct Key: Hashable {
        let pool: String
        let address: BackendAddress

        init(_ backend: CheckedBackend) {
            pool = backend.pool
            address = backend.address
        }
    }

    private struct Watch {
        var backend: CheckedBackend
        /// When the next check is due.
        var nextAt: Instant
        /// The one under way.
        var fetch: Fetch?
    }

    /// The part of the interval that is left to chance.
    private static let jitter = 0.1

    private let gateway: Gateway
    /// Made for the first check: most policies have none.
    private lazy var fetcher = Fetcher(askingBackendsIn: gateway.reactor)
    private var watches: [Key: Watch] = [:]
    private var random: SplitMix64

    init(_ gateway: Gateway, seed: UInt64) {
        self.gateway = gateway
        random = SplitMix64(seed: seed)
        super.init()
        gateway.reactor.register(self)
        follow()
    }

    /// Follows the policy in force: new backends are checked at once.
    func follow() {
        let former = watches
        watches = [:]
        for backend in gateway.checkedBackends {
            let key = Key(backend)
            var watch = former[key] ?? Watch(backend: backend, nextAt: gateway.reactor.now)
            watch.backend = backend
            watches[key] = watch
        }
        for (key, watch) in former where watches[key] == nil {
            if let fetch = watch.fetch { fetcher.cancel(fetch) }
            gateway.endChecks(of: watch.backend)
        }
        deadlineReached()
    }

    /// Checks no more.
    func stop() {
        for watch in watches.values {
            if let fetch = watch.fetch { fetcher.cancel(fetch) }
        }
        watches = [:]
        gateway.reactor.deregister(self)
    }

    /// Some check is due.
    override func deadlineReached() {
        guard !gateway.isDraining else { return }
        let now = gateway.reactor.now
        for (key, watch) in watches where watch.fetch == nil && watch.nextAt <= now {
            begin(key, now: now)
        }
        let next = watches.values.filter { $0.fetch == nil }.map(\.nextAt).min()
        if let next { gateway.reactor.setDeadline(of: self, to: next) }
    }

    private func begin(_ key: Key, now: Instant) {
        guard let backend = watches[key]?.backend else { return }
        let interval = Double(backend.health.rules.interval.wholeNanoseconds)
        let factor = 1 + HealthChecks.jitter * (random.nextUnit() - 0.5)
        watches[key]?.nextAt = now.advanced(byNanoseconds: Int64(interval * factor))
        if gateway.isInMaintenance(backend) { return }
        watches[key]?.fetch = fetcher.begin(backend.request) { [unowned self] outcome in
            end(key, outcome)
        }
    }

    private func end(_ key: Key, _ outcome: Result<FetchResponse, FetchFailure>) {
        guard let backend = watches[key]?.backend else { return }
        watches[key]?.fetch = nil
        if let result = CheckResult(outcome) {
            gateway.checked(backend, result, try? outcome.get())
        }
        deadlineReached()
    }
}

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
