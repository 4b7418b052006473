// One backend as the gateway sees it: how to dial it, and the connections that are not in use.
//
// Idle connections are kept last in, first out, so that the fewest stay warm and the others run
// into their time-out. They are watched: one that the backend closes leaves the list at once.

internal import Admission
internal import Policy
internal import Reactor
internal import Telemetry

/// A backend and its idle connections, in one reactor.
final class Upstream {
    let address: BackendAddress
    let credentials: TLSCredentials?
    let target: DialTarget
    let dialLine = DialLine()
    let id: BackendID
    let metrics: BackendMetrics
    /// `Host` for requests in the backend's own name.
    let authority: [UInt8]
    /// What paths begin with there.
    let path: [UInt8]
    /// The connections of a worker, which it opens itself; nil for a backend that is dialled.
    let worker: WorkerConnections?
    var keepAliveNanoseconds: Int64 = 0
    /// How old a connection becomes that is used again.
    var maxAgeNanoseconds = Int64.max
    var maxIdle = 0
    /// What the log was told of failed dials, by cause.
    var dialFailures = QuietLines(DialFailure.Cause.allCases.count)
    /// What the log was told of signals, by what they come to.
    var signalLines = QuietLines(BackendSignal.State.allCases.count)
    /// Connections that exist, idle or in use.
    private(set) var openCount = 0
    private var idle: [UpstreamConnection] = []
    /// Whether connections outlive the responses that they carried.
    private var habit = ReuseHabit()
    /// Whether the backend has left the policy; should it come back, it is another `Upstream`.
    private(set) var isRetired = false

    /// An idle connection that has rested longer than this is looked at before it is used again.
    private static let restNanoseconds: Int64 = 100_000_000

    init(
        _ address: BackendAddress, verifies: Bool, credentials: TLSCredentials?, id: BackendID,
        metrics: BackendMetrics
    ) {
        self.address = address
        self.credentials = credentials
        self.id = id
        self.metrics = metrics
        worker = nil
        target = DialTarget(address, verifies: verifies, credentials: credentials)
        authority = Array(address.authority.utf8)
        path = Array(address.path.utf8)
    }

    /// A worker of `pool`, whose connections the reactor of `desk` has a part of.
    init(
        _ worker: Worker, id: BackendID, metrics: BackendMetrics, of pool: Pool, at desk: WorkerDesk
    ) {
        address = BackendAddress(scheme: .http, host: worker.name, port: 80, label: worker.label)
        credentials = nil
        self.id = id
        self.metrics = metrics
        let connections = WorkerConnections(worker, of: pool, at: desk)
        self.worker = connections
        target = DialTarget(address)
        authority = Array(address.authority.utf8)
        path = []
        connections.upstream = self
    }

    /// Idle connections.
    var idleCount: Int { worker?.restingCount ?? idle.count }

    /// Whether connections are reused at all.
    var reusesConnections: Bool { !habit.isOff }

    /// Takes the connection that was used last, if one is still good.
    func acquire(now: Instant) -> UpstreamConnection? {
        if let worker { return worker.acquire(now: now) }
        if habit.isOff && !hasLastingTrial(now: now) { return nil }
        while let connection = idle.popLast() {
            connection.idleIndex = -1
            let rested = now.nanoseconds(since: connection.idleSince)
            connection.restedNanoseconds = rested
            let isDoubtful = rested > Upstream.restNanoseconds || habit.isDoubtful
            if connection.isOpen && !(isDoubtful && connection.hasPendingInput()) {
                if habit.isOff { habit.resume() }
                return connection
            }
            connection.close()
            ended(afterResting: rested, now: now)
        }
        return nil
    }

    /// Whether the connection that was kept to see what becomes of it is still there.
    private func hasLastingTrial(now: Instant) -> Bool {
        guard let trial = idle.last else { return false }
        return habit.hasLasted(now.nanoseconds(since: trial.idleSince))
    }

    /// An idle connection was ended by the backend.
    func endedWhileIdle(_ connection: UpstreamConnection) {
        if let worker { return worker.endedWhileResting(connection) }
        removeIdle(connection)
        connection.close()
        let now = connection.reactor.now
        ended(afterResting: now.nanoseconds(since: connection.idleSince), now: now)
    }

    /// A connection turned out to be at its end that had been idle for so long.
    func ended(afterResting nanoseconds: Int64, now: Instant) {
        if habit.ended(afterResting: nanoseconds, now: now) { closeIdle() }
    }

    /// Keeps a connection for the next request, or closes it where enough are kept.
    func release(_ connection: UpstreamConnection, now: Instant) {
        if let worker { return worker.release(connection, isRetired: isRetired, now: now) }
        guard !isRetired, idle.count < maxIdle, keepAliveNanoseconds > 0,
            now.nanoseconds(since: connection.openedAt) < maxAgeNanoseconds
        else {
            connection.close()
            return
        }
        // It was idle before, and served since.
        if connection.servedCount > 1 { habit.lasted() }
        if habit.isOff && !(idle.isEmpty && habit.beginsTrial(now: now)) {
            connection.close()
            return
        }
        connection.idleSince = now
        connection.idleIndex = idle.count
        idle.append(connection)
        let end = now.advanced(byNanoseconds: keepAliveNanoseconds)
        let oldest = connection.openedAt.advanced(byNanoseconds: maxAgeNanoseconds)
        connection.reactor.setDeadline(of: connection, to: min(end, oldest))
    }

    /// Takes a connection out of the idle list; it was closed by its backend or has been idle for
    /// too long.
    func removeIdle(_ connection: UpstreamConnection) {
        let index = connection.idleIndex
        guard index >= 0 else { return }
        connection.idleIndex = -1
        idle.remove(at: index)
        for later in index..<idle.count { idle[later].idleIndex = later }
    }

    /// Keeps no connection from now on: the backend has left the policy.
    func retire() {
        isRetired = true
        closeIdle()
    }

    /// Closes all idle connections.
    func closeIdle() {
        if let worker { return worker.closeResting() }
        let closing = idle
        idle = []
        for connection in closing {
            connection.idleIndex = -1
            connection.close()
        }
    }

    func connectionOpened() { openCount += 1 }

    func connectionClosed() { openCount -= 1 }
}
