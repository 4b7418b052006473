// The policy file is read again: on a thread of its own, because a file may take as long as it likes, and
// signals and pages have to be answered meanwhile. What was read is put in force here.

internal import Gateway
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

extension Server {
    /// How far a reload is.
    enum Reloading {
        /// None is under way.
        case none
        /// The file is being read.
        case reading
        /// The same, and it is asked for again: what is being read may be out of date.
        case readingAndWanted
    }

    /// Hears what came of a reload: what has changed, or what is wrong.
    typealias ReloadWaiter = (Result<[String], ControlFailure>) -> Void

    /// Does what the control socket is asked for and only the process as a whole can do.
    func obeyOperators() {
        control.commands = ProcessCommands(
            reload: { [unowned self] in reload($0) }, upgrade: { [unowned self] in upgrade($0) })
        control.overrides.setLogLevel = { [unowned self] level in
            let next = (level ?? gateway.policy.log.level).loggerLevel
            logTarget.change(to: logTarget.writer, level: next)
            gateway.followLogLevel()
        }
        if let level = control.overrides.overrides.logLevel {
            logTarget.change(to: logTarget.writer, level: level.loggerLevel)
            gateway.followLogLevel()
        }
    }

    /// Reads the policy again and puts it in force, if it can be; once more where one is being read already.
    ///
    /// `then` hears what came of the reading that begins after this.
    func reload(_ then: ReloadWaiter? = nil) {
        guard !gateway.isDraining else {
            then?(.failure(ControlFailure(lines: ["not reloaded: the gateway drains"])))
            return
        }
        guard case .none = reloading else {
            reloading = .readingAndWanted
            if let then { nextReloadWaiters.append(then) }
            return
        }
        reloading = .reading
        if let then { reloadWaiters.append(then) }
        service.say("RELOADING=1", "MONOTONIC_USEC=\(MonotonicClock.microseconds)")
        let present = PreparedPolicy.Present(
            logs: logs, credentials: control.knownCredentials,
            addresses: control.configuredAddresses)
        do throws(SystemError) {
            try SystemThread(name: "policy") { [policyFile, mailbox] in
                let prepared: Result<PreparedPolicy, PreparedPolicy.Failure>
                do throws(PreparedPolicy.Failure) {
                    prepared = .success(try PreparedPolicy(path: policyFile, besides: present))
                } catch {
                    prepared = .failure(error)
                }
                mailbox.send { $0.take(prepared) }
            }.detach()
        } catch {
            reloading = .none
            notReloaded("\(error)")
        }
    }

    private func take(_ prepared: Result<PreparedPolicy, PreparedPolicy.Failure>) {
        let isWanted = if case .readingAndWanted = reloading { true } else { false }
        reloading = .none
        guard !gateway.isDraining else {
            if case .success(let next) = prepared { next.logs.discard(besides: logs) }
            tellReloaded(.failure(ControlFailure(lines: ["not reloaded: the gateway drains"])))
            return
        }
        switch prepared {
        case .success(let next): putInForce(next)
        case .failure(.log(let failure)): notReloaded(failure.description)
        case .failure(.invalid(let error)):
            gateway.metrics.countReloadFailure(error.diagnostics.first.map { "\($0)" } ?? "")
            for diagnostic in error.diagnostics {
                logger.error("policy invalid, the old one stays in force: \(diagnostic)")
            }
            tellReloaded(.failure(ControlFailure(lines: error.diagnostics.map { "\($0)" })))
            service.say(
                "READY=1", "STATUS=\(error.diagnostics.first.map { "\($0)" } ?? "invalid policy")")
        }
        guard isWanted else { return }
        reloadWaiters = nextReloadWaiters
        nextReloadWaiters = []
        reload()
    }

    private func tellReloaded(_ result: Result<[String], ControlFailure>) {
        let waiters = reloadWaiters
        reloadWaiters = []
        for waiter in waiters { waiter(result) }
    }

    private func notReloaded(_ reason: String) {
        gateway.metrics.countReloadFailure(reason)
        logger.error("policy not reloaded, the old one stays in force: \(reason)")
        tellReloaded(.failure(ControlFailure(lines: [reason])))
        service.say("READY=1", "STATUS=not reloaded: \(reason)")
    }

    private func putInForce(_ next: PreparedPolicy) {
        let formerLevel = logTarget.level
        let configured = next.policy.log.level
        let isChanged = configured != gateway.policy.log.level
        // What an operator has changed holds until the policy says something else.
        let level = ((isChanged ? nil : control.overrides.overrides.logLevel) ?? configured)
            .loggerLevel
        let changes = changes(to: next)
        // Reactors look at the level when they take the policy over.
        logTarget.change(to: logTarget.writer, level: level)
        do throws(SystemError) {
            try control.reload(next.policy, logs: next.logs, credentials: next.credentials)
        } catch {
            logTarget.change(to: logTarget.writer, level: formerLevel)
            next.logs.discard(besides: logs)
            return notReloaded("\(error)")
        }
        if next.logs.operational !== logTarget.writer {
            // Whoever follows the former log looks for the end of the reload there.
            logger.notice(
                "policy reloaded, the log goes on elsewhere",
                metadata: ["to": "\(next.policy.log.destination.text)"])
        }
        logTarget.change(to: next.logs.operational, level: level)
        logs = next.logs
        logs.follow()
        sources = next.sources
        gateway.metrics.note(sources)
        tell(changes, next.policy)
        policyWatch?.follow()
        service.say("READY=1", "STATUS=serving")
        SpareMemory.release()
    }

    /// What differs from the policy in force, with what its files hold.
    private func changes(to next: PreparedPolicy) -> PolicyChanges {
        var changes = PolicyChanges(from: gateway.policy, to: next.policy)
        let known = control.knownCredentials
        let listeners = zip(next.policy.namedListeners, next.policy.allListeners)
        for (named, settings) in listeners {
            guard let tls = settings.tls, let before = known.listeners[tls],
                let credentials = next.credentials.listeners.all[tls], credentials !== before
            else { continue }
            changes.note("\(named.path).tls")
        }
        for (pool, credentials) in zip(next.policy.pools, next.credentials.pools.all) {
            guard let former = gateway.policy.pools.first(where: { $0.name == pool.name }),
                former.tls == pool.tls, let credentials, let before = known.pools[pool.name],
                credentials !== before
            else { continue }
            changes.note("pools.\(pool.name).tls")
        }
        return changes
    }

    /// Names of included files in a line of the log.
    private static let mostFilesShown = 50

    private func tell(_ changes: PolicyChanges, _ policy: Policy) {
        var facts: Logger.Metadata = ["file": "\(policyFile)", "sha256": "\(sources.digest)"]
        if !sources.included.isEmpty {
            let shown = sources.included.prefix(Server.mostFilesShown)
            facts["included"] = .array(shown.map { .string($0) })
            let more = sources.included.count - shown.count
            if more > 0 { facts["included_more"] = "\(more)" }
        }
        facts["changed"] = .array(changes.paths.map { .string($0) })
        if changes.omitted > 0 { facts["changed_more"] = "\(changes.omitted)" }
        // Everything else is in force with the reload.
        if (policy.threads ?? ProcessorCount.usable()) != gateway.threadCount {
            facts["needs_restart"] = .array([.string("threads")])
            logger.warning("the number of threads changes when penstock is started again")
        }
        logger.notice("policy reloaded", metadata: facts)
        var lines = changes.paths.map { "changed \($0)" }
        if changes.omitted > 0 { lines.append("and \(changes.omitted) more") }
        if facts["needs_restart"] != nil { lines.append("threads changes with a restart") }
        tellReloaded(.success(["policy reloaded"] + lines))
    }
}
