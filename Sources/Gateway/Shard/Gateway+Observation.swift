// The gateway as its pages show it: what the shards have counted, added up, with the gauges of this
// moment. The counters come by message; a shard that does not answer in time is a fault that must show.

internal import Admission
internal import Policy
internal import Reactor
package import Telemetry

/// What waits for the counters of all shards.
struct Gathering {
    let id: UInt64
    /// When it is given up.
    let endsAt: Instant
    var reports: [ReactorReport] = []
    let then: (GatewaySnapshot?) -> Void
}

extension Gateway {
    /// Calls `then` with everything that pages show, as soon as all shards have told what they have
    /// counted.
    ///
    /// `withTraffic` says whether the rows by model, class and tenant are wanted, of which there may be a thousand a pool:
    /// without it the pools' models are empty. With nil where one did not within so many seconds, or the gateway has ended: a shard answers
    /// between two turns of its loop, well within a millisecond when all is well.
    package func observe(
        within seconds: Double, withTraffic: Bool = true,
        _ then: @escaping (GatewaySnapshot?) -> Void
    ) {
        let id = random.next()
        let endsAt = reactor.now.advanced(byNanoseconds: Int64(seconds * 1e9))
        gatherings.append(Gathering(id: id, endsAt: endsAt, then: then))
        group.sendToAll { shard in
            let report = shard.report(withTraffic: withTraffic)
            shard.group.control.send { $0.received(report, for: id) }
        }
        arrangeTimer()
    }

    /// How many backends the pool of that name wants; nil where the policy has no such pool.
    package func scale(ofPool name: String) -> ShownScale? {
        members.first { !$0.isRetired && $0.settings.name == name }.map {
            ShownScale(pool: name, $0.admission.wantedBackends(now: reactor.now))
        }
    }

    private func received(_ report: ReactorReport, for id: UInt64) {
        guard let index = gatherings.firstIndex(where: { $0.id == id }) else { return }
        gatherings[index].reports.append(report)
        guard gatherings[index].reports.count == group.count else { return }
        let gathering = gatherings.remove(at: index)
        gathering.then(snapshot(gathering.reports))
    }

    /// Tells those that have waited long enough that nothing comes.
    func giveUpGatherings() {
        let now = reactor.now
        let late = gatherings.filter { $0.endsAt <= now }
        gatherings.removeAll { $0.endsAt <= now }
        for gathering in late { gathering.then(nil) }
    }

    private func snapshot(_ reports: [ReactorReport]) -> GatewaySnapshot {
        var observed = GatewaySnapshot(
            metrics: metrics.sum(of: reports),
            wallNanoseconds: ProcessClock.wallNanoseconds(),
            pools: members.filter { !$0.isRetired }.map {
                observe($0, ReactorReport.pools(named: $0.settings.name, in: reports))
            })
        observed.isDraining = isDraining || isLeaving
        observed.takesWorkers = workerListener != nil
        observed.takesBulk = policy.bulk != nil
        observed.topics = observedTopics
        observed.certificates =
            listening.flatMap(\.certificates) + (workerListener?.certificates ?? [])
            + certificatesBeside()
        observed.overrides = overridesBeside()
        observed.splits = policy.routes.filter { !$0.split.isEmpty }.map { route in
            SplitSnapshot(
                path: route.path.text, stickiness: route.stickiness.text, spills: route.spills,
                parts: route.split.map { (policy.pools[$0.pool].name, route.share(of: $0)) })
        }
        observed.mirrors = policy.routes.compactMap { route in
            route.mirror.map {
                MirrorSnapshot(
                    path: route.path.text, pool: policy.pools[$0.pool].name, share: $0.share)
            }
        }
        for report in reports { observed.alive.add(report.alive) }
        observed.bulk = BulkSnapshot.shown(of: reports.flatMap(\.bulk))
        observed.uptimeNanoseconds = reactor.now.nanoseconds(since: startedAt)
        observed.maxConnections = policy.server.maxConnections
        observed.logs = logWriters.map { ($0.name, $0.writer.statistics) }
        return observed
    }

    private func observe(
        _ member: Member, _ reports: [ReactorReport.PoolReport]
    ) -> PoolSnapshot {
        let admission = member.admission
        let settings = member.settings.admission
        let layout = admission.layout
        let metrics = PoolMetrics(
            name: member.settings.name, backends: layout.labels,
            classes: settings.classes.map(\.name), adding: reports)
        var observed = PoolSnapshot(
            metrics: metrics,
            backends: layout.allIDs.enumerated().compactMap { index, id in
                id.flatMap {
                    observe($0, index, layout, admission, metrics, reports)
                }
            })
        observed.discovery = discoveries[member.settings.name]
        if member.settings.workers != nil { observed.workers = admission.workersPresent }
        observed.hasByteRates = admission.byteRates.isInUse
        observed.affinity = admission.affinity
        observed.queueRequests = admission.queueLength
        observed.queueBytes = admission.queueBytes
        observed.oldestWaitNanoseconds = admission.oldestWaitNanoseconds(now: reactor.now) ?? 0
        observed.maxQueueRequests = settings.queue.maxRequests
        observed.maxQueueBytes = settings.queue.maxBytes
        observed.drainRatePerSecond = admission.drainRate ?? 0
        observed.maxWaitSeconds = settings.queue.maxWait.inSeconds
        if case .fixed = settings.limit { observed.isLimitFixed = true }
        observed.wanted = admission.wantedBackends(now: reactor.now)
        observed.isObserving = settings.mode == .observe
        observed.classes = metrics.classes.indices.map { index in
            var shown = ClassSnapshot(
                inFlight: admission.inFlight(ofClass: index),
                queued: admission.queueLength(ofClass: index))
            shown.patienceSeconds = admission.patienceSeconds(ofClass: index, now: reactor.now)
            return shown
        }
        observed.tenants = admission.tenants(first: PoolSnapshot.mostTenants)
        return observed
    }

    private func observe(
        _ id: BackendID, _ index: Int, _ layout: SharedAdmission.Layout,
        _ admission: SharedAdmission, _ metrics: PoolMetrics,
        _ reports: [ReactorReport.PoolReport]
    ) -> BackendSnapshot? {
        guard let status = admission.backend(id, now: reactor.now), status.isPresent else {
            return nil
        }
        let label = metrics.backends[index].label
        var observed = BackendSnapshot(metrics: metrics.backends[index])
        if index < layout.settings.backends.count {
            observed.weight = layout.settings.backends[index].weight
        }
        observed.limit = status.allowed
        observed.pinnedLimit = status.pinnedLimit
        observed.abandoned = status.abandoned
        observed.waitingForClient = status.waitingForClient
        observed.suspicion = status.suspicion
        observed.suspicions = SuspicionCause.allCases.map { admission.suspicions(of: id, $0) }
        observed.inFlight = status.inFlight
        observed.signals = admission.signals(of: id, now: reactor.now).map {
            SignalSnapshot($0, now: reactor.now)
        }
        observed.report = status.report
        observed.cacheTokens = status.cacheTokens
        observed.isFailingChecks = status.isFailingChecks
        observed.checks = CheckResult.allCases.map { admission.checks(of: id, $0).all }
        observed.ignoredChecks = admission.checks(of: id, .timedOut).ignored
        observed.isUsable = status.isUsable && !status.isOnTrial && !status.isWithheld
        observed.isOnTrial = status.isUsable && status.isOnTrial
        observed.evidence = status.evidence
        observed.lastMove = status.lastMove.map {
            ($0, max(0, reactor.now.nanoseconds(since: $0.at)))
        }
        observed.ejectedNanoseconds = status.unusableUntil.map {
            max(0, $0.nanoseconds(since: reactor.now))
        }
        observed.boundSeconds = status.boundSeconds
        for report in reports {
            guard let shard = report.backend(label, near: index) else { continue }
            observed.openConnections += shard.openConnections
            observed.idleConnections += shard.idleConnections
        }
        for reason in LimitMoveReason.allCases {
            let moves = admission.limitMoves(of: id, reason)
            let name = reason.name.description
            observed.limitMoves.append(LimitMoveCount(.up, name, count: UInt64(moves.up)))
            observed.limitMoves.append(LimitMoveCount(.down, name, count: UInt64(moves.down)))
        }
        return observed
    }
}
