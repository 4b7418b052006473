// A permit is a part of a backend's limit, mostly one unit. It is made by a grant and spent exactly once, by
// `complete` or `retry`: the compiler forbids twice, the `deinit` traps on never.

/// The right to have one request in flight at one backend.
package struct Permit: ~Copyable, Sendable {
    /// What stays when the permit is spent.
    let stub: Stub

    init(_ stub: Stub) { self.stub = stub }

    /// The backend that the request is bound to.
    package var backend: BackendID { stub.backend }
    /// When the permit was granted; the latency sample starts here.
    package var grantedAt: Instant { stub.grantedAt }
    /// Units of the limit in flight at the backend at the grant, this request's included.
    package var inFlight: Int { stub.inFlight }
    /// Units of the limit that it takes, from 1.
    package var seats: Int { stub.seats }
    /// In observe mode, what the request would have been refused for; `none` otherwise.
    package var withheld: Reason { stub.withheld }
    /// In observe mode, whether the request would have had to wait.
    package var wouldWait: Bool { stub.wouldWait }

    /// What remains of a permit that was spent.
    struct Stub {
        let backend: BackendID
        let grantedAt: Instant
        /// In flight at the backend at the grant, this one included.
        let inFlight: Int
        /// Which half-open trial this is, from 1; 0 when the backend was not on trial.
        let trial: UInt32
        let seats: Int
        /// Rows in the queue's tables.
        let tenant: Int32
        let row: Int
        /// Expected cost, and whether the tenant was charged for it.
        let cost: Double
        let isCharged: Bool
        /// What the request is expected to come to.
        let expected: ExpectedTokens
        /// What was taken from the tenant's quotas.
        let reserved: Reservation
        let withheld: Reason
        let wouldWait: Bool
    }

    /// Ends the permit's life without the trap.
    consuming func spend() -> Stub {
        let stub = stub
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
