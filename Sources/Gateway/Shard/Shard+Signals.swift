// What a shard does with what backends say of themselves, and what is said of them.

internal import Admission
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

extension Shard {
    /// Logs what signals of the backends in `pool` have come to since the last call, one line a minute at most
    /// of each kind and backend, and closes idle connections to those that are to be left alone.
    func tellSignals(_ pool: Pool) {
        for signal in pool.admission.takeSignals() {
            guard let upstream = pool.upstream(signal.backend) else { continue }
            if signal.state == .maint { leaveAlone(signal.backend, of: pool.admission) }
            guard
                let times = upstream.signalLines.note(Int(signal.state.rawValue), now: reactor.now)
            else { continue }
            var facts: Logger.Metadata = [
                "pool": "\(pool.name)", "backend": "\(upstream.address.label)",
                "state": "\(signal.state.name)", "times": "\(times)",
                "allowed": "\(signal.allowed)",
            ]
            if let source = signal.source { facts["source"] = "\(source.name)" }
            logger.notice("backend signal", metadata: facts)
        }
    }

    private func leaveAlone(_ id: BackendID, of admission: SharedAdmission) {
        group.sendToAll { shard in
            let pool = shard.pools.first { $0.admission === admission }
            pool?.upstream(id)?.closeIdle()
        }
    }

    /// A backend has said something of itself to the controlling thread that cannot be read.
    func countUnreadableSignal(of id: BackendID, _ admission: SharedAdmission) {
        pool(of: admission)?.upstream(id)?.metrics.unreadableSignals &+= 1
    }

    /// A backend's page of metrics was asked for.
    func heed(_ reading: ReportField.Reading, of id: BackendID, _ admission: SharedAdmission) {
        guard let pool = pool(of: admission), let upstream = pool.upstream(id) else { return }
        pool.heed(reading, of: upstream)
    }

    /// A question to a backend's agent has ended.
    func countAgentPoll(
        _ result: AgentPollResult, of id: BackendID, _ admission: SharedAdmission
    ) {
        pool(of: admission)?.upstream(id)?.metrics.countAgentPoll(result)
    }
}
