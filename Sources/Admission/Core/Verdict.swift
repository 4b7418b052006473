// What the controller answers: at once to an offer (`Verdict`), later to a poll (`Decision`).

/// The response to an offer.
package enum Verdict: ~Copyable, Sendable {
    /// Start the request at the permit's backend.
    case forward(Permit)
    /// Refuse the request now.
    case reject(Rejection)
    /// The request waits; its decision will come out of `poll` unless `cancel` takes it out.
    case parked(ParkedHandle)
}

/// A decision about a request that was parked.
package enum Decision: ~Copyable, Sendable {
    /// Start the request at the permit's backend.
    case forward(RequestID, Permit)
    /// Refuse the request; it has left the queue.
    case reject(RequestID, Rejection)

    /// Which request it is about.
    package var id: RequestID {
        switch self {
        case .forward(let id, _): id
        case .reject(let id, _): id
        }
    }
}

/// The slot of a parked request; worthless once the request has left the queue.
package struct ParkedHandle: Equatable, Sendable {
    /// Slot in the queue's table.
    let slot: Int32
    /// Told apart from earlier and later requests in the same slot.
    let generation: UInt32
}
