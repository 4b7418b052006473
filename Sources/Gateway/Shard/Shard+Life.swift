// How a shard's life goes on: another policy is put in force, or it drains and ends. The controlling
// thread decides, and says so by message.

internal import Admission
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

/// Another policy, with all that a shard needs to follow it.
struct PolicyChange: Sendable {
    let policy: Policy
    /// The admission of its pools, in its order.
    let admissions: [SharedAdmission]
    /// What is logged to from now on; nil for the same as before.
    let logs: LogWriters?
    /// What clients are told of models.
    let modelList: ModelList
    /// The listeners that it has, by their numbers.
    let stays: [Int]
    /// The shard's sockets of the listeners that the policy adds.
    let sockets: [OpenSocket]
}

extension Shard {
    /// Takes over another policy.
    func apply(_ change: PolicyChange) {
        guard !hasEnded && !isDraining else { return }
        let policy = change.policy
        for listener in listeners {
            if change.stays.contains(listener.number) { continue }
            listener.finish()
        }
        replacePools(policy, change.admissions)
        snapshot.routes.modelList = change.modelList
        followLogLevel()
        // There may be more room for clients than before.
        resumeAccepting()
        if let logs = change.logs {
            takeOver(policy.log, access: logs.access)
        } else {
            accessLog?.apply(policy.log)
        }
        listen(on: change.sockets)
    }

    /// Accepts from sockets that the controlling thread has opened.
    func listen(on sockets: [OpenSocket]) {
        for open in sockets {
            guard let socket = open.socket.take() else { continue }
            do throws(SystemError) {
                listeners.append(
                    try Listener(
                        shard: self, number: open.number, tls: open.tls, socket: socket))
            } catch {
                logger.error("\(error.description)")
            }
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
                    shard: Pool.ShardNumber(index: index, count: group.count), desk: workers)
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

// MARK: - Ends

extension Shard {
    /// Accepts those who wait for it and nobody else, and lets queued and running requests end.
    ///
    /// Another process has the listeners in `handedOver`, and whoever waits there.
    func drain(handedOver: Set<Int>) {
        guard !isDraining else { return }
        isDraining = true
        drainBeganAt = reactor.now
        if !handedOver.isEmpty {
            // Until the drain is over but for the time that a last response takes.
            let drain = snapshot.policy.server.drainTimeout.wholeNanoseconds
            farewellNanoseconds = max(farewellNanoseconds, drain - 2 * farewellNanoseconds)
        }
        credits?.drain()
        for pool in pools { pool.admission.drain() }
        closeRestingWorkers()
        for connection in connections.all { connection.drain() }
        hastenHandshakes()
        for listener in listeners {
            if handedOver.contains(listener.number) { listener.close() } else { listener.finish() }
        }
        noteStoppedAccepting()
    }

    /// Has all pools decide anew about those who wait.
    func lookAgainEverywhere() {
        for pool in pools { pool.lookAgain() }
    }

    /// A listener is closed.
    func forget(_ listener: Listener) {
        listeners.removeAll { $0 === listener }
        noteAcceptPauses()
        noteStoppedAccepting()
    }

    /// Says once that nobody is accepted here any more.
    private func noteStoppedAccepting() {
        guard isDraining, !hasEnded, !hasStoppedAccepting, listeners.isEmpty else { return }
        hasStoppedAccepting = true
        group.control.send { $0.stoppedAccepting() }
    }

    /// Ends at once, whatever is going on.
    func stop() {
        giveUpHandshakes()
        for lane in lanes.all { lane.cancel() }
        for connection in connections.all { connection.abort() }
        reactor.stop()
    }

    /// Says so when a drain has left no client anywhere.
    func noteDrained() {
        guard isDraining && group.isDeserted else { return }
        group.control.send { $0.stopIfDrained() }
    }
}
