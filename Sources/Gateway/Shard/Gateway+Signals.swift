// What operators say of backends, for the controlling thread.

internal import Admission
internal import Policy
internal import Reactor
package import Telemetry

/// A backend that something can be said of.
package struct NamedBackend {
    /// Its pool's name.
    package let pool: String
    /// The backend, as the policy has it.
    package let label: String
    /// What it is known by inside, and stays when it is looked up again.
    package let key: String
    fileprivate let admission: SharedAdmission
    fileprivate let id: BackendID
}

extension Gateway {
    /// The backend of `pool` whose URL, or what stands behind its scheme, is `name`; nil for none.
    package func backend(named name: String, of pool: String) -> NamedBackend? {
        guard let member = members.first(where: { !$0.isRetired && $0.settings.name == pool })
        else { return nil }
        let layout = member.admission.layout
        for (address, id) in zip(layout.settings.backends, layout.ids) {
            guard let id else { continue }
            let isMeant =
                address.label == name || address.label == "\(address.scheme.rawValue)://\(name)"
                || (address.scheme != .unix && address.authority == name)
            if isMeant {
                return NamedBackend(
                    pool: pool, label: address.label, key: address.key,
                    admission: member.admission, id: id)
            }
        }
        return nil
    }

    /// What is said of a backend and what follows; nil where it has left the policy.
    package func shown(_ backend: NamedBackend) -> ShownBackend? {
        let now = reactor.now
        guard let status = backend.admission.backend(backend.id, now: now), status.isPresent else {
            return nil
        }
        var shown = ShownBackend(pool: backend.pool, label: backend.label)
        shown.isUsable = status.isUsable && !status.isOnTrial && !status.isWithheld
        shown.limit = status.allowed
        shown.inFlight = status.inFlight
        shown.signals = backend.admission.signals(of: backend.id, now: now).map {
            SignalSnapshot($0, now: now)
        }
        return shown
    }

    /// Takes in what an operator says of a backend, which counts until somebody says something else; throws what
    /// is wrong with the line.
    package func push(_ line: [UInt8], to backend: NamedBackend) throws(AgentLine.Fault) {
        let admission = backend.admission
        let now = reactor.now
        let heard = admission.signals(of: backend.id, now: now)
        var signal = heard.first { $0.source == .push }?.signal ?? BackendSignal()
        try AgentLine.apply(line, to: &signal)
        admission.signal(backend.id, .said(signal, by: .push), now: now)
        group.send(to: 0) { $0.poll(admission) }
    }
}
