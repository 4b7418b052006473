// The gateway as the admin pages see it: counters with the gauges of this moment.

internal import Admission
internal import Logging
internal import Policy
internal import Reactor
package import Telemetry

extension Shard {
    /// Whether some pool has a backend that is not left out.
    var hasUsableBackend: Bool {
        snapshot.pools.contains { $0.admission.hasUsableBackend(now: reactor.now) }
    }

    /// Logs that `upstream` refused a connection and is left out for a while.
    func leftOut(_ upstream: Upstream, _ pool: Pool, _ reason: Reason) {
        logger.warning(
            "backend left out",
            metadata: [
                "pool": "\(pool.name)", "backend": "\(upstream.address.label)",
                "reason": "\(reason.name)",
            ])
    }

    /// Logs that `upstream` takes connections again.
    func cameBack(_ upstream: Upstream, _ pool: Pool) {
        logger.notice(
            "backend back",
            metadata: ["pool": "\(pool.name)", "backend": "\(upstream.address.label)"])
    }

    /// Everything that the admin pages show, at this moment, as far as this reactor knows it.
    package func observe() -> GatewaySnapshot { observe(with: []) }

    /// Copies of what this reactor has counted.
    func report() -> ReactorReport {
        ReactorReport(
            counters: metrics.copies, alive: alive, pools: snapshot.pools.map(report))
    }

    private var alive: LiveObjects {
        var alive = LiveObjects()
        alive.exchanges = openExchangeCount
        alive.dials = dialler.dialCount
        alive.timers = reactor.wakeUpCount
        return alive
    }

    private func report(_ pool: Pool) -> ReactorReport.PoolReport {
        pool.metrics.report { label in
            let upstream = pool.upstreams.first { $0?.address.label == label }
            return (upstream??.openCount ?? 0, upstream??.idleCount ?? 0)
        }
    }

    /// Everything that the admin pages show, at this moment; `reports` are those of all other
    /// reactors.
    func observe(with reports: [ReactorReport]) -> GatewaySnapshot {
        var observed = GatewaySnapshot(
            metrics: reports.isEmpty ? metrics : metrics.sum(with: reports),
            wallNanoseconds: ProcessClock.wallNanoseconds(),
            pools: snapshot.pools.map {
                observe($0, ReactorReport.pools(named: $0.name, in: reports))
            })
        observed.isDraining = isDraining
        observed.alive = alive
        for report in reports { observed.alive.add(report.alive) }
        observed.uptimeNanoseconds = reactor.now.nanoseconds(since: startedAt)
        observed.maxConnections = snapshot.policy.server.maxConnections
        observed.logs = logWriters.map { ($0.name, $0.writer.statistics) }
        return observed
    }

    private func observe(
        _ pool: Pool, _ reports: [ReactorReport.PoolReport]
    ) -> PoolSnapshot {
        let metrics =
            reports.isEmpty ? pool.metrics : pool.metrics.sum(of: [report(pool)] + reports)
        var observed = PoolSnapshot(
            metrics: metrics,
            backends: pool.upstreams.compactMap { upstream in
                upstream.flatMap { observe($0, pool, metrics, reports) }
            })
        observed.queueRequests = pool.admission.queueLength
        observed.queueBytes = pool.admission.queueBytes
        observed.oldestWaitNanoseconds = pool.admission.oldestWaitNanoseconds(now: reactor.now) ?? 0
        observed.maxQueueRequests = pool.settings.admission.queue.maxRequests
        observed.maxQueueBytes = pool.settings.admission.queue.maxBytes
        observed.drainRatePerSecond = pool.admission.drainRate ?? 0
        observed.isObserving = pool.isObserving
        observed.classes = metrics.classes.indices.map { index in
            var shown = ClassSnapshot(
                inFlight: pool.admission.inFlight(ofClass: index),
                queued: pool.admission.queueLength(ofClass: index))
            shown.patienceSeconds = pool.admission.patienceSeconds(
                ofClass: index, now: reactor.now)
            return shown
        }
        observed.tenants = pool.admission.tenants(first: PoolSnapshot.mostTenants)
        return observed
    }

    private func observe(
        _ upstream: Upstream, _ pool: Pool, _ metrics: PoolMetrics,
        _ reports: [ReactorReport.PoolReport]
    ) -> BackendSnapshot? {
        guard let status = pool.admission.backend(upstream.id, now: reactor.now), status.isPresent
        else { return nil }
        let label = upstream.address.label
        var observed = BackendSnapshot(metrics: metrics.backendMetrics(for: label))
        observed.limit = status.allowed
        observed.abandoned = status.abandoned
        observed.waitingForClient = status.waitingForClient
        observed.suspicion = status.suspicion
        observed.suspicions = SuspicionCause.allCases.map {
            pool.admission.suspicions(of: upstream.id, $0)
        }
        observed.inFlight = status.inFlight
        observed.isUsable = status.isUsable
        observed.evidence = status.evidence
        observed.boundSeconds = status.boundSeconds
        observed.openConnections = upstream.openCount
        observed.idleConnections = upstream.idleCount
        for report in reports {
            guard let other = report.backends.first(where: { $0.label == label }) else { continue }
            observed.openConnections += other.openConnections
            observed.idleConnections += other.idleConnections
        }
        for reason in LimitMoveReason.allCases {
            let moves = pool.admission.limitMoves(of: upstream.id, reason)
            let name = reason.name.description
            observed.limitMoves.append(LimitMoveCount(.up, name, count: UInt64(moves.up)))
            observed.limitMoves.append(LimitMoveCount(.down, name, count: UInt64(moves.down)))
        }
        return observed
    }
}
