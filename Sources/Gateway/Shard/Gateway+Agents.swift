// Agents of backends: who is to be asked, and what becomes of the answer. Who asks when stands in `Control`.

internal import Admission
package import Policy
package import Reactor
internal import Telemetry

/// A backend whose pool has an agent.
package struct AgentBackend {
    /// Its pool's name.
    package let pool: String
    /// The backend.
    package let address: BackendAddress
    /// Its agent.
    package let agent: AgentAddress
    /// How often that is asked.
    package let every: Duration
    fileprivate let admission: SharedAdmission
    fileprivate let id: BackendID

    /// Where the agent is dialled.
    package var target: DialTarget { DialTarget(agent.place(of: address)) }

    /// What an agent with `http` is asked.
    package func request(timeoutMilliseconds: Int, mostBytes: Int) -> FetchRequest {
        var request = FetchRequest(
            target, path: agent.path, timeoutMilliseconds: timeoutMilliseconds)
        request.mostBytes = mostBytes
        return request
    }
}

extension Gateway {
    /// The backends whose agents are to be asked under the policy in force.
    package var agentBackends: [AgentBackend] {
        backends { settings in
            settings.signals.agent.map { (agent: $0, every: settings.signals.every) }
        } make: { asked, address, id, member in
            AgentBackend(
                pool: member.settings.name, address: address, agent: asked.agent,
                every: asked.every, admission: member.admission, id: id)
        }
    }

    /// An agent has said `text`, whose first line counts, or nothing at all.
    ///
    /// What it does not say stays, and so does all of it where nothing was said or it cannot be read; the
    /// controller forgets it where that goes on for an hour.
    package func heard(_ text: [UInt8]?, of backend: AgentBackend) {
        guard let text else { return count(.failed, backend) }
        let admission = backend.admission
        let now = reactor.now
        let heard = admission.signals(of: backend.id, now: now)
        var signal = heard.first { $0.source == .agent }?.signal ?? BackendSignal()
        do {
            try AgentLine.apply(text, to: &signal)
        } catch .empty {
            // It is there, and has nothing new to say.
        } catch {
            return count(.unreadable, backend)
        }
        count(.answered, backend)
        signal.end = .distantFuture
        if admission.signal(backend.id, .said(signal, by: .agent), now: now) {
            group.send(to: 0) { $0.poll(admission) }
        }
    }

    /// The agent of a backend is asked no more: what it said holds no more.
    package func endAgent(of backend: AgentBackend) {
        let admission = backend.admission
        admission.signal(backend.id, .said(BackendSignal(), by: .agent), now: reactor.now)
        group.send(to: 0) { $0.poll(admission) }
    }

    private func count(_ result: AgentPollResult, _ backend: AgentBackend) {
        let admission = backend.admission
        let id = backend.id
        group.send(to: 0) { $0.countAgentPoll(result, of: id, admission) }
    }
}
