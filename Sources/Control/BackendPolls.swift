// What backends are asked over HTTP now and then, whether or not anybody is waiting: their checks, and their pages of
// metrics. Each question has a connection of its own and no permit. What follows is worked out by the admission
// controllers.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor

/// A backend that is asked for a path now and then.
protocol PolledBackend: AskedBackend {
    /// Those of the policy in force.
    static func all(of gateway: Gateway) -> [Self]
    /// Time from one question to the next.
    var interval: Duration { get }
    /// What is asked, with the certificates that are in force now.
    var request: FetchRequest { get }
    /// Whether asking is worth it now.
    func isWanted(by gateway: Gateway) -> Bool
    /// The answer has come, or none will.
    func ended(_ outcome: Result<FetchResponse, FetchFailure>, in gateway: Gateway)
    /// It is asked no more: what was said holds no more.
    func forgotten(by gateway: Gateway)
}

/// Asks backends, on the controlling thread.
final class BackendPolls<Backend: PolledBackend>: EventHandler {
    private typealias Timetable = BackendTimetable<Backend, Fetch>

    private let gateway: Gateway
    /// Made for the first question: most policies have none.
    private lazy var fetcher = Fetcher(askingBackendsIn: gateway.reactor)
    private var timetable: Timetable

    init(_ gateway: Gateway, seed: UInt64) {
        self.gateway = gateway
        timetable = Timetable(seed: seed)
        super.init()
        gateway.reactor.register(self)
        follow()
    }

    /// Follows the policy in force: new backends are asked at once.
    func follow() {
        for former in timetable.follow(Backend.all(of: gateway), now: gateway.reactor.now) {
            if let fetch = former.question { fetcher.cancel(fetch) }
            former.backend.forgotten(by: gateway)
        }
        deadlineReached()
    }

    /// Asks no more.
    func stop() {
        for fetch in timetable.removeAll() { fetcher.cancel(fetch) }
        gateway.reactor.deregister(self)
    }

    /// Some question is due.
    override func deadlineReached() {
        guard !gateway.isDraining else { return }
        let now = gateway.reactor.now
        for key in timetable.due(now) { begin(key, now: now) }
        if let next = timetable.nextAt { gateway.reactor.setDeadline(of: self, to: next) }
    }

    private func begin(_ key: Timetable.Key, now: Instant) {
        guard let backend = timetable.backend(key) else { return }
        timetable.schedule(key, every: backend.interval, now: now)
        guard backend.isWanted(by: gateway) else { return }
        let fetch = fetcher.begin(backend.request) { [unowned self] outcome in
            end(key, outcome)
        }
        timetable.set(fetch, for: key)
    }

    private func end(_ key: Timetable.Key, _ outcome: Result<FetchResponse, FetchFailure>) {
        guard let backend = timetable.backend(key) else { return }
        timetable.set(nil, for: key)
        backend.ended(outcome, in: gateway)
        deadlineReached()
    }
}
