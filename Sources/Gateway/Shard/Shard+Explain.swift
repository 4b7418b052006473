// Why a request was refused and why a limit moved, with the figures, for those who read the log at
// level debug. At other levels nothing is put together.

internal import Admission
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

extension Shard {
    /// Writes why the request of `exchange` was refused.
    func explain(_ rejection: Rejection, of exchange: Exchange) {
        guard explains else { return }
        var facts = facts(of: exchange, rejection.reason, rejection.circumstances)
        facts["retry_after_ms"] = "\(rejection.retryAfterMilliseconds)"
        if let share = rejection.share { facts["tenant_share"] = "\(share.limit)" }
        logger.debug("refused", metadata: facts)
    }

    /// Writes what the request of `exchange` would have been refused for.
    func explain(_ withheld: Reason, of exchange: Exchange, in pool: Pool) {
        guard explains else { return }
        var circumstances = Circumstances()
        circumstances.limit = pool.admission.limit
        circumstances.inFlight = pool.admission.inFlight
        logger.debug("would be refused", metadata: facts(of: exchange, withheld, circumstances))
    }

    /// Writes what moved the limits of the backends in `pool` since the last call.
    func explainMoves(_ pool: Pool) {
        guard explains else { return }
        for move in pool.admission.takeMoves() {
            var facts: Logger.Metadata = [
                "pool": "\(pool.name)", "reason": "\(move.reason.name)",
                "from": "\(Shard.short(move.from))", "to": "\(Shard.short(move.to))",
                "in_flight": "\(move.inFlight)", "held_by": "\(move.evidence.holder.name)",
                "service_ms": "\(Shard.short(move.serviceSeconds * 1000))",
            ]
            if let upstream = pool.upstream(move.backend) {
                facts["backend"] = "\(upstream.address.label)"
            }
            if let elasticity = move.evidence.elasticity {
                facts["elasticity"] = "\(Shard.short(elasticity))"
            }
            logger.debug("limit moved", metadata: facts)
        }
    }

    private func facts(
        of exchange: Exchange, _ reason: Reason, _ circumstances: Circumstances
    ) -> Logger.Metadata {
        var facts: Logger.Metadata = [
            "request_id": "\(String(decoding: exchange.requestID, as: UTF8.self))",
            "reason": "\(reason.name)", "limit": "\(circumstances.limit)",
            "in_flight": "\(circumstances.inFlight)", "queued": "\(circumstances.queued)",
        ]
        if let pool = exchange.pool {
            facts["pool"] = "\(pool.name)"
            if let drainRate = pool.admission.drainRate {
                facts["drain_rate"] = "\(Shard.short(drainRate))"
            }
        }
        if let held = exchange.pool?.heldBack(now: reactor.now), !held.isEmpty {
            facts["held_back"] = "\(held)"
        }
        if let name = exchange.claim.classMetrics?.name { facts["class"] = "\(name)" }
        if let seconds = circumstances.patienceSeconds {
            facts["patience_ms"] = "\(Shard.short(seconds * 1000))"
        }
        if let seconds = circumstances.predictedWaitSeconds {
            facts["predicted_wait_ms"] = "\(Shard.short(seconds * 1000))"
        }
        return facts
    }

    /// A figure with at most two decimals.
    private static func short(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
