// The workers of a pool as its admission has them: each is a row of the controller's, which takes as many requests as the
// worker has connections that can carry one. The controlling thread lets workers come and forgets them; reactors say when
// a connection is there and when it is gone.

internal import Admission
internal import Policy
internal import Reactor

extension SharedAdmission {
    /// A worker and what it takes.
    struct WorkerRow {
        let worker: Worker
        /// Its connections, idle ones and those that serve a request.
        var credits = 0
        /// Since when there is none; nil while there is one.
        var emptySince: Instant?
    }

    /// Lets a worker have up to `credits` connections, one that is there already or another one; nil where the pool takes no
    /// more.
    ///
    /// Called by the controlling thread alone.
    func admitWorker(
        _ name: String, credits: Int, reactors: Int, total: WorkerTotal, now: Instant
    ) -> Worker? {
        state.withLock { state in
            guard let limits = state.settings.workers else { return nil }
            let allowed = min(credits, limits.maxCredits)
            if let row = state.workers.first(where: { $0.worker.name == name }) {
                row.worker.allow(allowed)
                return row.worker
            }
            guard state.workers.count < limits.max else { return nil }
            let worker = Worker(name, reactors: reactors, total: total)
            worker.allow(allowed)
            state.workers.append(WorkerRow(worker: worker, emptySince: now))
            state.followWorkers(now: now)
            noteChange(&state)
            return worker
        }
    }

    /// A connection of a worker is there that can carry requests, or is gone; a poll is due.
    func changeCredits(of worker: Worker, by change: Int, now: Instant) {
        state.withLock { state in
            guard let index = state.workers.firstIndex(where: { $0.worker === worker }) else {
                return
            }
            state.workers[index].credits = max(0, state.workers[index].credits + change)
            let credits = state.workers[index].credits
            if credits > 0 {
                state.workers[index].emptySince = nil
            } else if state.workers[index].emptySince == nil {
                state.workers[index].emptySince = now
            }
            guard let id = state.controller.backendID(forKey: worker.label) else { return }
            state.controller.setCredits(credits, of: id, now: now)
        }
    }

    /// Forgets workers that have had no connection for so long; those that were forgotten.
    ///
    /// Called by the controlling thread alone, as `admitWorker` is: nobody comes in between.
    func forgetWorkers(emptyFor nanoseconds: Int64, now: Instant) -> [Worker] {
        state.withLock { state in
            let gone = state.workers.filter { row in
                guard let since = row.emptySince, row.worker.connectionCount <= 0 else {
                    return false
                }
                return now.nanoseconds(since: since) >= nanoseconds
            }.map(\.worker)
            guard !gone.isEmpty else { return [] }
            state.workers.removeAll { row in gone.contains { $0 === row.worker } }
            state.followWorkers(now: now)
            noteChange(&state)
            return gone
        }
    }

    /// Gives the permit of a request back that its worker has not begun, and looks for another place; nil, with the permit
    /// left as it is, when the ticket was written by settings that are in force no more.
    func giveBack(
        _ permit: inout Permit?, _ id: RequestID, _ ticket: Ticket, _ prompt: PrefixKeys?,
        version: Int, now: Instant
    ) -> Verdict? {
        state.withLock { state in
            guard state.version == version, let given = permit.take() else { return nil }
            state.controller.prepare(prompt)
            return refunding(state.controller.giveBack(given, id, ticket, now: now), now: now)
        }
    }

    /// How many requests the backends may have in flight that are present, and how many are there, parked ones included.
    var room: (limit: Int, taken: Int) {
        state.withLock {
            ($0.controller.limit, $0.controller.inFlight + $0.controller.queueLength)
        }
    }

    /// How many workers have a connection, and how many connections these are.
    var workersPresent: (workers: Int, credits: Int) {
        state.withLock { state in
            (
                state.workers.count { $0.credits > 0 },
                state.workers.reduce(0) { $0 + $1.credits }
            )
        }
    }

    /// Whether there are any, present or of late.
    var hasWorkers: Bool { state.withLock { !$0.workers.isEmpty } }
}

extension SharedAdmission.State {
    /// What the controller calls the workers.
    var workerKeys: [String] { workers.map(\.worker.label) }

    /// Has the controller's rows be those of the backends and the workers.
    fileprivate mutating func followWorkers(now: Instant) {
        controller.replaceBackends(
            settings.backends.map(\.key), weights: settings.backends.map(\.weight),
            workers: workerKeys, now: now)
    }
}
