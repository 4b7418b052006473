// The whole demo: backends without a gateway, the same backends behind the gateway, and the same clients
// at both, on real sockets of this machine. The gateway serves on a thread of its own; everything else
// lives on the one that controls it.
//
// One thread is honest as long as it is not busy: a model's steps are timed by the model, and
// sending what they made takes a small part of a core. The report says how large a part.

internal import Admission
internal import Control
internal import Gateway
internal import Logging
internal import Policy
package import Reactor
internal import Telemetry

/// One run of the demo.
package final class Demonstration {
    /// What this run is made of.
    package let settings: DemoSettings
    private let control: GatewayControl
    private let without: DemoSide
    private let with: DemoSide
    private let generator: LoadGenerator
    private let ticker: Ticker
    private let report: (DemoReport) -> Void
    private var processor: ProcessorMeter
    private let startedAt: Instant
    private var ending = Ending.running

    private enum Ending { case running, clientsLeft, draining }

    /// How often it is looked at what happens, in nanoseconds.
    private static let tickNanoseconds: Int64 = 500_000_000
    /// How long the gateway gets to notice that all clients and backends have left.
    private static let farewellNanoseconds: Int64 = 50_000_000

    /// Opens all sockets; `report` is called twice a second while the demo runs.
    package init(
        _ settings: DemoSettings, version: String, report: @escaping (DemoReport) -> Void
    ) throws(DemoError) {
        self.settings = settings
        self.report = report
        var seeds = SplitMix64(seed: settings.seed)
        do {
            let direct = try Demonstration.sockets(settings.backends)
            let proxied = try Demonstration.sockets(settings.backends)
            let text = settings.policyText(ports: proxied.map(\.port))
            control = try GatewayControl(
                policy: try PolicyLoader.load(text: text, file: "demo"), version: version,
                logger: Logger(label: "penstock") { _ in SwiftLogNoOpLogHandler() },
                seed: seeds.next())
            let reactor = control.reactor
            without = try DemoSide(
                settings, reactor, backends: direct, entries: direct.map(\.port))
            with = try DemoSide(
                settings, reactor, backends: proxied,
                entries: control.gateway.addresses.compactMap(\.loopbackPort))
        } catch {
            throw DemoError(text: "\(error)")
        }
        startedAt = MonotonicClock.now
        processor = ProcessorMeter(now: startedAt)
        let workload = Workload(
            ratePerSecond: settings.arrivalsPerSecond, tokens: settings.tokens,
            retryShare: settings.retryShare, from: startedAt, seed: seeds.next())
        generator = LoadGenerator(
            reactor: control.reactor, workload: workload, sides: [without.clients, with.clients])
        ticker = Ticker(reactor: control.reactor)
        ticker.tick = { [unowned self] in tick() }
    }

    private static func sockets(_ count: Int) throws(SystemError) -> [BackendSocket] {
        var sockets: [BackendSocket] = []
        for _ in 0..<count { sockets.append(try BackendSocket()) }
        return sockets
    }

    /// The loop that everything but the gateway's shard lives in, for a source of signals too.
    package var reactor: Reactor { control.reactor }

    private var gateway: Gateway { control.gateway }

    /// Runs to the end and returns the last report.
    ///
    /// Everything is closed then; a demonstration runs once.
    package func run() -> DemoReport {
        arrangeTick()
        control.run()
        return lastReport ?? makeReport(nil)
    }

    /// Ends the run before its time.
    package func stop() {
        if ending == .running { end() }
    }

    private var lastReport: DemoReport?

    // MARK: Ticks

    private func tick() {
        switch ending {
        case .running:
            if let seconds = settings.seconds, elapsedSeconds >= seconds - 0.001 {
                end()
            } else {
                look { [unowned self] in
                    report($0)
                    // Whoever saw the report may have stopped the run.
                    if ending == .running { arrangeTick() }
                }
            }
        case .clientsLeft:
            ending = .draining
            gateway.drain()
        case .draining:
            break
        }
    }

    private var elapsedSeconds: Double { reactor.now.seconds(since: startedAt) }

    /// The last tick is at the very end.
    private func arrangeTick() {
        var next = reactor.now.advanced(byNanoseconds: Demonstration.tickNanoseconds)
        if let seconds = settings.seconds {
            next = min(next, startedAt.advanced(byNanoseconds: Int64(seconds * 1e9)))
        }
        ticker.wake(at: next)
    }

    /// Takes the last figures, then lets everybody leave: clients, backends, and the gateway when
    /// it has seen that.
    private func end() {
        ending = .clientsLeft
        look { [unowned self] in
            lastReport = $0
            generator.stop()
            without.close()
            with.close()
            ticker.wake(
                at: reactor.now.advanced(byNanoseconds: Demonstration.farewellNanoseconds))
        }
    }

    /// Calls `then` with how all sides are, as soon as the gateway has said how it is.
    private func look(_ then: @escaping (DemoReport) -> Void) {
        gateway.observe(within: 5) { [unowned self] in then(makeReport($0?.pools.first)) }
    }

    private func makeReport(_ pool: PoolSnapshot?) -> DemoReport {
        let now = reactor.now
        let direct = without.look(now: now)
        var proxied = with.look(now: now)
        proxied.entry = pool.map { pool in
            DemoReport.Entry(
                limit: pool.backends.reduce(0) { $0 + $1.limit }, inFlight: pool.inFlight,
                queued: pool.queueRequests)
        }
        return DemoReport(
            settings: settings, elapsedSeconds: elapsedSeconds,
            processorShare: processor.share(now: now),
            metricsAddress: "http://\(control.adminAddress?.text ?? "")/metrics", without: direct,
            with: proxied)
    }
}

/// Why a demo could not begin, in one line.
package struct DemoError: Error, CustomStringConvertible {
    /// The line.
    package let text: String

    /// The line.
    package var description: String { text }
}

extension ListenAddress {
    /// The port of a TCP address.
    fileprivate var loopbackPort: UInt16? {
        if case .tcp(_, let port) = self { port } else { nil }
    }
}
