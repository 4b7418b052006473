// Finding a backend's counters when a pool is set up.

internal import Telemetry

extension PoolMetrics {
    /// The counters of the backend `label`, which must be one of this pool's.
    func backendMetrics(for label: String) -> BackendMetrics {
        for backend in backends where backend.label == label { return backend }
        preconditionFailure("counters of a backend that the pool does not have")
    }
}
