// Pools whose backends are looked up: each has a source, and what that finds is put in force. What was found holds
// until something else is found: an answer without backends, or none at all, takes nothing away, because more often
// than not it is the source that is ill.

internal import Admission
internal import Gateway
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

/// Looks up backends, and tells the gateway.
final class BackendDiscovery {
    private struct Watch {
        let place: DiscoverySettings
        let source: any DiscoverySource
        var snapshot: DiscoverySnapshot
        /// The keys of those that are said not to be ready; nil before the first answer.
        var unready: Set<String>?
        /// What the log was last told of, and when.
        var toldFaults: [String] = []
        var toldAt = Instant(nanoseconds: 0)
    }

    private let gateway: Gateway
    private let logger: Logger
    /// Called when the backends of a pool are others.
    private let changed: () -> Void
    private var watches: [String: Watch] = [:]
    private var random: SplitMix64

    /// Backends that one line of the log names at most.
    private static let mostNamed = 20
    /// How often the same fault is told.
    private static let silenceNanoseconds: Int64 = 600_000_000_000

    /// `seed` decides what is left to chance; `changed` is called when the backends of a pool are others.
    init(_ gateway: Gateway, logger: Logger, seed: UInt64, changed: @escaping () -> Void) {
        self.gateway = gateway
        random = SplitMix64(seed: seed)
        self.logger = logger
        self.changed = changed
        follow()
    }

    /// Follows the policy in force.
    func follow() {
        let pools = gateway.discoveringPools
        for (name, watch) in watches
        where !pools.contains(where: { $0.name == name && $0.source == watch.place }) {
            watch.source.stop()
            watches[name] = nil
        }
        for pool in pools where watches[pool.name] == nil { begin(pool) }
    }

    /// Looks nothing up any more.
    func stop() {
        for watch in watches.values { watch.source.stop() }
        watches = [:]
    }

    private func begin(_ pool: DiscoveringPool) {
        let snapshot = DiscoverySnapshot(source: pool.source.kind)
        gateway.note(snapshot, of: pool.name)
        do throws(SystemError) {
            let source = try source(pool)
            watches[pool.name] = Watch(place: pool.source, source: source, snapshot: snapshot)
        } catch {
            // The next reload tries again.
            logger.error(
                "backends are not looked up",
                metadata: ["pool": "\(pool.name)", "error": "\(error)"])
        }
    }

    private func source(_ pool: DiscoveringPool) throws(SystemError) -> any DiscoverySource {
        let name = pool.name
        let found: (DiscoveryFinding) -> Void = { [unowned self] in take($0, of: name) }
        switch pool.source {
        case .file(let path):
            return try FileSource(path: path, in: gateway.reactor, found: found)
        case .dns(let settings):
            return DNSSource(settings, in: gateway.reactor, found: found)
        case .kubernetes(let settings):
            return try KubernetesSource(
                settings, in: gateway.reactor, seed: random.next(), found: found)
        }
    }

    private func take(_ finding: DiscoveryFinding, of pool: String) {
        guard var watch = watches[pool], !gateway.isDraining else { return }
        switch finding {
        case .backends(let backends, let unready) where !backends.isEmpty:
            let loops = loops(to: backends, of: pool)
            guard loops.isEmpty else {
                fail(&watch, pool, loops)
                break
            }
            watch.snapshot.goodNanoseconds = ProcessClock.wallNanoseconds()
            watch.snapshot.backends = backends.count
            watch.snapshot.unready = unready.count
            tellRecovery(&watch, pool)
            if putInForce(backends, unready, pool, watch.place) {
                watch.snapshot.changes += 1
            } else if unready != watch.unready || !unready.isEmpty {
                // Where no requests come, this is also when it is looked again who was heard of.
                gateway.setUnready(unready, of: pool)
            }
            watch.unready = unready
        case .backends:
            fail(&watch, pool, ["\(watch.place.text) lists no backend"])
        case .failed(let faults):
            fail(&watch, pool, faults)
        }
        watches[pool] = watch
        gateway.note(watch.snapshot, of: pool)
    }

    /// What is wrong with backends at which this gateway listens itself.
    private func loops(to backends: [BackendAddress], of pool: String) -> [String] {
        var policy = gateway.policy
        policy.pools = policy.pools.filter { $0.name == pool }
        guard !policy.pools.isEmpty, policy.pools[0].backends != backends else { return [] }
        policy.pools[0].backends = backends
        let faults = policy.loops(
            addresses: MachineAddresses.all(), names: [MachineAddresses.hostName()],
            resolve: FilePlace.identity)
        return faults.prefix(BackendDiscovery.mostNamed).map { "\($0.path): \($0.problem)" }
    }

    /// Has a pool's backends be those; whether they were others.
    private func putInForce(
        _ backends: [BackendAddress], _ unready: Set<String>, _ pool: String,
        _ place: DiscoverySettings
    ) -> Bool {
        let former = gateway.discoveringPools.first { $0.name == pool }?.backends ?? []
        guard Set(former) != Set(backends) else { return false }
        let known = Dictionary(former.map { ($0.key, $0) }, uniquingKeysWith: { one, _ in one })
        let next = Dictionary(backends.map { ($0.key, $0) }, uniquingKeysWith: { one, _ in one })
        let added = backends.filter { known[$0.key] == nil }
        let removed = former.filter { next[$0.key] == nil }
        let weighed = backends.filter { (known[$0.key]?.weight ?? $0.weight) != $0.weight }
        // Who stays keeps the place, so that pages and metrics do not jump.
        gateway.replaceBackends(
            of: pool, with: former.compactMap { next[$0.key] } + added, unready: unready)
        logger.notice(
            "backends changed",
            metadata: [
                "pool": "\(pool)", "source": "\(place.text)", "backends": "\(backends.count)",
                "added": BackendDiscovery.names(added), "removed": BackendDiscovery.names(removed),
                "weighed": BackendDiscovery.names(weighed),
            ])
        changed()
        return true
    }

    private static func names(_ backends: [BackendAddress]) -> Logger.MetadataValue {
        let names = backends.prefix(mostNamed).map(\.label)
        let more = backends.count - names.count
        return .array((more > 0 ? names + ["and \(more) more"] : names).map { .string($0) })
    }

    private func fail(_ watch: inout Watch, _ pool: String, _ faults: [String]) {
        watch.snapshot.errors += 1
        let now = gateway.reactor.now
        let isNews =
            faults != watch.toldFaults
            || now.nanoseconds(since: watch.toldAt) > BackendDiscovery.silenceNanoseconds
        guard isNews else { return }
        watch.toldFaults = faults
        watch.toldAt = now
        for fault in faults {
            logger.error(
                "backends not learnt, those that are known stay: \(fault)",
                metadata: ["pool": "\(pool)"])
        }
    }

    private func tellRecovery(_ watch: inout Watch, _ pool: String) {
        guard !watch.toldFaults.isEmpty else { return }
        watch.toldFaults = []
        logger.notice(
            "backends are learnt again",
            metadata: ["pool": "\(pool)", "source": "\(watch.place.text)"])
    }
}
