// Where requests and workers' connections of one reactor find each other, and those of others by letter: a connection
// belongs to the reactor that watches it, and a permit says only whose worker it is for. Who has the requests stands in
// `Shard`.

internal import Admission
internal import Reactor

/// One reactor's side of all workers.
class WorkerDesk {
    /// Which of the reactors it is.
    final let index: Int
    final let reactor: Reactor
    /// Workers whose connections here are to be looked at.
    private var flagged: [WorkerConnections] = []
    /// When to look at them; the distant future for never.
    private(set) final var dueAt = Instant.distantFuture

    init(index: Int, reactor: Reactor) {
        self.index = index
        self.reactor = reactor
    }

    // MARK: Turns

    /// Has the connections of a worker be looked at before this turn ends.
    final func flag(_ connections: WorkerConnections) {
        if !flagged.contains(where: { $0 === connections }) { flagged.append(connections) }
        dueAt = Instant(nanoseconds: .min / 2)
    }

    /// Looks at them.
    final func settle() {
        let taken = flagged
        flagged = []
        dueAt = .distantFuture
        var next = Instant.distantFuture
        for connections in taken {
            let at = connections.settle()
            guard at < .distantFuture else { continue }
            if !flagged.contains(where: { $0 === connections }) { flagged.append(connections) }
            next = min(next, at)
        }
        dueAt = min(dueAt, next)
    }

    // MARK: What the reactor's owner does

    /// Whether the gateway drains.
    var isDraining: Bool { false }

    /// Gives a connection to the request that waits for it; false where it does no more.
    func give(_ connection: UpstreamConnection, to id: RequestID) -> Bool { false }

    /// There is no connection for a request that waits for one.
    func tellNone(_ id: RequestID) {}

    /// Asks another reactor for a connection for a request of this one; false where that one has ended.
    func ask(
        _ other: Int, for id: RequestID, _ worker: Worker, in admission: SharedAdmission
    ) -> Bool { false }

    /// Gives another reactor what it has asked for, or says that there is nothing; false where that one has ended.
    func send(
        _ handed: HandedTransport?, of worker: Worker, in admission: SharedAdmission,
        to other: Int, for id: RequestID
    ) -> Bool { false }

    /// A worker is taken for lost: all its connections end.
    func lost(_ worker: Worker, in admission: SharedAdmission, _ pool: Pool?) {}
}
