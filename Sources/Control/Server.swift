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
    private let policyFile: String
    private let version: String
    private let control: GatewayControl
    private var gateway: Gateway { control.gateway }
    private let logger: Logger
    private let logTarget: LogTarget
    private var logs: LogWriters
    private var signals: SignalSource?

    /// Descriptors besides those of clients and backends: logs, epoll, listeners, name resolution.
    private static let spareDescriptors = 64
    /// Descriptors of each thread besides its listeners: epoll, mailbox, name resolution.
    private static let descriptorsOfThread = 8

    /// Loads the policy, opens the logs and starts listening.
    ///
    /// `version` is what the gateway says of itself; `seed` decides whatever is left to chance.
    package init(policyFile: String, version: String, seed: UInt64) throws(ServeError) {
        self.policyFile = policyFile
        self.version = version
        // Before any thread is started: threads inherit the mask that keeps signals from them.
        SignalSource.blockSignals()
        let policy: Policy
        do throws(PolicyError) {
            policy = try PolicyLoader.load(path: policyFile)
        } catch {
            throw ServeError(text: error.description)
        }
        try Server.checkDescriptors(policy)
        do throws(LogWriter.Failure) {
            logs = try LogWriters(policy.log)
        } catch {
            throw ServeError(text: "error: \(error.description)")
        }
        let target = LogTarget(writer: logs.operational, level: policy.log.level.loggerLevel)
        logTarget = target
        logger = Logger(label: "penstock") { JSONLinesLogHandler(label: $0, target: target) }
        do throws(SystemError) {
            control = try GatewayControl(
                policy: policy, version: version, logger: logger, logs: logs, seed: seed)
        } catch {
            throw ServeError(text: "error: \(error.description)")
        }
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
        facts["threads"] = .stringConvertible(gateway.threadCount)
        facts["version"] = .string(version)
        logger.notice("listening", metadata: facts)
        StartMemory.release()
        control.run()
        logger.notice("ended")
        _ = logs.access?.close(within: .seconds(2))
        _ = logs.operational.close(within: .seconds(2))
    }

    /// Compares the limit of open files with what the policy may need.
    private static func checkDescriptors(_ policy: Policy) throws(ServeError) {
        let limit = DescriptorLimit.raise()
        let needed =
            policy.server.maxConnections + spareDescriptors
            + (policy.threads ?? ProcessorCount.usable())
            * (policy.listen.count + descriptorsOfThread)
            + policy.pools.reduce(0) { $0 + $1.backends.count }
        guard limit < needed else { return }
        throw ServeError(
            text: "error: the limit of open files is \(limit), and server.max_connections "
                + "(\(policy.server.maxConnections)) needs at least \(needed); raise it (ulimit -n, LimitNOFILE) "
                + "or lower max_connections")
    }

    private func received(_ signal: ProcessSignal) {
        switch signal {
        case .terminate:
            if gateway.isDraining {
                logger.notice("ending at once")
                gateway.stop()
            } else {
                let facts: Logger.Metadata = ["timeout": "\(gateway.policy.server.drainTimeout)"]
                logger.notice("draining", metadata: facts)
                gateway.drain()
            }
        case .reload:
            reload()
        case .reopenLogs:
            logs.access?.reopen()
            logs.operational.reopen()
        }
    }

    private func reload() {
        guard !gateway.isDraining else { return }
        do {
            let next = try PolicyLoader.load(path: policyFile)
            let nextLogs = try LogWriters(next.log, former: logs)
            let formerLevel = logTarget.level
            // Reactors look at the level when they take the policy over.
            logTarget.change(to: logTarget.writer, level: next.log.level.loggerLevel)
            do {
                try control.reload(next, logs: nextLogs)
            } catch {
                logTarget.change(to: logTarget.writer, level: formerLevel)
                throw error
            }
            logTarget.change(to: nextLogs.operational, level: next.log.level.loggerLevel)
            logs = nextLogs
            if (next.threads ?? ProcessorCount.usable()) != gateway.threadCount {
                logger.warning("the number of threads changes when penstock is started again")
            }
            let facts: Logger.Metadata = ["file": "\(policyFile)"]
            logger.notice("policy reloaded", metadata: facts)
            StartMemory.release()
        } catch let error as PolicyError {
            gateway.metrics.countReloadFailure()
            for diagnostic in error.diagnostics {
                logger.error("policy invalid, the old one stays in force: \(diagnostic)")
            }
        } catch {
            gateway.metrics.countReloadFailure()
            logger.error("policy not reloaded, the old one stays in force: \(error)")
        }
    }
}
