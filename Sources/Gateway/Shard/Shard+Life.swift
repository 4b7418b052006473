// How a gateway's life goes on: another policy is put in force, or it drains and ends. The leading
// reactor decides, and tells the others by letter.

internal import Admission
package import Policy
package import Reactor
package import Telemetry

// MARK: Reload

extension Shard {
    /// Puts `policy` in force in all reactors.
    ///
    /// Listeners that it adds are opened first: when one cannot be had, nothing changes. How many
    /// threads there are does not change either. `logs` are those that are written from now on; nil for
    /// the same as before.
    package func reload(_ policy: Policy, logs: LogWriters? = nil) throws(SystemError) {
        for pool in policy.pools { try pool.tls.checkFiles() }
        let opened = try openListeners(policy.listen)
        do throws(SystemError) {
            try replaceAdminListener(policy.admin)
        } catch {
            for listener in opened.own { listener.close() }
            throw error
        }
        let admissions = policy.pools.map { settings in
            guard let kept = pool(toBecome: settings, in: policy) else {
                return SharedAdmission(settings, seed: drawSeed())
            }
            kept.admission.reconfigure(settings, now: reactor.now)
            return kept.admission
        }
        putInForce(policy, admissions, logs)
        if let logs { watch(logs) }
        listeners.append(contentsOf: opened.own)
        for other in 1..<max(1, group.count) {
            let sockets = opened.others[other - 1]
            group.send(to: other) { shard in
                guard !shard.hasEnded && !shard.isDraining else { return }
                shard.putInForce(policy, admissions, logs)
                shard.listen(on: sockets)
            }
        }
        metrics.countReload(atNanoseconds: ProcessClock.wallNanoseconds())
    }

    /// The pool whose admission goes on as that of `settings`.
    ///
    /// The one of its name, also one that was taken out of the policy and still serves what it has; else one
    /// of the same backends whose name the policy has no more. Two limits for the same backends would
    /// let twice as much through, and the new one would have to learn again.
    private func pool(toBecome settings: PoolSettings, in policy: Policy) -> Pool? {
        if let kept = pools.last(where: { pool in
            pool.name == settings.name && !(pool.isRetired && goesOn(pool.admission, in: policy))
        }) {
            return kept
        }
        let labels = settings.backends.map(\.label).sorted()
        let twins = policy.pools.count { $0.backends.map(\.label).sorted() == labels }
        // Among several it is not known which is which.
        guard twins == 1 else { return nil }
        let renamed = snapshot.pools.filter { pool in
            pool.settings.backends.map(\.label).sorted() == labels
                && !policy.pools.contains { $0.name == pool.name }
        }
        return renamed.count == 1 ? renamed[0] : nil
    }

    /// Whether another pool has the admission now, and stays.
    private func goesOn(_ admission: SharedAdmission, in policy: Policy) -> Bool {
        snapshot.pools.contains { pool in
            pool.admission === admission && policy.pools.contains { $0.name == pool.name }
        }
    }

    /// Listeners of one reactor that opened sockets for all of them.
    struct OpenedListeners {
        /// Those of the reactor itself.
        var own: [Listener] = []
        /// The sockets of each other one.
        var others: [[OpenSocket]]
    }

    /// Opens listeners for those of `addresses` that have none.
    ///
    /// The kernel spreads connections over one socket for each reactor; a unix path can have only
    /// one, whose connections are handed on.
    func openListeners(_ addresses: [ListenAddress]) throws(SystemError) -> OpenedListeners {
        var opened = OpenedListeners(others: Array(repeating: [], count: group.count - 1))
        for address in addresses where !listeners.contains(where: { $0.configured == address }) {
            do throws(SystemError) {
                let socket = try ListeningSocket(address, isShared: group.count > 1)
                for other in opened.others.indices {
                    guard let another = try socket.another() else { break }
                    opened.others[other].append(
                        OpenSocket(address: address, socket: Handed(another)))
                }
                opened.own.append(
                    try Listener(shard: self, role: .proxy, address: address, socket: socket))
            } catch {
                for listener in opened.own { listener.close() }
                throw error
            }
        }
        return opened
    }

    /// Closes the admin listener and opens the one at `address`, where that is another one.
    func replaceAdminListener(_ address: ListenAddress?) throws(SystemError) {
        guard address != adminListener?.configured else { return }
        var replacement: Listener?
        if let address {
            replacement = try Listener(
                shard: self, role: .admin, address: address, socket: ListeningSocket(address))
        }
        adminListener?.close()
        adminListener = replacement
    }

    /// Takes over `policy`, whose pools have `admissions`, in this reactor.
    private func putInForce(
        _ policy: Policy, _ admissions: [SharedAdmission], _ logs: LogWriters?
    ) {
        for listener in listeners where !policy.listen.contains(listener.configured) {
            listener.close()
        }
        listeners.removeAll { !policy.listen.contains($0.configured) }
        replacePools(policy, admissions)
        followLogLevel()
        // There may be more room for clients than before.
        resumeAccepting()
        if let logs {
            takeOver(policy.log, access: logs.access)
        } else {
            accessLog?.apply(policy.log)
        }
    }

    private func replacePools(_ policy: Policy, _ admissions: [SharedAdmission]) {
        var current: [Pool] = []
        for (settings, admission) in zip(policy.pools, admissions) {
            // Under another name it is another pool, whose counters are its own.
            if let kept = pools.first(where: {
                $0.admission === admission && $0.name == settings.name
            }) {
                kept.revive()
                kept.catchUp()
                current.append(kept)
            } else {
                let pool = Pool(
                    admission, reactor: reactor,
                    place: Pool.Place(index: index, count: group.count), hashKey: hashKey)
                admission.noteMoves(explains)
                pools = pools + [pool]
                current.append(pool)
            }
        }
        for pool in snapshot.pools where !current.contains(where: { $0 === pool }) {
            pool.retire()
        }
        snapshot = Snapshot(policy, pools: current)
    }
}

// MARK: - Drain

extension Shard {
    /// Stops accepting and lets queued and running requests end, for at most the policy's
    /// `drain_timeout`; then `run` returns.
    package func drain() {
        guard !isDraining else { return }
        let timer = DrainTimer(shard: self)
        drainTimer = timer
        reactor.register(timer)
        reactor.setDeadline(
            of: timer,
            to: reactor.now.advanced(
                byNanoseconds: snapshot.policy.server.drainTimeout.wholeNanoseconds))
        group.send(toAllBut: index) { $0.takeNoMore() }
        takeNoMore()
    }

    /// Stops accepting in this reactor.
    private func takeNoMore() {
        drains = true
        for listener in listeners { listener.close() }
        listeners.removeAll()
        for pool in pools { pool.admission.drain() }
        for connection in connections.all { connection.drain() }
        stopIfDrained()
    }

    /// Ends at once, whatever is going on; the leading reactor ends all of them.
    package func stop() {
        for connection in connections.all { connection.abort() }
        reactor.stop()
        if leads { group.send(toAllBut: index) { $0.stop() } }
    }

    /// Ends a drain when no reactor has a client any more.
    func stopIfDrained() {
        guard isDraining && group.connectionCount == 0 else { return }
        if leads { stop() } else { group.send(to: 0) { $0.stopIfDrained() } }
    }
}
