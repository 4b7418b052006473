// One side of the demo: its backends, its clients, and what happened there of late.

internal import Admission
internal import Gateway
internal import Reactor

/// Backends and the clients that mean to reach them.
final class DemoSide {
    /// The clients.
    let clients: LoadSide
    private let servers: [BackendServer]
    private let startedAt: Instant
    /// What was true at the last looks, the oldest first.
    private var past: [Look] = []

    /// How many looks back "of late" is: a second, at two looks a second.
    private static let recentLooks = 2

    private struct Look {
        var at: Instant
        var statistics: SideStatistics
        var work: BatchEngine.Work
    }

    /// Starts `backends`; clients come in by the ports `entries`.
    init(
        _ settings: DemoSettings, _ reactor: Reactor, backends: [BackendSocket], entries: [UInt16]
    ) throws(SystemError) {
        var servers: [BackendServer] = []
        for backend in backends {
            servers.append(
                try BackendServer(reactor: reactor, listener: backend, speed: settings.speed))
        }
        self.servers = servers
        clients = LoadSide(reactor: reactor, ports: entries, patience: settings.patience)
        startedAt = MonotonicClock.now
    }

    /// What happened so far, and since the look before the last.
    func look(now: Instant) -> DemoReport.Side {
        let present = Look(at: now, statistics: clients.statistics, work: work)
        let past = past.first ?? Look(at: startedAt, statistics: .init(), work: .init())
        self.past.append(present)
        if self.past.count > DemoSide.recentLooks { self.past.removeFirst() }
        return DemoReport.Side(
            recent: DemoReport.Period(
                seconds: now.seconds(since: past.at),
                statistics: present.statistics.since(past.statistics),
                work: present.work.since(past.work)),
            whole: DemoReport.Period(
                seconds: now.seconds(since: startedAt), statistics: present.statistics,
                work: present.work),
            running: servers.reduce(0) { $0 + $1.engine.runningCount },
            waiting: servers.reduce(0) { $0 + $1.engine.waitingCount })
    }

    private var work: BatchEngine.Work {
        servers.reduce(into: BatchEngine.Work()) { $0.add($1.engine.work) }
    }

    /// Everybody leaves.
    func close() {
        clients.close()
        for server in servers { server.close() }
    }
}
