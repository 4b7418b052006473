// SIGUSR2: the program on disk takes over, with all listening sockets, so that nobody is refused meanwhile.

internal import Gateway
internal import Logging
internal import Policy
internal import Reactor

extension Server {
    /// Starts the next process; nothing changes unless it serves.
    ///
    /// `then` hears what came of it.
    func upgrade(_ then: ((Result<[String], ControlFailure>) -> Void)? = nil) {
        guard !gateway.isDraining, successor == nil else {
            let reason = "no upgrade: one is under way, or the gateway drains"
            logger.warning("\(reason)")
            then?(.failure(ControlFailure(lines: [reason])))
            return
        }
        upgradeWaiter = then
        guard let path = programFile else {
            return notUpgraded("the program's file is not known; start it by its path")
        }
        do throws(SystemError) {
            successor = try Successor(
                path: path, sockets: control.givenSockets, text: control.handover,
                in: control.reactor
            ) { [unowned self] in settle($0) }
            logger.notice("upgrading", metadata: ["program": "\(path)"])
        } catch {
            notUpgraded(error.description)
        }
    }

    private func settle(_ outcome: Successor.Outcome) {
        switch outcome {
        case .failed(let reason):
            successor = nil
            notUpgraded(reason)
        case .serves(let pid, let taken):
            let facts: Logger.Metadata = [
                "pid": "\(pid)", "timeout": "\(gateway.policy.server.drainTimeout)",
            ]
            logger.notice("upgraded, draining", metadata: facts)
            // From the process that the service manager knows: the next one could not name itself.
            service.say("MAINPID=\(pid)")
            tellUpgraded(.success(["process \(pid) has taken over, this one drains"]))
            control.handOver(taken)
            policyWatch?.stop()
            policyWatch = nil
            successor?.tell { [unowned self] in gateway.inFlight }
        }
    }

    private func tellUpgraded(_ result: Result<[String], ControlFailure>) {
        upgradeWaiter?(result)
        upgradeWaiter = nil
    }

    private func notUpgraded(_ reason: String) {
        tellUpgraded(.failure(ControlFailure(lines: ["not upgraded: \(reason)"])))
        logger.error("not upgraded, this process goes on: \(reason)")
    }
}
