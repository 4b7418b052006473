// One client's request, from its first attempt to the end of its last one. Records are used again;
// the generation tells what is scheduled for an earlier use or an earlier step from what is valid.

import Admission

/// What is known about one request.
struct RequestRecord {
    enum State: UInt8 {
        /// The record is free.
        case vacant
        /// The client thinks, or sends a body that the gateway holds.
        case away
        /// In the gateway's queue.
        case parked
        /// The client waits for the time that it was told, or that it takes, to try again.
        case promised
        /// The client still sends its body to the backend.
        case sending
        /// Sent to a backend that refuses, or that responses at once.
        case answeredAtOnce
        /// In the backend's own queue.
        case waiting
        /// At work.
        case running
        /// The work is done, and the client still takes the response.
        case delivering
    }

    var state = State.vacant
    var group: Int32 = 0
    var attempt: Int32 = 0
    var backend: Int32 = -1
    /// The gateway that has it.
    var gateway: Int32 = 0
    var generation: UInt32 = 0
    /// Nanoseconds since the simulation's start, of the first attempt and of this one.
    var arrivedAt: Int64 = 0
    var offeredAt: Int64 = 0
    /// When its permit was granted, when the backend had all of it, and when its work was done.
    var startedAt: Int64 = 0
    var begunAt: Int64 = 0
    var workedAt: Int64 = 0
    /// Nanoseconds that the client bears of this attempt; the end of time for a patient one.
    var patience: Int64 = .max
    /// Whether this attempt was counted as accepted.
    var isAccepted = false
    /// How often it was sent to another backend after its own had failed.
    var retries: UInt8 = 0
    /// The end of this attempt's deadline; the end of time when there is none.
    var deadline: Int64 = .max
    var units = 0.0
    /// Units that the backend works for it: fewer where the response is cut.
    var workUnits = 0.0
    /// How the backend fails it; nil when it does not.
    var failure: BackendFailure?
    /// The client has left, and the engine works on.
    var isAbandoned = false
    /// The gateway has closed its connection, and sees no progress of it.
    var isUnseen = false
    /// Whether another project's router sent it, and has not seen its end.
    var isRouted = false
    /// Units that were done when the client left.
    var unitsAtLeaving = 0.0
    var cost = 1.0
    var tenant = TenantID.anonymous
    /// The backend's virtual time at which it began and ends.
    var virtualStart = 0.0
    /// What it asks, what its backend had of that already, and whether that has read the rest.
    var prompt = Prompt()
    var cachedTokens = 0
    /// Whether it is a further one of its conversation, whose prompt is there already.
    var goesOn = false
    var isRead = true
    /// When the response's first unit came, where its prompt had to be read first.
    var firstUnitAt: Int64?
    var handle: ParkedHandle?
    /// Next vacant record.
    var nextVacant: Int32 = -1

    /// Becomes the record of the client whose request `other` was, and stays a record of its own.
    mutating func takeClient(of other: RequestRecord) {
        group = other.group
        attempt = other.attempt
        arrivedAt = other.arrivedAt
        units = other.units
        cost = other.cost
        tenant = other.tenant
        gateway = other.gateway
        prompt = other.prompt
    }
}
