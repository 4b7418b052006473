// Workers of a world: connections that come in with their handshakes behind them.

@testable import Gateway
@testable import Reactor
@testable import TestSupport

extension World {
    /// A pool that takes workers and has no backends.
    static func withWorkers(_ pool: String = "") throws -> World {
        try World(
            text: """
                version: 1
                listen: [127.0.0.1:0]
                admin: off
                log: {access: off}
                workers: {listen: 127.0.0.1:0, keys: workers.keys}
                pools:
                  main: {workers: {}, queue: {max_wait: 60s, cold_wait: 60s}\(pool)}
                routes:
                  - {path: /*, pool: main}

                """)
    }

    /// A connection of the worker of that name that waits for requests.
    func worker(_ name: String = "w", credits: Int = 100) throws -> Peer {
        let admission = pool.admission
        guard
            let worker = admission.admitWorker(
                name, credits: credits, reactors: 1, total: WorkerTotal(), now: now),
            worker.reserve()
        else { throw TimedOut(description: "the worker is not taken") }
        let line = Line()
        turn {
            gateway.arrived(
                HandedTransport(.memory(line.stream)), of: worker, in: admission, isControl: false)
        }
        return Peer(self, line)
    }

    /// What the workers take now.
    var credits: Int { pool.admission.workersPresent.credits }
}

extension Peer {
    /// A worker takes the request whose head it has read, and reads the body.
    func grant(_ request: inout Message) throws {
        try send("HTTP/1.1 100 Continue\r\n\r\n")
        try readBody(of: &request)
    }
}
