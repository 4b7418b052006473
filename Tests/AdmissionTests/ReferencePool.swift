// What the controller promises, said again as naively as possible: plain arrays, searched from end
// to end. It does not predict the choice of a backend or the value of a limit; it says what is
// allowed.

import Admission

/// The reference model of one pool.
struct ReferencePool {
    struct Waiting {
        var id: UInt64
        var bytes: Int
        var expiresAt: Int64
        var reason: Reason
        /// Orders requests that expire together.
        var sequence: Int
    }

    enum Place { case unknown, waiting, running, gone }

    var settings: AdmissionSettings
    var queue: [Waiting] = []
    var places: [Place] = []
    /// Requests in flight by backend place.
    var inFlight: [Int: Int] = [:]
    /// The request on trial, by backend place, since the last refusal or connection.
    var trial: [Int: UInt64] = [:]
    var isDraining = false
    private var sequence = 0

    init(settings: AdmissionSettings) { self.settings = settings }

    var queueBytes: Int { queue.reduce(0) { $0 + $1.bytes } }
    var totalInFlight: Int { inFlight.values.reduce(0, +) }

    /// Parks a request; the number names this stay in the queue.
    mutating func park(_ id: UInt64, _ ticket: Ticket, now: Int64, atHead: Bool) -> Int {
        sequence += 1
        let end = now + settings.queue.maxWait.wholeNanoseconds
        let deadline = ticket.deadline?.nanoseconds ?? .max
        let waiting = Waiting(
            id: id, bytes: ticket.bodyBytes, expiresAt: min(end, deadline),
            reason: deadline < end ? .deadline : .queueTimeout, sequence: sequence)
        queue.insert(waiting, at: atHead ? 0 : queue.count)
        places[Int(id)] = .waiting
        return sequence
    }

    mutating func leaveQueue(stay: Int) -> Bool {
        guard let index = queue.firstIndex(where: { $0.sequence == stay }) else { return false }
        queue.remove(at: index)
        return true
    }

    /// The request that has to expire first, if any has to by now.
    func expired(now: Int64) -> Waiting? {
        queue.filter { $0.expiresAt <= now }
            .min { ($0.expiresAt, $0.sequence) < ($1.expiresAt, $1.sequence) }
    }

    /// Whether one more request may go to that backend.
    func canGrant(_ index: Int, _ status: BackendStatus) -> Bool {
        status.isPresent && status.isUsable && inFlight[index, default: 0] < status.limit
            && (status.consecutiveFailures == 0 || trial[index] == nil)
    }
}
