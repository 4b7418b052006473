// A gateway with what a process adds to it: signals, logs, the descriptor limit, and the policy
// file that is read again.

import Admission
import Gateway
import Logging
import Policy
internal import Reactor
internal import Telemetry

/// The process's one gateway.
final class Server {
    private let policyFile: String
    private let gateway: Shard
    private let logger: Logger
    private let logTarget: LogTarget
    private var logs: LogWriters
    private var signals: SignalSource?
    private var policy: Policy

    /// Descriptors besides those of clients and backends: logs, epoll, listeners, name resolution.
    private static let spareDescriptors = 64
    /// Descriptors of each thread besides its listeners: epoll, mailbox, name resolution.
    private static let descriptorsOfThread = 8

    /// Loads the policy, opens the logs and starts listening.
    init(policyFile: String, seed: UInt64) throws(ServeError) {
        self.policyFile = policyFile
        // Before any thread is started: threads inherit the mask that keeps signals from them.
        SignalSource.blockSignals()
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
            gateway = try Shard(
                policy: policy, version: Penstock.version, logger: logger,
                accessWriter: logs.access, operationalWriter: logs.operational, seed: seed)
        } catch {
            throw ServeError(text: "error: \(error.description)")
        }
    }

    /// Serves until a signal ends it.
    func run() {
        do throws(SystemError) {
            signals = try SignalSource(reactor: gateway.reactor) { [unowned self] in received($0) }
        } catch {
            logger.error("\(error.description)")
            return
        }
        var facts = Logger.Metadata()
        facts["addresses"] = .array(gateway.addresses.map { Logger.MetadataValue.string($0.text) })
        facts["admin"] = .string(gateway.adminAddress?.text ?? "off")
        facts["threads"] = .stringConvertible(gateway.threadCount)
        facts["version"] = .string(Penstock.version)
        logger.notice("listening", metadata: facts)
        StartMemory.giveBack()
        gateway.run()
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
                let facts: Logger.Metadata = ["timeout": "\(policy.server.drainTimeout)"]
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
                try gateway.reload(next, logs: nextLogs)
            } catch {
                logTarget.change(to: logTarget.writer, level: formerLevel)
                throw error
            }
            logTarget.change(to: nextLogs.operational, level: next.log.level.loggerLevel)
            logs = nextLogs
            if (next.threads ?? ProcessorCount.usable()) != gateway.threadCount {
                logger.warning("the number of threads changes when penstock is started again")
            }
            policy = next
            let facts: Logger.Metadata = ["file": "\(policyFile)"]
            logger.notice("policy reloaded", metadata: facts)
            StartMemory.giveBack()
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
