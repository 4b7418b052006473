// The connections of one worker that one reactor has: those that rest, and those that serve. A worker opens them, so that
// a request which finds none here waits for one: the reactor that has one gives it away.
//
// Each is a credit of the worker's: `SharedAdmission` hears of it when it is there and when it is gone. One at a time is
// asked for a sign of life while it rests, whatever the others do: a stopped process keeps its connections.

internal import Admission
internal import Policy
internal import Reactor
internal import Telemetry

/// A worker's connections in one reactor.
final class WorkerConnections {
    /// Whose they are.
    let worker: Worker
    /// What they are to requests.
    weak var upstream: Upstream?
    private let desk: WorkerDesk
    private let admission: SharedAdmission
    private weak var pool: Pool?
    /// Those that rest, the one that has rested longest first.
    private var resting: [UpstreamConnection] = []
    /// All, those in use included.
    private var all: [ObjectIdentifier: UpstreamConnection] = [:]
    /// Who waits for one, in order: at most as many as the worker has credits, since each has a permit.
    private var waiting: [Waiter] = []
    private var probe: WorkerProbe?
    /// The connection that is no credit, where the worker has opened one and it came to this reactor.
    private var control: WorkerControl?
    private var watch = SilenceWatch()
    /// Probes without an answer, one behind the other.
    private var missedProbes = 0
    /// When the worker last answered anything here.
    private var heardAt: Instant

    /// Who waits for a connection.
    private struct Waiter {
        enum Requester: Equatable {
            /// A request of this reactor.
            case own(RequestID)
            /// A request of another reactor, which is to get it.
            case other(Int, RequestID)
        }

        let requester: Requester
        let since: Instant
        /// Whether another reactor has been asked and has not answered yet.
        var isSought = false
    }

    /// How long a worker rests before it is asked for a sign of life, and for how long its answer is waited for; two
    /// answers that do not come are the worker's end.
    static let probeNanoseconds: Int64 = 5_000_000_000
    static let answerNanoseconds: Int64 = 2_500_000_000
    static let mostMissed = 2
    /// How long a request waits for a connection that no reactor has, which may be on its way.
    private static let searchNanoseconds: Int64 = 100_000_000
    private static let lookNanoseconds: Int64 = 1_000_000
    /// A connection that has rested longer than this is looked at before it is used again.
    private static let restNanoseconds: Int64 = 100_000_000

    init(_ worker: Worker, of pool: Pool, at desk: WorkerDesk) {
        self.worker = worker
        self.desk = desk
        self.pool = pool
        admission = pool.admission
        heardAt = desk.reactor.now
    }

    private var now: Instant { desk.reactor.now }

    /// How many rest.
    var restingCount: Int { resting.count }

    // MARK: Coming and going

    /// Takes in a connection that has come: a new credit, or one that another reactor had.
    func take(_ transport: consuming Transport, isNew: Bool) {
        guard let upstream else { return drop(isCounted: !isNew) }
        let connection = UpstreamConnection(
            reactor: desk.reactor, transport: transport, upstream: upstream)
        guard connection.start() else {
            connection.close()
            return drop(isCounted: !isNew)
        }
        all[ObjectIdentifier(connection)] = connection
        upstream.metrics.connectionsOpened &+= isNew ? 1 : 0
        if isNew { heardAt = now }
        rest(connection)
        guard isNew else { return }
        admission.changeCredits(of: worker, by: 1, now: now)
        pool?.requestPoll()
    }

    /// A connection that was on its way here is not there any more.
    func drop(isCounted: Bool) {
        worker.forget()
        guard isCounted else { return }
        admission.changeCredits(of: worker, by: -1, now: now)
        pool?.requestPoll()
    }

    /// A connection is gone, or is about to be closed; once.
    func lose(_ connection: UpstreamConnection) {
        guard all.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        drop(isCounted: true)
    }

    /// A connection has served, and rests; or is closed where nobody needs it any more.
    func release(_ connection: UpstreamConnection, isRetired: Bool, now: Instant) {
        heardAt = now
        missedProbes = 0
        if isRetired || desk.isDraining && admission.queueLength == 0 {
            lose(connection)
            connection.close()
        } else {
            rest(connection)
        }
    }

    private func rest(_ connection: UpstreamConnection) {
        connection.idleIndex = 0
        connection.idleSince = now
        resting.append(connection)
        worker.noteResting(1, at: desk.index)
        if resting.count == 1 { arm() }
        if !waiting.isEmpty { desk.flag(self) }
    }

    /// The connection that was used last, if one is good; nil while others wait for one.
    func acquire(now: Instant) -> UpstreamConnection? {
        waiting.isEmpty ? next(now: now) : nil
    }

    private func next(now: Instant) -> UpstreamConnection? {
        while let connection = resting.popLast() {
            connection.idleIndex = -1
            worker.noteResting(-1, at: desk.index)
            let rested = now.nanoseconds(since: connection.idleSince)
            connection.restedNanoseconds = rested
            let isDoubtful = rested > Self.restNanoseconds
            if connection.isOpen, !(isDoubtful && connection.hasPendingInput()) {
                return connection
            }
            lose(connection)
            connection.close()
        }
        return nil
    }

    /// A connection that rested was ended by the worker.
    func endedWhileResting(_ connection: UpstreamConnection) {
        if let index = resting.firstIndex(where: { $0 === connection }) {
            resting.remove(at: index)
            connection.idleIndex = -1
            worker.noteResting(-1, at: desk.index)
        }
        lose(connection)
        connection.close()
        arm()
    }

    /// Closes all that rest.
    func closeResting() {
        controlEnded()
        for connection in resting { endedWhileResting(connection) }
    }

    // MARK: Requests

    /// A request of this reactor waits for a connection.
    func wait(for id: RequestID) {
        waiting.append(Waiter(requester: .own(id), since: now))
        desk.flag(self)
    }

    /// A request of another reactor does.
    func wait(for id: RequestID, of other: Int) {
        waiting.append(Waiter(requester: .other(other, id), since: now))
        desk.flag(self)
    }

    /// What another reactor was asked for a request has come, or has not.
    func received(_ transport: consuming Transport?, for id: RequestID) {
        if let index = waiting.firstIndex(where: { $0.requester == .own(id) }) {
            waiting[index].isSought = false
        }
        if let transport = transport.take() { take(transport, isNew: false) }
        if !waiting.isEmpty { desk.flag(self) }
    }

    /// Gives those who wait what there is; answers when to look again.
    func settle() -> Instant {
        while !waiting.isEmpty, let connection = next(now: now) {
            give(connection, to: waiting.removeFirst())
        }
        return search()
    }

    private func give(_ connection: UpstreamConnection, to waiter: Waiter) {
        switch waiter.requester {
        case .own(let id):
            if !desk.give(connection, to: id) { rest(connection) }
        case .other(let reactor, let id):
            all[ObjectIdentifier(connection)] = nil
            let handed = HandedTransport(connection.surrender())
            if !desk.send(handed, of: worker, in: admission, to: reactor, for: id) {
                _ = handed.take()
                drop(isCounted: true)
            }
        }
    }

    /// Has others look for connections that are not here; answers when to look again.
    private func search() -> Instant {
        var next = Instant.distantFuture
        var left: [Waiter] = []
        var unserved: [RequestID] = []
        for waiter in waiting {
            var waiter = waiter
            switch waiter.requester {
            case .other(let reactor, let id):
                // What is being asked for a sign of life is soon free.
                if probe == nil {
                    _ = desk.send(nil, of: worker, in: admission, to: reactor, for: id)
                    continue
                }
            case .own(let id):
                if !waiter.isSought, let other = worker.reactorWithMost(except: desk.index) {
                    waiter.isSought = desk.ask(other, for: id, worker, in: admission)
                }
                if !waiter.isSought, probe == nil {
                    if now.nanoseconds(since: waiter.since) > Self.searchNanoseconds {
                        unserved.append(id)
                        continue
                    }
                    next = now.advanced(byNanoseconds: Self.lookNanoseconds)
                }
            }
            left.append(waiter)
        }
        waiting = left
        // They may come to wait here again.
        for id in unserved { desk.tellNone(id) }
        return next
    }

    // MARK: Signs of life

    /// Has the connection that has rested longest wake when the worker has been silent long enough.
    private func arm() {
        guard let first = resting.first else { return }
        desk.reactor.setDeadline(of: first, to: probeDueAt(first))
    }

    private func probeDueAt(_ connection: UpstreamConnection) -> Instant {
        max(connection.idleSince, heardAt).advanced(byNanoseconds: Self.probeNanoseconds)
    }

    /// The time that `arm` has set has come.
    func hasRestedLong(_ connection: UpstreamConnection) {
        guard connection === resting.first else { return arm() }
        if probe != nil {
            let later = now.advanced(byNanoseconds: Self.probeNanoseconds)
            return desk.reactor.setDeadline(of: connection, to: later)
        }
        guard now >= probeDueAt(connection) else { return arm() }
        begin(on: connection)
    }

    private func begin(on connection: UpstreamConnection) {
        // To others it rests: whoever asks for it waits until the answer is there.
        resting.removeFirst()
        connection.idleIndex = -1
        let made = WorkerProbe(connection, of: self)
        probe = made
        made.begin()
        arm()
    }

    /// A probe has ended, with an answer or because the connection has.
    func ended(_ ended: WorkerProbe, isAnswered: Bool, reusable: Bool) {
        probe = nil
        worker.noteResting(-1, at: desk.index)
        if isAnswered {
            heardAt = now
            missedProbes = 0
        }
        ended.connection.end(reusable: reusable)
        if !waiting.isEmpty { desk.flag(self) }
    }

    /// Nothing has come in time.
    func missed(_ late: WorkerProbe) {
        missedProbes += 1
        if missedProbes >= Self.mostMissed { return desk.lost(worker, in: admission, pool) }
        // Where there is no other connection to ask, this one gets the time that one would have had.
        guard let another = resting.first else { return late.waitLonger() }
        ended(late, isAnswered: false, reusable: false)
        begin(on: another)
    }

    /// Ends connections whose worker's machine is gone although something is on its way to it.
    func lookForSilence() {
        guard all.count > resting.count else { return }
        let looks = all.map { ($0, unansweredMilliseconds: $1.unansweredMilliseconds) }
        for key in watch.look(looks) { all[key]?.giveUp() }
    }

    /// Takes in a connection that is no credit.
    func takeControl(_ transport: consuming Transport) {
        controlEnded()
        let control = WorkerControl(transport, of: self, in: desk.reactor)
        self.control = control
        if !control.begin() { controlEnded() }
    }

    /// The connection that is no credit is gone, or no good any more.
    func controlEnded() {
        guard let control else { return }
        self.control = nil
        control.close()
        worker.forgetControl()
    }

    /// It has not answered in time.
    func controlIsSilent() { desk.lost(worker, in: admission, pool) }

    /// The worker is taken for lost: all its connections here end, and those whom they serve are told.
    func giveUp() {
        controlEnded()
        missedProbes = 0
        if let probe { ended(probe, isAnswered: false, reusable: false) }
        closeResting()
        for connection in Array(all.values) { connection.giveUp() }
    }
}
