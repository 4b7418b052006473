// Checks of backends: who is to be asked, and what becomes of the answer. Who asks when stands in `Control`, on a
// thread that a backend without an answer holds up in nothing.

package import Admission
package import Policy
package import Reactor

/// A backend whose pool has `health`.
package struct CheckedBackend {
    /// Its pool's name.
    package let pool: String
    /// The backend.
    package let address: BackendAddress
    /// How it is checked.
    package let health: HealthSettings
    private let settings: PoolSettings
    fileprivate let admission: SharedAdmission
    fileprivate let id: BackendID

    /// What it is asked; with the certificates that are in force now.
    package var request: FetchRequest {
        FetchRequest(checking: address, of: settings, health, admission.credentials)
    }

    fileprivate init(
        _ health: HealthSettings, _ address: BackendAddress, _ id: BackendID,
        of member: Gateway.Member
    ) {
        pool = member.settings.name
        self.address = address
        self.health = health
        settings = member.settings
        admission = member.admission
        self.id = id
    }
}

extension Gateway {
    /// The backends that are to be checked under the policy in force.
    package var checkedBackends: [CheckedBackend] {
        backends { settings in
            settings.health
        } make: { health, address, id, member in
            CheckedBackend(health, address, id, of: member)
        }
    }

    /// What `make` makes of each present backend of the pools for which `setting` finds something.
    func backends<Setting, Made>(
        _ setting: (PoolSettings) -> Setting?,
        make: (Setting, BackendAddress, BackendID, Member) -> Made
    ) -> [Made] {
        members.filter { !$0.isRetired }.flatMap { member -> [Made] in
            let layout = member.admission.layout
            guard let found = setting(layout.settings) else { return [] }
            return zip(layout.settings.backends, layout.ids).compactMap { address, id in
                id.map { make(found, address, $0, member) }
            }
        }
    }

    /// A check of a backend has ended, with `response` where one came.
    package func checked(
        _ backend: CheckedBackend, _ result: CheckResult, _ response: FetchResponse?
    ) {
        let admission = backend.admission
        var changed = admission.checked(
            backend.id, result, backend.health.rules, now: reactor.now)
        if let response { changed = heedSignals(of: backend, response) || changed }
        if changed { group.send(to: 0) { $0.poll(admission) } }
    }

    /// Takes in what a response says of its backend; whether that changed what it is sent.
    private func heedSignals(of backend: CheckedBackend, _ response: FetchResponse) -> Bool {
        let admission = backend.admission
        let id = backend.id
        let now = reactor.now
        var reading = SignalField.Reading.absent
        _ = Fetcher.readsHead(response.head, to: "GET") {
            reading = SignalField.read($0, now: now)
        }
        switch reading {
        case .absent: return false
        case .said(let signal):
            return admission.signal(id, .said(signal, by: .field), now: now)
        case .unreadable:
            group.send(to: 0) { $0.countUnreadableSignal(of: id, admission) }
            return false
        }
    }

    /// Whether a backend is to be left alone altogether.
    package func isInMaintenance(_ backend: CheckedBackend) -> Bool {
        backend.admission.isInMaintenance(backend.id, now: reactor.now)
    }

    /// A backend is checked no more: what its checks said holds no more.
    package func endChecks(of backend: CheckedBackend) {
        let admission = backend.admission
        admission.endChecks(of: backend.id, now: reactor.now)
        group.send(to: 0) { $0.poll(admission) }
    }
}

extension Shard {
    /// The pool of that admission; nil once it is retired.
    func pool(of admission: SharedAdmission) -> Pool? {
        pools.first { $0.admission === admission && !$0.isRetired }
    }

    /// Something became of what a pool's backends are sent, from outside.
    func poll(_ admission: SharedAdmission) {
        pool(of: admission)?.requestPoll()
    }
}
