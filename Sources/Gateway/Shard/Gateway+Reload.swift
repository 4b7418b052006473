// Another policy is put in force. Everything that can fail, and everything that takes time, is done here
// before the shards are told.

internal import Admission
package import Inference
internal import Logging
package import Policy
package import Reactor
package import Telemetry

extension Gateway {
    /// Puts `policy` in force in all shards.
    ///
    /// Listeners that it adds are opened first: when one cannot be had, nothing changes. How many
    /// threads there are does not change either. `logs` are those that are written from now on; nil for
    /// the same as before. `credentials` are those of `policy`; nil has them read here. `models` is what its
    /// backends have said, as for `list`. `others` is where this process listens besides.
    package func reload(
        _ policy: Policy, logs: LogWriters? = nil, credentials: PolicyCredentials? = nil,
        models: [[ListedModel]] = [], besides others: [ListenAddress] = []
    ) throws(SystemError) {
        let policy = withKnownBackends(policy)
        let files = credentials ?? PolicyCredentials(policy, known: knownCredentials)
        let credentials = try files.pools.usable()
        let opened = try open(policy.listen, files.listeners, besides: others)
        let workers = try openWorkers(policy, files.listeners, besides: others)
        try changeAccess(policy.listen)
        changeTLS(files.listeners)
        quotas.reconfigure(policy, hashKey: hashKey)
        let admissions = admissions(for: policy, credentials)
        replaceMembers(policy, admissions)
        self.policy = policy
        if let logs { watch(logs) }
        noteListening(opened)
        followWorkers(workers, policy, files.listeners)
        let modelList = ModelList(policy, listed: models)
        for index in 0..<group.count {
            let change = PolicyChange(
                policy: policy, admissions: admissions, logs: logs, modelList: modelList,
                stays: listening.map(\.number), sockets: opened.sockets(ofShard: index))
            group.send(to: index) { $0.apply(change) }
        }
        followTopicsOrTryAgain()
        metrics.countReload(atNanoseconds: ProcessClock.wallNanoseconds())
    }

    /// Opens those of `wanted` where the gateway does not listen yet.
    func open(
        _ wanted: [ListenSettings], _ credentials: ListenerCredentials,
        inherited: InheritedSockets = InheritedSockets(), besides others: [ListenAddress] = []
    ) throws(SystemError) -> [OpenedAddress] {
        // What cannot be had is found out before anything is changed.
        for settings in wanted { _ = try credentials.credentials(of: settings) }
        let own = ownAddresses(besides: others)
        var opened: [OpenedAddress] = []
        for (settings, place) in zip(wanted, places(of: wanted)) where place == nil {
            openedCount += 1
            opened.append(
                try OpenedAddress(
                    settings, number: openedCount,
                    credentials: credentials.credentials(of: settings),
                    shards: group.count, inherited: inherited.take(settings.address), own: own))
        }
        return opened
    }

    /// The places in `listening` of the addresses of `wanted`, each place once; nil where the gateway does not
    /// listen yet.
    ///
    /// Port 0 may be wanted several times.
    private func places(of wanted: [ListenSettings]) -> [Int?] {
        var left = Array(listening.indices)
        return wanted.map { settings in
            left.firstIndex { listening[$0].configured.address.isSame(as: settings.address) }
                .map { left.remove(at: $0) }
        }
    }

    /// Gives the files of unix sockets that stay the access that `wanted` says; when one cannot have
    /// it, none has.
    private func changeAccess(_ wanted: [ListenSettings]) throws(SystemError) {
        var changed: [Listening] = []
        let places = places(of: wanted)
        for (settings, place) in zip(wanted, places) {
            guard let index = place, let file = listening[index].file,
                listening[index].configured.access != settings.access
            else { continue }
            do throws(SystemError) {
                changed.append(listening[index])
                try file.change(to: settings.access)
            } catch {
                // What was possible before is possible again; if not, the first error is the one to tell.
                for former in changed { try? former.file?.change(to: former.configured.access) }
                throw error
            }
        }
        for (settings, place) in zip(wanted, places) {
            if let index = place { listening[index].configured = settings }
        }
    }

    /// Has listeners that stay speak TLS as they say now, connections that come from now on.
    private func changeTLS(_ credentials: ListenerCredentials) {
        for listening in listening {
            listening.tls.replace(listening.configured.tls.flatMap { credentials.all[$0] })
        }
    }

    /// Has listeners use `credentials`, where these are what they say; which listeners got others.
    package func replaceCertificates(
        _ credentials: [ListenerTLS: ServerCredentials]
    ) -> [ListenAddress] {
        listening.filter { listening in
            guard let tls = listening.configured.tls, let next = credentials[tls],
                next !== listening.tls.credentials
            else { return false }
            listening.tls.replace(next)
            return true
        }.map(\.actual) + replaceWorkerCertificates(credentials)
    }

    /// Notes where the gateway listens, now that its policy is in force.
    func noteListening(_ opened: [OpenedAddress]) {
        let kept = places(of: policy.listen).compactMap(\.self).sorted()
        for index in listening.indices where !kept.contains(index) {
            listening[index].file?.remove()
        }
        listening = kept.map { listening[$0] } + opened.map(\.listening)
    }

    /// Notes the logs whose losses are counted.
    private func watch(_ writers: LogWriters) {
        logWriters = []
        if let access = writers.access { logWriters.append(("access", access)) }
        logWriters.append(("operational", writers.operational))
    }

    /// The certificates in use.
    package var knownCredentials: PolicyCredentials.Known {
        var known = PolicyCredentials.Known()
        for member in members { known.pools[member.settings.name] = member.admission.credentials }
        for listening in listening {
            if let credentials = listening.tls.credentials {
                known.listeners[credentials.settings] = credentials
            }
        }
        if let credentials = workerListener?.credentials {
            known.listeners[credentials.settings] = credentials
        }
        return known
    }

    /// The admissions of the pools of `policy`, those that go on with their new settings included.
    private func admissions(
        for policy: Policy, _ credentials: [TLSCredentials?]
    ) -> [SharedAdmission] {
        zip(policy.pools, credentials).map { pool, credentials in
            let settings = pool.overridden(by: overrides[pool.name])
            guard let kept = member(toBecome: pool, in: policy) else {
                return makeAdmission(settings, credentials)
            }
            kept.admission.reconfigure(
                settings, credentials: credentials, hashKey: hashKey, now: reactor.now)
            kept.admission.override(
                overrides[pool.name]?.backends ?? .none, now: reactor.now)
            return kept.admission
        }
    }

    /// The admission of a pool that was not there before.
    func makeAdmission(
        _ settings: PoolSettings, _ credentials: TLSCredentials?
    ) -> SharedAdmission {
        let admission = SharedAdmission(
            settings, credentials: credentials, hashKey: hashKey, seed: random.next(),
            quotas: quotas, remembered: remembered.limits(ofPool: settings.name),
            inForce: remembered.backendsInForce(ofPool: settings.name))
        admission.override(overrides[settings.name]?.backends ?? .none, now: reactor.now)
        return admission
    }

    /// The pool whose admission goes on as that of `settings`.
    ///
    /// The one of its name, also one that was taken out of the policy and still serves what it has; else one
    /// of the same backends whose name the policy has no more. Two limits for the same backends would
    /// let twice as much through, and the new one would have to learn again.
    private func member(toBecome settings: PoolSettings, in policy: Policy) -> Member? {
        if let kept = members.last(where: { member in
            member.settings.name == settings.name
                && !(member.isRetired && goesOn(member.admission, in: policy))
        }) {
            return kept
        }
        let twins = policy.pools.count { $0.sharesBackends(with: settings) }
        // Among several it is not known which is which.
        guard twins == 1 else { return nil }
        let renamed = members.filter { member in
            !member.isRetired && member.settings.sharesBackends(with: settings)
                && !policy.pools.contains { $0.name == member.settings.name }
        }
        return renamed.count == 1 ? renamed[0] : nil
    }

    /// Whether another pool has the admission now, and stays.
    private func goesOn(_ admission: SharedAdmission, in policy: Policy) -> Bool {
        members.contains { member in
            !member.isRetired && member.admission === admission
                && policy.pools.contains { $0.name == member.settings.name }
        }
    }

    /// Those of `policy` become the members, and what is left of former ones stays among them.
    private func replaceMembers(_ policy: Policy, _ admissions: [SharedAdmission]) {
        var next = members.filter { member in
            !policy.pools.contains { $0.name == member.settings.name }
                && !member.admission.isIdle
        }
        for index in next.indices { next[index].isRetired = true }
        discoveries = discoveries.filter { name, _ in
            policy.pools.contains { $0.name == name && $0.discovery != nil }
        }
        for (settings, admission) in zip(policy.pools, admissions) {
            next.append(
                Member(
                    settings: settings.overridden(by: overrides[settings.name]),
                    admission: admission))
        }
        members = next
    }
}
