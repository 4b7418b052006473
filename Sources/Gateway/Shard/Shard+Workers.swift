// What reactors are told of workers' connections: by the controlling thread, which lets them come, and by one another.

internal import Admission
internal import Logging
internal import Reactor

extension Shard {
    /// A worker's connection has come, with its handshake behind it.
    ///
    /// One that `isControl` is no credit.
    func arrived(
        _ handed: HandedTransport, of worker: Worker, in admission: SharedAdmission,
        isControl: Bool
    ) {
        guard let transport = handed.take() else { return }
        if workerSweep == nil, !hasEnded { workerSweep = WorkerSweep(of: self) }
        guard !isDraining, !hasEnded, let connections = connections(of: worker, in: admission)
        else {
            return worker.forget(isControl: isControl)
        }
        if isControl { return connections.takeControl(transport) }
        connections.take(transport, isNew: true)
    }

    /// Another reactor asks for a connection of a worker, for a request of its own.
    func lend(_ worker: Worker, in admission: SharedAdmission, for id: RequestID, of other: Int) {
        guard let connections = connections(of: worker, in: admission) else {
            group.send(to: other) { $0.received(nil, of: worker, in: admission, for: id) }
            return
        }
        connections.wait(for: id, of: other)
    }

    /// What another reactor was asked for has come, or has not.
    func received(
        _ handed: HandedTransport?, of worker: Worker, in admission: SharedAdmission,
        for id: RequestID
    ) {
        if let connections = connections(of: worker, in: admission) {
            connections.received(handed?.take(), for: id)
        } else if handed?.take() != nil {
            worker.forget()
            admission.changeCredits(of: worker, by: -1, now: reactor.now)
        }
    }

    /// A worker is taken for lost.
    func giveUp(_ worker: Worker, in admission: SharedAdmission) {
        for pool in pools where pool.admission === admission {
            for case let connections? in pool.upstreams.map({ $0?.worker })
            where connections.worker === worker {
                connections.giveUp()
            }
        }
    }

    /// Closes the connections of workers that nobody waits for any more: the gateway drains.
    func closeRestingWorkers() {
        for pool in pools where pool.admission.queueLength == 0 {
            for case let connections? in pool.upstreams.map({ $0?.worker }) {
                connections.closeResting()
            }
        }
    }

    private func connections(
        of worker: Worker, in admission: SharedAdmission
    ) -> WorkerConnections? {
        guard let pool = pool(of: admission) else { return nil }
        pool.catchUp()
        return pool.upstreams.lazy.compactMap { $0?.worker }.first { $0.worker === worker }
    }
}
