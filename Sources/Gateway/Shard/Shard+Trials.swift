// Backends that were ejected and that no client tries: they are connected to, and nothing is asked.

internal import Admission
internal import Reactor
internal import Telemetry

extension Shard {
    /// Connects to each backend that is on trial, one connection at a time, and closes it again.
    func tryBackends() {
        for pool in pools where !pool.isRetired {
            pool.catchUp()
            for case let upstream? in pool.upstreams where !upstream.isRetired {
                let status = pool.admission.backend(upstream.id, now: reactor.now)
                guard let status, status.isUsable, status.isOnTrial, status.inFlight == 0 else {
                    continue
                }
                tryBackend(upstream, of: pool)
            }
        }
    }

    private func tryBackend(_ upstream: Upstream, of pool: Pool) {
        guard !upstream.isBeingTried else { return }
        let milliseconds = Int(pool.timeouts.connectNanoseconds / 1_000_000)
        let dial = dialler.dial(
            upstream.target, in: upstream.dialLine, timeoutMilliseconds: milliseconds,
            now: reactor.now
        ) { [unowned self] result in
            upstream.isBeingTried = false
            switch consume result {
            case .connected:
                if pool.tried(upstream, succeeded: true) { cameBack(upstream, pool) }
            case .failed(let failure):
                dialFailed(upstream, pool, failure)
                // Our own shortage says nothing about the backend.
                if failure.reason == .exhausted { return }
                _ = pool.tried(upstream, succeeded: false)
                upstream.metrics.ejections &+= 1
            }
        }
        upstream.isBeingTried = dial != nil
    }
}
