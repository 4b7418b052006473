// What a shard does with what was found out about a backend on trial that no client tries.

internal import Admission
internal import Reactor
internal import Telemetry

extension Shard {
    /// A backend was asked something by nobody's order.
    func tried(_ id: BackendID, of admission: SharedAdmission, _ finding: TrialFinding) {
        guard let pool = pool(of: admission), let upstream = pool.upstream(id), !upstream.isRetired
        else {
            return
        }
        pool.catchUp()
        switch finding {
        case .answered:
            if pool.connected(upstream) { cameBack(upstream, pool) }
            pool.answered(upstream)
        case .connected:
            if pool.connected(upstream) { cameBack(upstream, pool) }
        case .failed(let failure):
            dialFailed(upstream, pool, failure)
            pool.refused(upstream)
            upstream.metrics.ejections &+= 1
        }
    }
}
