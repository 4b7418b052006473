// Backends that are on trial, or that nothing was heard of yet, and that no client tries: they are asked something by the controlling thread, which a
// backend that does not answer holds up in nothing. A shard carries out what follows.

internal import Admission
internal import Policy
internal import Reactor
internal import Telemetry

/// What became of a trial without a client.
enum TrialFinding: Sendable {
    /// It answered, and not with a failure of its own.
    case answered
    /// It could be connected to, and that is all.
    case connected
    /// It could not be connected to.
    case failed(DialFailure)

    /// Nil where nothing is known of the backend.
    init?(_ result: Result<FetchResponse, FetchFailure>) {
        switch result {
        case .success(let response):
            // 501 is what servers say that know no HEAD (RFC 9110 section 9.1).
            let isAlive = response.status == 501 || Outcome(status: response.status).showsLife
            self = isAlive ? .answered : .connected
        case .failure(.connect(.exhausted)), .failure(.exhausted): return nil
        case .failure(.connect(let cause)): self = .failed(DialFailure(cause))
        case .failure(.timeout), .failure(.tooLarge), .failure(.cutShort), .failure(.notHTTP):
            self = .connected
        }
    }
}

/// A backend that is being tried.
struct TriedBackend: Hashable {
    private let admission: ObjectIdentifier
    private let backend: BackendAddress

    init(_ admission: SharedAdmission, _ backend: BackendAddress) {
        self.admission = ObjectIdentifier(admission)
        self.backend = backend
    }
}

extension Gateway {
    /// Asks backends something that are on trial, or that nothing was heard of yet, and may have no clients to
    /// try them, one request at a time each: where clients go elsewhere for want of a backend, none would ever
    /// come back.
    ///
    /// A client's request that is under way there may hang, and says nothing while it does.
    package func tryBackends() {
        for member in members where !member.isRetired {
            let layout = member.admission.layout
            for (address, id) in zip(layout.settings.backends, layout.ids) {
                guard let id, let status = member.admission.backend(id, now: reactor.now),
                    status.isUsable, status.isOnTrial || status.isUnheard
                else { continue }
                tryBackend(id, address, of: member)
            }
        }
    }

    private func tryBackend(_ id: BackendID, _ address: BackendAddress, of member: Member) {
        let admission = member.admission
        let key = TriedBackend(admission, address)
        guard trials[key] == nil else { return }
        // Where there is something that says whether all is well, a connection alone says less.
        let settings = member.settings
        let request =
            settings.health.map {
                FetchRequest(checking: address, of: settings, $0, admission.credentials)
            } ?? FetchRequest(probing: address, of: settings, admission.credentials)
        trials[key] = trialFetcher.begin(request) { [unowned self] result in
            trials[key] = nil
            // Its place may be another one's by now.
            guard let finding = TrialFinding(result), admission.backendID(of: address) == id
            else { return }
            group.send(to: 0) { $0.tried(id, of: admission, finding) }
        }
    }

    /// Tries no more.
    func endTrials() {
        for trial in trials.values { trialFetcher.cancel(trial) }
        trials = [:]
    }
}
