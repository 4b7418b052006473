// Where an exchange stands, and where it may go from there: the one table of its life. `Exchange.move`
// holds every step to it.

/// Where an exchange stands.
enum ExchangeStage: UInt8 {
    /// The head is being read.
    case readingHead
    /// The body is read for the model that it names, or before the request is offered.
    case readingBody
    /// Waiting in the pool's queue for a permit.
    case parked
    /// Holding a permit and waiting for a connection.
    case dialling
    /// Attached to a backend's connection.
    case forwarding
    /// The whole response, a backend's or our own, is in the client's output.
    case delivering
    /// The connection is no longer HTTP's: bytes pass both ways as they come.
    case tunnelling
    /// Lines are read, asked and answered, many to the exchange.
    case bulk

    /// The stages that may follow.
    ///
    /// From each of them an exchange may also end, and begin anew with the head of another request.
    @inline(__always) private var successors: UInt8 {
        let readingBody = ExchangeStage.readingBody.bit
        let parked = ExchangeStage.parked.bit
        let dialling = ExchangeStage.dialling.bit
        let forwarding = ExchangeStage.forwarding.bit
        let delivering = ExchangeStage.delivering.bit
        let tunnelling = ExchangeStage.tunnelling.bit
        let bulk = ExchangeStage.bulk.bit
        return switch self {
        // What is not answered at once is offered, after its body has been read or before.
        case .readingHead: readingBody | parked | dialling | delivering | bulk
        // Once for the model, and once more for the rest.
        case .readingBody: readingBody | parked | dialling | delivering
        // Refused, it may go to its route's other pool and wait there.
        case .parked: parked | dialling | delivering
        // A failed dial leads to another backend, or back to the queue.
        case .dialling: parked | dialling | forwarding | delivering
        // So does a failure before the client had a byte.
        case .forwarding: parked | dialling | delivering | tunnelling
        // With the last line.
        case .bulk: delivering
        case .delivering, .tunnelling: 0
        }
    }

    /// Its bit in a set of stages.
    @inline(__always) private var bit: UInt8 { 1 << rawValue }

    /// Whether `next` may follow.
    @inline(__always) func leads(to next: ExchangeStage) -> Bool { successors & next.bit != 0 }
}
