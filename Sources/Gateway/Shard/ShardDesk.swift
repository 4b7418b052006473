// What a shard does for its requests and its workers' connections: it looks requests up, and writes to other shards.

internal import Admission
internal import Logging
internal import Reactor
internal import Telemetry

/// The desk of one shard.
final class ShardDesk: WorkerDesk {
    private let group: ReactorGroup
    /// Whose it is; nil before that is made, and when it has let everything go.
    ///
    /// Not weak: that would send every retain of the shard, of which each event has some, through a table beside it.
    unowned var shard: Shard?

    init(_ group: ReactorGroup, index: Int, reactor: Reactor) {
        self.group = group
        super.init(index: index, reactor: reactor)
    }

    override var isDraining: Bool { shard?.isDraining == true }

    override func give(_ connection: UpstreamConnection, to id: RequestID) -> Bool {
        guard let exchange = shard?.openExchange(id), exchange.awaitsWorker(connection.upstream.id)
        else { return false }
        exchange.workerCame(connection)
        exchange.client?.advance()
        return true
    }

    override func tellNone(_ id: RequestID) {
        guard let exchange = shard?.openExchange(id), exchange.awaitsWorker(nil) else { return }
        exchange.workerDidNotCome()
        exchange.client?.advance()
    }

    override func ask(
        _ other: Int, for id: RequestID, _ worker: Worker, in admission: SharedAdmission
    ) -> Bool {
        let own = index
        return group.send(to: other) { $0.lend(worker, in: admission, for: id, of: own) }
    }

    override func send(
        _ handed: HandedTransport?, of worker: Worker, in admission: SharedAdmission,
        to other: Int, for id: RequestID
    ) -> Bool {
        group.send(to: other) { $0.received(handed, of: worker, in: admission, for: id) }
    }

    override func lost(_ worker: Worker, in admission: SharedAdmission, _ pool: Pool?) {
        pool?.metrics.workersLost &+= 1
        shard?.logger.warning(
            "worker lost",
            metadata: [
                "pool": "\(pool?.name ?? "")", "worker": "\(worker.name)",
                "reason": "no answer to two probes",
            ])
        group.send(toAllBut: index) { $0.giveUp(worker, in: admission) }
        shard?.giveUp(worker, in: admission)
    }
}
