// A gateway with its admin listener, on the thread that controls both.

internal import Admission
package import Gateway
package import Logging
package import Policy
package import Reactor
package import Telemetry

/// Runs a gateway and its admin listener.
package final class GatewayControl {
    /// The loop of this thread.
    package let reactor: Reactor
    /// What serves.
    package let gateway: Gateway
    private let listeners: OperatorListeners
    /// What operators have changed.
    let overrides: OverrideKeeper
    private var models: BackendModels?
    private var checks: HealthChecks?
    private var pages: MetricsPages?
    private var discovery: BackendDiscovery?
    private var agents: BackendAgents?
    private var keeper: LimitKeeper?
    private var certificates: CertificateWatch?
    private var memory: MemoryWatch?
    private let logger: Logger

    /// Starts both; throws when an address cannot be had.
    ///
    /// `version` is what the gateway says of itself; `seed` decides everything that is left to chance.
    /// Logs are those of `logs`, if any. `credentials` are those of `policy`; nil has them read here.
    package init(
        policy: Policy, version: String, logger: Logger, logs: LogWriters? = nil,
        credentials: PolicyCredentials? = nil, seed: UInt64,
        inherited: InheritedSockets = InheritedSockets(), handed: HandoverText? = nil
    ) throws(SystemError) {
        reactor = try Reactor()
        self.logger = logger
        let files = credentials ?? PolicyCredentials(policy)
        let kept = policy.stateFile.map { LimitKeeper.read($0, logger) } ?? LearntLimits()
        let learnt = handed.map { LimitKeeper.read($0, logger) } ?? kept
        let adopted = handed?.adoptedOverrides(under: policy) ?? Overrides()
        gateway = try Gateway(
            policy: policy, version: version, logger: logger, accessWriter: logs?.access,
            operationalWriter: logs?.operational, credentials: files, seed: seed,
            remembered: learnt, inherited: inherited, overrides: adopted.pools, reactor: reactor)
        overrides = OverrideKeeper(gateway, adopted: adopted, logger: logger)
        listeners = OperatorListeners(gateway, overrides)
        do throws(SystemError) {
            let next = try listeners.prepare(policy, files.listeners, inherited)
            listeners.putInForce(next, policy, files.listeners)
            for (configured, keys) in handed?.tickets ?? [] { adopt(keys, at: configured) }
            keeper = try policy.stateFile.map { (path) throws(SystemError) in
                try LimitKeeper(path: path, learnt: learnt, of: gateway, logger: logger)
            }
        } catch {
            gateway.stop()
            throw error
        }
        models = BackendModels(gateway)
        checks = HealthChecks(gateway, seed: seed)
        pages = MetricsPages(gateway, seed: seed)
        discovery = BackendDiscovery(gateway, logger: logger, seed: seed) { [unowned self] in
            followBackends()
        }
        agents = BackendAgents(gateway, seed: seed)
        gateway.certificatesBeside = { [unowned self] in
            listeners.admin?.certificates ?? []
        }
        gateway.overridesBeside = { [unowned self] in overrides.shown }
        certificates = CertificateWatch(of: self, logger: logger)
        memory = MemoryWatch(in: reactor)
        hearOfBackends()
    }

    /// The admin listener's address; nil where there is none.
    package var adminAddress: ListenAddress? { listeners.admin?.address }

    /// What only the process as a whole can do, for the control socket.
    var commands: ProcessCommands? {
        get { listeners.commands }
        set { listeners.commands = newValue }
    }

    /// Runs until the gateway has ended, after `stop` or when a drain is over.
    package func run() {
        gateway.ended = { [unowned self] in end() }
        reactor.run()
        keeper?.stop()
        keeper = nil
        models?.stop()
        models = nil
        checks?.stop()
        checks = nil
        pages?.stop()
        pages = nil
        discovery?.stop()
        discovery = nil
        agents?.stop()
        agents = nil
        certificates?.stop()
        certificates = nil
        memory?.stop()
        memory = nil
        overrides.stop()
        listeners.stop()
    }

    /// Nobody is served any more: what was learnt is written down.
    private func end() {
        guard let keeper else { return reactor.stop() }
        keeper.end { [unowned reactor] in reactor.stop() }
    }

    /// Where both listen, as the policy has it.
    var configuredAddresses: [ListenAddress] {
        gateway.configuredAddresses + listeners.all.map(\.configured.address)
    }

    // MARK: Another process

    /// All listening sockets, for another process.
    var givenSockets: [GivenSocket] {
        gateway.givenSockets + listeners.all.map(\.givenSocket)
    }

    /// What another process is told at its start, but for its sockets' numbers.
    var handover: HandoverText {
        var text = HandoverText()
        var keys = gateway.ticketKeys
        keys += listeners.all.map { ($0.configured.address, $0.ticketKeys) }
        text.tickets = keys.map { ($0.configured.text, $0.keys.text) }.filter { !$0.1.isEmpty }
        var limits = keeper?.learnt ?? LearntLimits()
        limits.take(gateway.limitsInForce, now: LimitKeeper.now)
        text.limits = limits.text
        text.overrides = overrides.overrides.all.map(\.text)
        return text
    }

    private func adopt(_ keys: String, at configured: String) {
        for listener in gateway.ticketKeys where listener.configured.text == configured {
            listener.keys.adopt(keys)
        }
        for listener in listeners.all where listener.configured.address.text == configured {
            listener.ticketKeys.adopt(keys)
        }
    }

    /// Drains, after another process has taken over the listeners at `taken`; what is looked after besides is its
    /// affair.
    func handOver(_ taken: Set<ListenAddress>) {
        keeper?.stop()
        keeper = nil
        listeners.handOver(taken)
        gateway.handOver(taken)
    }

    /// The certificates in use.
    var knownCredentials: PolicyCredentials.Known {
        var known = gateway.knownCredentials
        if let credentials = listeners.admin?.credentials {
            known.listeners[credentials.settings] = credentials
        }
        return known
    }

    /// Has listeners use `credentials`, where these are what they say; which listeners got others.
    func replaceCertificates(_ credentials: [ListenerTLS: ServerCredentials]) -> [ListenAddress] {
        var changed = gateway.replaceCertificates(credentials)
        if let admin = listeners.admin, let tls = admin.configured.tls, let next = credentials[tls],
            admin.replace(next)
        {
            changed.append(admin.address)
        }
        return changed
    }

    /// Puts `policy` in force; when an address that it adds cannot be had, nothing changes.
    ///
    /// `logs` are written from now on, nil for the same as before; `credentials` are those of `policy`,
    /// nil has them read here.
    package func reload(
        _ policy: Policy, logs: LogWriters? = nil, credentials: PolicyCredentials? = nil
    ) throws(SystemError) {
        let files = credentials ?? PolicyCredentials(policy, known: knownCredentials)
        let next = try listeners.prepare(policy, files.listeners)
        do throws(SystemError) {
            try gateway.reload(
                policy, logs: logs, credentials: files,
                models: models?.known(under: policy) ?? [],
                besides: [adminAddress].compactMap(\.self) + next.addresses)
        } catch {
            listeners.abandon(next)
            throw error
        }
        overrides.follow()
        keepLimits(in: policy.stateFile)
        models?.follow()
        checks?.follow()
        pages?.follow()
        discovery?.follow()
        agents?.follow()
        listeners.putInForce(next, policy, files.listeners)
        certificates?.follow()
        hearOfBackends()
    }

    /// Keeps limits in the file at `path` from now on, where that is another one than before.
    private func keepLimits(in path: String?) {
        guard path != keeper?.path else { return }
        let former = keeper
        keeper = nil
        if let path {
            do throws(SystemError) {
                keeper = try LimitKeeper(
                    path: path, learnt: former?.learnt ?? LearntLimits(), of: gateway,
                    logger: logger)
            } catch {
                // The next reload tries again.
                logger.error("limits not kept", metadata: ["fault": "\(error)"])
            }
        }
        former?.stop()
    }

    /// The backends of some pool are others.
    private func followBackends() {
        models?.follow()
        checks?.follow()
        pages?.follow()
        agents?.follow()
        hearOfBackends()
    }

    /// Asks backends something that nothing was heard of yet, where `/readyz` is about them.
    private func hearOfBackends() {
        if gateway.policy.server.readiness == .backends { gateway.tryBackends() }
    }
}
