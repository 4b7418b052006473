// A process that is a worker: a gateway that nobody connects to, and that connects to gateways itself. All of it lives on the
// process's first thread but what serves.

internal import Admission
internal import Gateway
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

/// The process's one worker.
package final class WorkerService {
    private let control: GatewayControl
    private let terms: WorkerTerms
    private let logger: Logger
    private let logs: LogWriters
    private let service = ServiceNotifier()
    private var signals: SignalSource?
    private var watch: EngineWatch?

    /// Opens what `terms` ask for; nothing is served yet.
    ///
    /// `version` is what it says of itself; `seed` decides whatever is left to chance.
    package init(_ terms: WorkerTerms, version: String, seed: UInt64) throws(ServeError) {
        // Before any thread is started: threads inherit the mask that keeps signals from them.
        SignalSource.blockSignals()
        _ = DescriptorLimit.raise()
        self.terms = terms
        let policy: Policy
        do throws(PolicyError) {
            policy = try terms.policy()
        } catch {
            throw ServeError(text: error.description)
        }
        do throws(LogWriter.Failure) {
            logs = try LogWriters(policy.log)
        } catch {
            throw ServeError(text: "error: \(error.description)")
        }
        let target = LogTarget(writer: logs.operational, level: policy.log.level.loggerLevel)
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
            return control.gateway.stop()
        }
        let credits = terms.credits
        logger.notice(
            "serving gateways",
            metadata: [
                "worker": "\(credits.name)", "pool": "\(credits.pool)",
                "gateways": .array(
                    credits.places.map { Logger.MetadataValue.string($0.address.label) }),
                "engine": "\(terms.engine.label)",
                "admin": "\(control.adminAddress?.text ?? "off")",
            ])
        watch = EngineWatch(of: control.gateway)
        control.gateway.giveCredits(credits)
        service.say("READY=1", "STATUS=serving")
        SpareMemory.release()
        control.run()
        watch?.stop()
        logger.notice("ended")
        _ = logs.operational.close(within: .seconds(2))
    }

    private func received(_ signal: ProcessSignal) {
        switch signal {
        case .terminate:
            if control.gateway.isDraining {
                logger.notice("ending at once")
                control.gateway.stop()
            } else {
                service.say("STOPPING=1", "STATUS=draining")
                logger.notice("draining", metadata: ["timeout": "\(terms.drainSeconds) s"])
                control.gateway.drain()
            }
        case .reopenLogs: logs.operational.reopen()
        // It has neither a file that could be read again, nor a listener that another process could take over.
        case .reload, .upgrade: break
        }
    }
}

/// Asks the engine for a sign of life where requests tell nothing of it.
private final class EngineWatch: EventHandler {
    private let gateway: Gateway

    private static let lookNanoseconds: Int64 = 500_000_000

    init(of gateway: Gateway) {
        self.gateway = gateway
        super.init()
        gateway.reactor.register(self)
        deadlineReached()
    }

    override func deadlineReached() {
        if !gateway.hasWorkingBackend { gateway.tryBackends() }
        gateway.reactor.setDeadline(
            of: self, to: gateway.reactor.now.advanced(byNanoseconds: Self.lookNanoseconds))
    }

    func stop() { gateway.reactor.deregister(self) }
}
