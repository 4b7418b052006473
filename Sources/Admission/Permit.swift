// A permit is one unit of a backend's limit. It is made by a grant and spent exactly once, by
// `complete` or `retry`: the compiler forbids twice, the `deinit` traps on never.

/// The right to have one request in flight at one backend.
package struct Permit: ~Copyable, Sendable {
    /// The backend that the request is bound to.
    package let backend: BackendID
    /// When the permit was granted; the latency sample starts here.
    package let grantedAt: Instant
    /// Requests in flight at the backend when the permit was granted, this one included.
    package let inFlight: Int
    /// Which half-open trial this is, from 1; 0 when the backend was not on trial.
    let trial: UInt32

    /// What remains of a permit that was spent.
    struct Stub {
        let backend: BackendID
        let grantedAt: Instant
        let inFlight: Int
        let trial: UInt32
    }

    /// Ends the permit's life without the trap.
    consuming func spend() -> Stub {
        let stub = Stub(
            backend: backend, grantedAt: grantedAt, inFlight: inFlight, trial: trial)
        discard self
        return stub
    }

    deinit { trapLostPermit() }
}

/// Stands outside `deinit`, where the compiler would warn of code that is never reached.
@inline(never)
private func trapLostPermit() {
    preconditionFailure("a permit was lost: its slot at the backend would never come free")
}
