// Backends that are the addresses of a name, or the servers of a service. They are asked for again and again: as often
// as the policy says, or as the answer says, whichever is sooner. Connections are made to what was found, and say the
// name.

internal import Admission
internal import Policy
internal import Reactor

/// Looks a pool's backends up in the DNS.
final class DNSSource: EventHandler, DiscoverySource {
    private let settings: DNSDiscovery
    private let reactor: Reactor
    private let found: (DiscoveryFinding) -> Void
    private var lookup: NameLookup?

    /// The shortest time between two questions, however short the answers hold.
    private static let leastNanoseconds: Int64 = 1_000_000_000

    /// Asks at once and from then on.
    init(
        _ settings: DNSDiscovery, in reactor: Reactor, found: @escaping (DiscoveryFinding) -> Void
    ) {
        self.settings = settings
        self.reactor = reactor
        self.found = found
        super.init()
        reactor.register(self)
        deadlineReached()
    }

    func stop() {
        lookup?.stop()
        lookup = nil
        reactor.deregister(self)
    }

    override func deadlineReached() {
        ask(settings.asksForServices ? .services : .addresses4)
    }

    private func ask(_ question: NameLookup.Question) {
        lookup?.stop()
        lookup = NameLookup(
            question, of: settings.name, servers: settings.servers, in: reactor
        ) { [unowned self] finding in take(finding, of: question) }
    }

    private func take(_ finding: NameLookup.Finding, of question: NameLookup.Question) {
        switch (finding, question) {
        case (.none, .addresses4): ask(.addresses6)
        case (.none, _): end(.failed(["\(settings.name) has no addresses"]), seconds: nil)
        case (.failed(let reason), _):
            end(.failed(["\(settings.name) could not be looked up: \(reason)"]), seconds: nil)
        case (.addresses(let all, let seconds), _):
            end(bounded(all.sorted().map(settings.backend(at:))), seconds: seconds)
        case (.services(let records), _): take(records)
        }
    }

    /// Takes those of the lowest priority: RFC 2782 has the others for when these cannot be reached.
    ///
    /// Limits tell what each can take, so that weights are not needed.
    private func take(_ records: [ServiceRecord]) {
        let first = records.map(\.priority).min() ?? 0
        let chosen = records.filter { $0.priority == first }
        var backends: [BackendAddress] = []
        for record in chosen {
            // A target that is no name of a host is nobody's; an empty one says that there is none.
            guard let backend = settings.backend(named: record.target, port: record.port) else {
                let faults = [
                    "\(settings.name) names \(record.target.debugDescription), port \(record.port)"
                ]
                return end(.failed(faults), seconds: nil)
            }
            if !backends.contains(backend) { backends.append(backend) }
        }
        backends.sort { $0.label < $1.label }
        end(bounded(backends), seconds: records.map(\.seconds).min())
    }

    private func bounded(_ backends: [BackendAddress]) -> DiscoveryFinding {
        let most = BackendsFile.mostBackends
        guard backends.count <= most else {
            return .failed(["\(settings.name) has \(backends.count) backends, \(most) at most"])
        }
        return .backends(backends)
    }

    private func end(_ finding: DiscoveryFinding, seconds: UInt32?) {
        lookup = nil
        var pause = settings.every.wholeNanoseconds
        if let seconds { pause = min(pause, Int64(seconds) * 1_000_000_000) }
        pause = max(pause, DNSSource.leastNanoseconds)
        reactor.setDeadline(of: self, to: reactor.now.advanced(byNanoseconds: pause))
        found(finding)
    }
}
