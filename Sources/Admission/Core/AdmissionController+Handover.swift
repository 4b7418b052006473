// While one process of a gateway takes over from another, both send requests to the same backends: the older one has
// some in flight until it ends, and the newer one has the limits. What the older has counts in the newer as work that goes on
// although nobody here waits for it.

extension AdmissionController {
    /// Units in flight by the keys of the backends that have any.
    package var inFlightByBackend: [String: Int] {
        var counts: [String: Int] = [:]
        for backend in backends where backend.inFlight > 0 {
            counts[backend.key] = backend.inFlight
        }
        return counts
    }

    /// Counts what another process of this gateway has in flight, in units by the backends' keys, and nothing at others;
    /// poll afterwards.
    package mutating func holdElsewhere(_ counts: [String: Int], now: Instant) {
        advance(to: now)
        for index in backends.indices where backends[index].isPresent {
            backends[index].holdElsewhere(max(0, counts[backends[index].key] ?? 0))
            refresh(index)
        }
    }
}
