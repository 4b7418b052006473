// One client's request, from its first attempt to the end of its last one. Records are used again;
// the generation tells what is scheduled for an earlier use or an earlier step from what is valid.

import Admission

/// What is known about one request.
struct RequestRecord {
    enum State: UInt8 {
        /// The record is free.
        case vacant
        /// The client waits: it thinks, or it will try again.
        case away
        /// In the gateway's queue.
        case parked
        /// Sent to a backend that refuses, or that answers at once.
        case answeredAtOnce
        /// In the backend's own queue.
        case waiting
        /// At work.
        case running
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
    /// When the backend got it.
    var startedAt: Int64 = 0
    /// The end of this attempt's deadline; the end of time when there is none.
    var deadline: Int64 = .max
    var units = 0.0
    var cost = 1.0
    var tenant = TenantID.anonymous
    /// The backend's virtual time at which it began and ends.
    var virtualStart = 0.0
    var handle: ParkedHandle?
    /// Next vacant record.
    var nextVacant: Int32 = -1
}
