// The gateway as the admin pages see it: counters with the gauges of this moment.

internal import Admission
internal import Logging
internal import Policy

extension Gateway {
    /// Whether some pool has a backend that is not left out.
    var hasUsableBackend: Bool {
        snapshot.pools.contains { $0.admission.hasUsableBackend(now: reactor.now) }
    }

    /// Counts and logs that `upstream` refused a connection and is left out for a while.
    func leftOut(_ upstream: Upstream, _ pool: Pool, _ reason: Reason) {
        upstream.metrics.ejections &+= 1
        guard !upstream.isReportedLeftOut else { return }
        upstream.isReportedLeftOut = true
        logger.warning(
            "backend left out",
            metadata: [
                "pool": "\(pool.name)", "backend": "\(upstream.address.label)",
                "reason": "\(reason.name)",
            ])
    }

    /// Logs that `upstream` takes connections again.
    func cameBack(_ upstream: Upstream, _ pool: Pool) {
        guard upstream.isReportedLeftOut else { return }
        upstream.isReportedLeftOut = false
        logger.notice(
            "backend back",
            metadata: ["pool": "\(pool.name)", "backend": "\(upstream.address.label)"])
    }

    /// Everything that the admin pages show, at this moment.
    package func observe() -> GatewaySnapshot {
        var observed = GatewaySnapshot(
            metrics: metrics, wallNanoseconds: ProcessClock.wallNanoseconds(),
            pools: snapshot.pools.map(observe))
        observed.isDraining = isDraining
        observed.maxConnections = snapshot.policy.server.maxConnections
        observed.logs = logWriters.map { ($0.name, $0.writer.statistics) }
        return observed
    }

    private func observe(_ pool: Pool) -> PoolSnapshot {
        var observed = PoolSnapshot(
            metrics: pool.metrics,
            backends: pool.upstreams.compactMap { upstream in
                upstream.flatMap { observe($0, pool) }
            })
        observed.queueRequests = pool.admission.queueLength
        observed.queueBytes = pool.admission.queueBytes
        observed.oldestWaitNanoseconds = pool.admission.oldestWaitNanoseconds(now: reactor.now) ?? 0
        observed.maxQueueRequests = pool.settings.admission.queue.maxRequests
        observed.maxQueueBytes = pool.settings.admission.queue.maxBytes
        observed.drainRatePerSecond = pool.admission.drainRate ?? 0
        observed.isObserving = pool.isObserving
        observed.classes = pool.metrics.classes.indices.map { index in
            ClassSnapshot(
                inFlight: pool.admission.inFlight(ofClass: index),
                queued: pool.admission.queueLength(ofClass: index))
        }
        observed.tenants = pool.admission.tenants(first: PoolSnapshot.mostTenants)
        return observed
    }

    private func observe(_ upstream: Upstream, _ pool: Pool) -> BackendSnapshot? {
        guard let status = pool.admission.backend(upstream.id, now: reactor.now), status.isPresent
        else { return nil }
        var observed = BackendSnapshot(metrics: upstream.metrics)
        observed.limit = status.limit
        observed.inFlight = status.inFlight
        observed.isUsable = status.isUsable
        observed.evidence = status.evidence
        observed.boundSeconds = status.boundSeconds
        observed.openConnections = upstream.openCount
        observed.idleConnections = upstream.idleCount
        for reason in LimitMoveReason.allCases {
            let moves = pool.admission.limitMoves(of: upstream.id, reason)
            let name = reason.name.description
            observed.limitMoves.append(LimitMoveCount(.up, name, count: UInt64(moves.up)))
            observed.limitMoves.append(LimitMoveCount(.down, name, count: UInt64(moves.down)))
        }
        return observed
    }
}
