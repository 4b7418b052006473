// Requests without clients' sockets, in one client's name: what bulk streams and topics ask for. The source pulls:
// `demand` says how many requests it may submit now, and it takes nothing from where it gets them that it has no demand
// for. What fails in a way that another try may mend is tried again here; what finds no room not even to wait, because
// others want it, is no try.
//
// Life: made by its source on a reactor's thread, and ended by `cancel`, or with that reactor. Between the two it acts
// once a turn at most, in `resume`, so that however fast answers come nothing calls itself.

internal import Admission
internal import Reactor

/// A source's way into the gateway.
final class Lane: EventHandler, TableMember {
    private let shard: Shard
    let identity: LaneIdentity
    private let settings: LaneSettings
    private unowned let user: LaneUser
    private var window: LaneWindow
    /// What was submitted and is to be sent, in its order; what comes back stands in front.
    private var waiting: [Waiting] = []
    private var idle: [LaneConnection] = []
    private var busy: [ObjectIdentifier: LaneConnection] = [:]
    private var ended: [LaneConnection] = []
    private(set) var isCancelled = false
    /// Where the shard keeps it, -1 for nowhere.
    var tableIndex = -1

    private struct Waiting {
        let request: LaneRequest
        /// The try that comes next, from 1.
        let tries: Int
        let notBefore: Instant
        /// Whether it waits for its pool's backends without holding up the others.
        var isSetAside = false
    }

    init(in shard: Shard, as identity: LaneIdentity, _ settings: LaneSettings, user: LaneUser) {
        self.shard = shard
        self.identity = identity
        self.settings = settings
        self.user = user
        window = LaneWindow(settings)
        super.init()
        shard.reactor.register(self)
        shard.lanes.insert(self)
    }

    /// Bytes of a response's body that are kept.
    var mostAnswerBytes: Int { settings.mostAnswerBytes }

    /// Requests that were submitted and have not ended.
    var openCount: Int { window.openCount }

    /// How many more requests may be submitted now.
    var demand: Int {
        if isCancelled || shard.isDraining || shard.reactor.now < window.resumesAt { return 0 }
        return window.demand(
            runningCount: busy.values.count { $0.isRunning }, stranded: strandedBytes)
    }

    /// The bytes of bodies of requests that wait in pools where nobody can be sent any.
    private var strandedBytes: [Int] {
        var pools: [ObjectIdentifier: Bool] = [:]
        var found: [Int] = []
        for connection in busy.values {
            guard let pool = connection.waitsIn, let request = connection.request else { continue }
            let name = ObjectIdentifier(pool)
            let isEmpty =
                pools[name] ?? !pool.admission.hasUsableBackend(now: shard.reactor.now)
            pools[name] = isEmpty
            if isEmpty { found.append(request.body.count) }
        }
        return found
    }

    /// Takes a request, for which there is demand.
    func submit(_ request: LaneRequest) {
        precondition(!isCancelled, "a lane that has ended takes nothing")
        window.submitted()
        shard.group.openLaneRequests(by: 1)
        waiting.append(
            Waiting(request: request, tries: 1, notBefore: Instant(nanoseconds: .min / 2)))
        shard.reactor.resumeLater(self)
    }

    /// The source has passed on so many bytes of answers.
    func release(bytes: Int) {
        window.released(bytes: bytes)
        shard.reactor.resumeLater(self)
    }

    /// Ends everything that is under way; nothing more is told.
    func cancel() {
        guard !isCancelled else { return }
        isCancelled = true
        waiting.removeAll()
        for connection in busy.values { connection.drop() }
        for connection in idle + ended { connection.drop() }
        busy.removeAll()
        idle.removeAll()
        ended.removeAll()
        shard.lanes.remove(self)
        shard.reactor.deregister(self)
        shard.group.openLaneRequests(by: -window.openCount)
        shard.noteDrained()
    }

    /// Ends those requests, as far as they are under way; nothing more is told of them.
    func cancel(_ keys: Set<Int>) {
        guard !isCancelled else { return }
        let before = waiting.count
        waiting.removeAll {
            guard keys.contains($0.request.key) else { return false }
            if $0.isSetAside { window.broughtBack(bytes: $0.request.body.count) }
            return true
        }
        var count = before - waiting.count
        for (id, connection) in busy {
            guard let request = connection.request, keys.contains(request.key) else { continue }
            busy[id] = nil
            connection.drop()
            count += 1
        }
        count += cancelEnded(keys)
        window.cancelled(count)
        shard.group.openLaneRequests(by: -count)
        shard.noteDrained()
        shard.reactor.resumeLater(self)
    }

    /// Drops those of the requests whose results nobody has taken; how many.
    ///
    /// Another try would be made of what was answered with a 503 in this turn.
    private func cancelEnded(_ keys: Set<Int>) -> Int {
        let isMeant = { (connection: LaneConnection) in
            connection.request.map { keys.contains($0.key) } ?? false
        }
        let dropped = ended.filter(isMeant)
        ended.removeAll(where: isMeant)
        for connection in dropped { connection.drop() }
        return dropped.count
    }

    /// A connection has a result; it is taken in the next turn.
    func hasResult(_ connection: LaneConnection) {
        guard !isCancelled, busy.removeValue(forKey: ObjectIdentifier(connection)) != nil else {
            return
        }
        ended.append(connection)
        shard.reactor.resumeLater(self)
    }

    // MARK: Turns

    override func resume() {
        // The user may let go of the lane.
        withExtendedLifetime(self) {
            takeResults()
            send()
            tell()
        }
    }

    override func deadlineReached() { resume() }

    private func takeResults() {
        var taken: [LaneConnection] = []
        swap(&taken, &ended)
        for connection in taken where !isCancelled {
            let (request, result, retryAfterSeconds) = connection.takeResult()
            if result.failure == .tooLarge { connection.drop() }
            if connection.isUsable { idle.append(connection) }
            guard !comesAgain(request, result, retryAfterSeconds) else { continue }
            window.ended(bytes: result.body.count)
            shard.group.openLaneRequests(by: -1)
            user.laneEnded(result)
        }
        if !taken.isEmpty { shard.noteDrained() }
    }

    private func send() {
        guard !isCancelled, !waiting.isEmpty else { return }
        let now = shard.reactor.now
        let isHeldUp = now < window.resumesAt
        var kept: [Waiting] = []
        var sent = 0
        for next in waiting {
            // Others have their turn, too.
            guard next.notBefore <= now, !isHeldUp, sent < Lane.mostPerTurn, !isCancelled else {
                kept.append(next)
                continue
            }
            sent += 1
            if next.isSetAside { window.broughtBack(bytes: next.request.body.count) }
            let connection = idle.popLast() ?? LaneConnection(self, in: shard, as: identity)
            busy[ObjectIdentifier(connection)] = connection
            connection.begin(next.request, tries: next.tries)
        }
        waiting = kept
        if sent == Lane.mostPerTurn { shard.reactor.resumeLater(self) }
    }

    /// Requests that are begun in one turn.
    private static let mostPerTurn = 64

    private func tell() {
        guard !isCancelled else { return }
        if demand > 0 { user.laneHasDemand() }
        arrangeNextTurn()
    }

    private func arrangeNextTurn() {
        guard !isCancelled else { return }
        let now = shard.reactor.now
        var next = window.resumesAt > now ? window.resumesAt : Instant.distantFuture
        for each in waiting where each.notBefore > now { next = min(next, each.notBefore) }
        // What is worked on grows without a word to the lane; it is looked at while something waits for that.
        if window.openCount > 0 {
            next = min(next, now.advanced(byNanoseconds: Lane.lookNanoseconds))
        }
        shard.reactor.setDeadline(of: self, to: next)
    }

    /// How often it is looked how many requests are being worked on.
    private static let lookNanoseconds: Int64 = 20_000_000

    // MARK: Further tries

    /// Whether a request is sent again, because another try may end better.
    private func comesAgain(
        _ request: LaneRequest, _ result: borrowing LaneResult, _ retryAfterSeconds: Int?
    ) -> Bool {
        let now = shard.reactor.now
        if result.reason.isDecision {
            return comesAgain(request, refusedFor: result.reason, result.tries, retryAfterSeconds)
        }
        window.foundRoom()
        guard result.failure != .tooLarge, Lane.mayEndBetter(result),
            result.tries < settings.mostTries, !shard.isDraining
        else { return false }
        let seconds = min(retryAfterSeconds ?? 1 << (result.tries - 1), Lane.mostRetryAfterSeconds)
        waiting.insert(
            Waiting(
                request: request, tries: result.tries + 1,
                notBefore: now.advanced(byNanoseconds: Int64(seconds) * 1_000_000_000)), at: 0)
        return true
    }

    private static let mostRetryAfterSeconds = 60

    /// The same of one that admission refused: no backend has seen it.
    private func comesAgain(
        _ request: LaneRequest, refusedFor reason: Reason, _ tries: Int, _ retryAfterSeconds: Int?
    ) -> Bool {
        if reason == .draining { return false }
        let now = shard.reactor.now
        var least: Int64 = 0
        switch reason {
        // They tell when there is something to be had again; others come back as soon as somebody makes room.
        case .tenantRequestRate, .tenantTokenRate, .noBackend:
            least = Int64(min(retryAfterSeconds ?? 1, Lane.mostRetryAfterSeconds)) * 1_000_000_000
        default: break
        }
        // Other pools may have backends.
        if reason == .noBackend, window.setAside(bytes: request.body.count) {
            waiting.append(
                Waiting(
                    request: request, tries: tries, notBefore: now.advanced(byNanoseconds: least),
                    isSetAside: true))
            return true
        }
        window.foundNoRoom(now: now, atLeastNanoseconds: least)
        waiting.insert(
            Waiting(request: request, tries: tries, notBefore: window.resumesAt), at: 0)
        return true
    }

    /// Whether what happened may not happen again.
    private static func mayEndBetter(_ result: borrowing LaneResult) -> Bool {
        switch result.reason {
        case .none: [429, 503, 529].contains(result.status)
        case .connectFailed, .connectTimeout, .tlsFailed, .upstreamClosed, .upstreamInvalid,
            .firstByteTimeout, .upstreamIdleTimeout, .streamStalled, .deadlinePassed, .exhausted:
            true
        default: false
        }
    }
}
