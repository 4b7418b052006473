// What a shard tells of itself: its counters for the pages, and lines in the log about its backends.

internal import Admission
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

extension Shard {
    /// Logs that `upstream` refused a connection and is ejected for a while.
    func ejected(_ upstream: Upstream, _ pool: Pool, _ failure: DialFailure) {
        logger.warning(
            "backend ejected",
            metadata: [
                "pool": "\(pool.name)", "backend": "\(upstream.address.label)",
                "reason": "\(failure.reason.name)", "cause": "\(failure.cause.name)",
            ])
    }

    /// Logs why a dial to `upstream` failed, which no client sees whose request was tried elsewhere.
    func dialFailed(_ upstream: Upstream, _ pool: Pool, _ failure: DialFailure) {
        guard
            let times = upstream.dialFailures.note(
                Int(failure.cause.rawValue), now: reactor.now)
        else { return }
        logger.info(
            "dial failed",
            metadata: [
                "pool": "\(pool.name)", "backend": "\(upstream.address.label)",
                "reason": "\(failure.reason.name)", "cause": "\(failure.cause.name)",
                "times": "\(times)",
            ])
    }

    /// Logs which backends of `pool` are suspected since the last call, and which are trusted again.
    func tellDoubts(_ pool: Pool) {
        for doubt in pool.admission.takeDoubts() {
            guard let upstream = pool.upstream(doubt.backend) else { continue }
            var facts: Logger.Metadata = [
                "pool": "\(pool.name)", "backend": "\(upstream.address.label)",
            ]
            if let cause = doubt.to {
                facts["cause"] = "\(cause.name)"
                logger.warning("backend suspected", metadata: facts)
            } else {
                if let cause = doubt.from { facts["cause"] = "\(cause.name)" }
                logger.notice("backend trusted again", metadata: facts)
            }
        }
    }

    /// Logs that `upstream` takes connections again.
    func cameBack(_ upstream: Upstream, _ pool: Pool) {
        logger.notice(
            "backend back",
            metadata: ["pool": "\(pool.name)", "backend": "\(upstream.address.label)"])
    }

    /// Copies of what this shard has counted, with or without the rows by model, class and tenant.
    func report(withTraffic: Bool = true) -> ReactorReport {
        var report = ReactorReport(
            counters: metrics.copies, alive: alive,
            pools: snapshot.pools.map { self.report($0, withTraffic) })
        if bulkRuns.count > 0 {
            report.bulk = BulkSnapshot.shown(of: bulkRuns.all.map { $0.snapshot(now: reactor.now) })
        }
        return report
    }

    private var alive: LiveObjects {
        var alive = LiveObjects()
        alive.exchanges = openExchangeCount
        alive.dials = dialler.dialCount
        alive.timers = reactor.wakeUpCount
        return alive
    }

    private func report(_ pool: Pool, _ withTraffic: Bool) -> ReactorReport.PoolReport {
        pool.metrics.report(withTraffic: withTraffic) { label in
            let upstream = pool.upstreams.first { $0?.address.label == label }
            return (upstream??.openCount ?? 0, upstream??.idleCount ?? 0)
        }
    }
}
