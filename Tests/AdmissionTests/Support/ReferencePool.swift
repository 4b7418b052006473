// What the controller promises, said again as naively as possible: plain arrays, searched from end
// to end. It does not predict who is started next or the value of a limit; it says what is allowed.

import Admission

/// The reference model of one pool.
struct ReferencePool {
    struct Waiting {
        var id: UInt64
        var ticket: Ticket
        /// Rows in the queue's tables, as the controller chose them.
        var tenant: Int32
        var row: Int
        var waitEnd: Int64
        var isReturned: Bool
        /// Names this stay in the queue, and orders by arrival.
        var stay: Int
    }

    struct Running {
        var id: UInt64
        var box: PermitBox
        var backend: Int
        var seats: Int
        var ticket: Ticket
        /// Whether it waits for its client and uses up no limit.
        var isUncounted = false
    }

    enum Place { case unknown, waiting, running, gone }

    var settings: AdmissionSettings
    var queue: [Waiting] = []
    var running: [Running] = []
    var places: [Place] = []
    /// The request on trial, by backend slot, since the last refusal or connection.
    var trial: [Int: UInt64] = [:]
    private var stays = 0

    init(settings: AdmissionSettings) { self.settings = settings }

    var queueBytes: Int { queue.reduce(0) { $0 + $1.ticket.bodyBytes } }

    /// Units of the limit in flight at a backend.
    func inFlight(_ backend: Int) -> Int {
        running.reduce(0) { $0 + ($1.backend == backend ? $1.seats : 0) }
    }

    /// Units of them that use up the limit.
    func counted(_ backend: Int) -> Int {
        running.reduce(0) { $0 + ($1.backend == backend && !$1.isUncounted ? $1.seats : 0) }
    }

    /// Parks a request; the number names this stay in the queue.
    mutating func park(
        _ id: UInt64, _ ticket: Ticket, tenant: Int32, row: Int, now: Int64, longestWait: Int64,
        isReturned: Bool
    ) -> Int {
        stays += 1
        queue.append(
            Waiting(
                id: id, ticket: ticket, tenant: tenant, row: row,
                waitEnd: now + longestWait, isReturned: isReturned, stay: stays))
        places[Int(id)] = .waiting
        return stays
    }

    mutating func leaveQueue(stay: Int) -> Bool {
        guard let index = queue.firstIndex(where: { $0.stay == stay }) else { return false }
        queue.remove(at: index)
        return true
    }

    /// Takes a request out of the queue by its name.
    mutating func leaveQueue(id: UInt64) -> Waiting? {
        guard let index = queue.firstIndex(where: { $0.id == id }) else { return nil }
        return queue.remove(at: index)
    }

    /// Whether a waiting request has to leave by now.
    func mustLeave(_ waiting: Waiting, now: Int64) -> Bool {
        waiting.waitEnd <= now || (waiting.ticket.respondBy?.nanoseconds ?? .max) <= now
    }

    /// Whether one more request of that many seats may go to that backend.
    ///
    /// `keptFree` units are kept for work that may go on after its connection was closed.
    func canGrant(_ index: Int, _ status: BackendStatus, seats: Int, keptFree: Int) -> Bool {
        let taken = min(max(seats, 1), max(1, status.allowed / 2))
        return status.isPresent && status.isUsable
            && counted(index) + keptFree + taken <= status.allowed
            && (status.consecutiveFailures == 0 || trial[index] == nil)
    }
}
