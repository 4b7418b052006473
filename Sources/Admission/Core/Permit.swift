// A permit is a part of a backend's limit, mostly one unit. It is made by a grant and spent exactly
// once, by `complete` or `retry`: the compiler forbids twice, the `deinit` traps on never.

/// Whom a running request waits for.
package enum Awaited: UInt8, Sendable {
    /// The backend: its silence counts.
    case backend
    /// The client, which does not send its body or does not read its response: neither is silence
    /// of the backend's, nor does it use up the limit of others, within a bound.
    case client
    /// Nobody: a tunnel in which either may speak. Silence says nothing, and its slot counts.
    case nobody
}

/// The right to have one request in flight at one backend.
package struct Permit: ~Copyable, Sendable {
    /// What stays when the permit is spent.
    private(set) var stub: Stub

    init(_ stub: Stub) { self.stub = stub }

    /// The backend that the request is bound to.
    package var backend: BackendID { stub.backend }
    /// When the permit was granted; the latency sample starts here.
    package var grantedAt: Instant { stub.grantedAt }
    /// Units of the limit in flight at the backend at the grant, this request's included.
    package var inFlight: Int { stub.inFlight }
    /// Units of the limit that it takes, from 1.
    package var seats: Int { stub.seats }
    /// Whom the request waits for.
    package var awaited: Awaited { stub.awaited }
    /// In observe mode, what the request would have been refused for; `none` otherwise.
    package var withheld: Reason { stub.withheld }
    /// In observe mode, whether the request would have had to wait.
    package var wouldWait: Bool { stub.wouldWait }

    /// Notes whom the request waits for.
    mutating func wait(on awaited: Awaited) { stub.awaited = awaited }

    /// What was taken of its tenant's quota, to be settled when the permit is spent.
    package var reserved: Reservation { stub.reserved }

    /// Notes that its client has left and the backend goes on.
    mutating func abandon() { stub.isAbandoned = true }

    /// What remains of a permit that was spent.
    struct Stub {
        let backend: BackendID
        let grantedAt: Instant
        /// When its client began to wait.
        let arrivedAt: Instant
        /// In flight at the backend at the grant, this one included.
        let inFlight: Int
        /// Which half-open trial this is, from 1; 0 when the backend was not on trial.
        let trial: UInt32
        /// Where affinity keeps what its backend is taken to know of its prompt; -1 for nowhere.
        let promptSlot: Int32
        let seats: Int
        /// Rows in the queue's tables.
        let tenant: Int32
        let row: Int
        /// Expected cost.
        let cost: Double
        /// What the request is expected to come to.
        let expected: ExpectedTokens
        /// What was taken from the tenant's quotas.
        let reserved: Reservation
        // What has a byte stands together: a stub is copied often.
        /// Whether the tenant was charged the cost.
        let isCharged: Bool
        let withheld: Reason
        let wouldWait: Bool
        /// What its time will say about work that nobody wants any more.
        let comparison: CancelLearning.Comparison
        /// Whether it is a suspected backend's trial.
        let isOnSuspicion: Bool
        /// Whose doing it is.
        let demand: DemandKind
        /// Whether no client waits for it.
        let isPatient: Bool
        var awaited = Awaited.backend
        var isAbandoned = false

        /// Which requests it is like: equal for those that are.
        ///
        /// Those of its tenant and class, and of its cost's power of two where something is known of the request itself;
        /// few of the others are taken for them.
        @inline(__always) var kind: UInt8 {
            let size = isSized ? UInt8(truncatingIfNeeded: cost.bitPattern >> 52) : 0
            let flow = UInt8(truncatingIfNeeded: tenant) &+ 3 &* UInt8(truncatingIfNeeded: row)
            return flow &+ 5 &* size
        }

        /// Whether its cost says more of it than whose it is.
        @inline(__always) private var isSized: Bool { expected.input > 0 || expected.output > 0 }
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
