// A gateway with what a process adds to it: signals, logs, the descriptor limit, the policy file that is
// read again, and the admin listener. All of it lives on the process's first thread, which serves no
// client.

internal import Admission
internal import Gateway
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

/// Why serving could not begin, as the text for the operator.
package struct ServeError: Error {
    /// The text: one line for each fault.
    package let text: String
}

/// The process's one gateway.
package final class Server {
    let policyFile: String
    /// The same, whatever the folder was that it was named in.
    let absolutePolicyFile: String
    /// Where the policy in force was read from.
    var sources: PolicySources
    private let version: String
    let control: GatewayControl
    var gateway: Gateway { control.gateway }
    let logger: Logger
    let logTarget: LogTarget
    var logs: LogWriters
    private var signals: SignalSource?
    /// Takes policies that another thread has prepared.
    let mailbox: Mailbox<Server>
    /// How far a reload is.
    var reloading = Reloading.none
    /// Who waits for what comes of the reload that is under way, and of the one after it.
    var reloadWaiters: [ReloadWaiter] = []
    var nextReloadWaiters: [ReloadWaiter] = []
    /// Who waits for what comes of the upgrade that is under way.
    var upgradeWaiter: ((Result<[String], ControlFailure>) -> Void)?
    /// The file of this program, as it was called.
    let programFile = ProgramFile.path()
    /// The processes before and behind this one.
    private var predecessor: Predecessor?
    var successor: Successor?
    private let inherited: InheritedSockets
    let service = ServiceNotifier()
    var serviceTimer: ServiceTimer?
    var policyWatch: PolicyWatch?
    private let loadedContents: FileContents

    /// Loads the policy, opens the logs and starts listening.
    ///
    /// `version` is what the gateway says of itself; `seed` decides whatever is left to chance.
    package init(policyFile: String, version: String, seed: UInt64) throws(ServeError) {
        self.policyFile = policyFile
        absolutePolicyFile = ProgramFile.absolute(policyFile) ?? policyFile
        self.version = version
        // Before any thread is started: threads inherit the mask that keeps signals from them.
        SignalSource.blockSignals()
        predecessor = Predecessor.found()
        do throws(SystemError) {
            inherited = try InheritedSockets(fromEnvironment: ())
        } catch {
            throw ServeError(text: "error: \(error.description)")
        }
        predecessor?.name(inherited)
        // Before the file is read: what changes meanwhile is seen then.
        var loaded = FileContents(of: [absolutePolicyFile])
        let prepared: PreparedPolicy
        do throws(PreparedPolicy.Failure) {
            prepared = try PreparedPolicy(path: policyFile)
        } catch {
            throw ServeError(text: error.description)
        }
        let policy = prepared.policy
        sources = prepared.sources
        loaded.add(policy.reloadedFiles(besides: sources.now(at: absolutePolicyFile).all))
        loaded.policyDigest = sources.digest
        loadedContents = loaded
        logs = prepared.logs
        if predecessor == nil {
            inherited.assign(
                listeners: policy.listen.map(\.address), admin: policy.admin?.listen.address,
                control: policy.control?.address)
        }
        let target = LogTarget(writer: logs.operational, level: policy.log.level.loggerLevel)
        logTarget = target
        logger = Logger(label: "penstock") { JSONLinesLogHandler(label: $0, target: target) }
        do throws(SystemError) {
            control = try GatewayControl(
                policy: policy, version: version, logger: logger, logs: logs,
                credentials: prepared.credentials, seed: seed, inherited: inherited,
                handed: predecessor?.text)
            mailbox = try Mailbox()
            try mailbox.deliver(to: self, in: control.reactor)
            obeyOperators()
            gateway.metrics.note(sources)
            try takeAll()
        } catch {
            prepared.logs.discard()
            throw ServeError(text: "error: \(error.description)")
        }
    }

    /// Sockets that nobody listens on would keep clients waiting; those of another process are closed here, since that one
    /// takes whoever waits in them.
    private func takeAll() throws(SystemError) {
        if predecessor != nil { return inherited.closeOthers() }
        guard let address = inherited.left.first else { return }
        gateway.stop()
        throw SystemError(
            "take over the socket at \(address.text)",
            because:
                "the policy has no listener there; add it to `listen`, call it `listen` or `admin` "
                + "(FileDescriptorName), or have the socket not be given"
        )
    }

    /// Serves until a signal ends it.
    package func run() {
        do throws(SystemError) {
            signals = try SignalSource(reactor: control.reactor) { [unowned self] in received($0) }
        } catch {
            logger.error("\(error.description)")
            gateway.stop()
            return
        }
        var facts = Logger.Metadata()
        facts["addresses"] = .array(gateway.addresses.map { Logger.MetadataValue.string($0.text) })
        facts["admin"] = .string(control.adminAddress?.text ?? "off")
        if let address = gateway.workerAddress { facts["workers"] = .string(address.text) }
        facts["threads"] = .stringConvertible(gateway.threadCount)
        facts["version"] = .string(version)
        logger.notice("listening", metadata: facts)
        predecessor?.serve(inherited.taken, gateway) { [unowned self] in
            logger.notice("the process before this one has ended")
            predecessor = nil
        }
        serviceTimer = ServiceTimer(of: self)
        policyWatch = PolicyWatch(of: self, loaded: loadedContents)
        service.say("READY=1", "STATUS=serving", "MAINPID=\(ProcessNumber.own)")
        SpareMemory.release()
        control.run()
        mailbox.close(for: self)
        successor?.stop()
        predecessor?.stop()
        policyWatch?.stop()
        logger.notice("ended")
        _ = logs.access?.close(within: .seconds(2))
        _ = logs.operational.close(within: .seconds(2))
    }

    private func received(_ signal: ProcessSignal) {
        switch signal {
        case .upgrade: upgrade()
        case .terminate:
            if gateway.isDraining {
                logger.notice("ending at once")
                gateway.stop()
            } else {
                let facts: Logger.Metadata = ["timeout": "\(gateway.policy.server.drainTimeout)"]
                service.say("STOPPING=1", "STATUS=draining")
                if gateway.isLeaving || gateway.policy.server.drainDelay == .zero {
                    logger.notice("draining", metadata: facts)
                    gateway.drain()
                } else {
                    let delay = "\(gateway.policy.server.drainDelay)"
                    logger.notice("leaving, draining later", metadata: ["delay": "\(delay)"])
                    gateway.leave()
                }
            }
        case .reload:
            reload()
        case .reopenLogs:
            logs.access?.reopen()
            logs.operational.reopen()
        }
    }
}
