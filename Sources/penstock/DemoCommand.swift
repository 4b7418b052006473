// `penstock demo`: what admission changes, to be seen without installing anything.

import Demo
internal import Reactor

/// Shows simulated backends under too much load, without and with the gateway.
struct DemoCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show what happens under overload, without and with Penstock.",
        discussion: """
            Everything runs in this process, on real sockets of 127.0.0.1: simulated inference \
            backends, the gateway in front of one set of them, an identical set without it, and \
            clients at both that send the same requests at the same moments, more of them than the \
            backends can serve.

            A backend works as continuously batched engines do: all requests of a batch share one \
            step, and a step of n requests takes 4 ms + n * 0.25 ms and makes one token for each. \
            The batch holds 64; what comes beyond waits in the engine's own queue, which has no \
            bound. Half of the answers are streamed. A client that has not got its whole answer \
            after 2 s leaves, and the engine drops its request at once. Without the gateway clients \
            take turns among the backends. Some of the clients that the gateway refused (--retries) \
            come back once, after what Retry-After said, and then wait up to 2 s again.

            The limit is found by aimd here, with a timeout of 1.5 s: what the clients' patience \
            leaves after the longest wait in the queue. knee, which policies have by default, \
            starts at 4 and has found its limit after half a minute: longer than the demo lasts. \
            gradient looks for the point where latency begins to rise. In such a batch it rises with every \
            request, so gradient stops at a third of the batch or a little more: faster answers, but \
            only about three quarters of those that the backends could give. fixed, at 64, is what \
            someone would write who knows the size of the batch.
            """)

    /// The limit algorithms of the command line.
    enum Algorithm: String, CaseIterable, LosslessStringConvertible {
        case fixed, aimd, gradient, knee

        var description: String { rawValue }

        init?(_ description: String) { self.init(rawValue: description) }
    }

    static var parameters: [Parameter<Self>] {
        [
            .option(
                "--seconds", value: "seconds", \.seconds,
                "How long the demo runs; 0 goes on until Ctrl-C."),
            .option(
                "--load", value: "factor", \.load,
                "Arrivals as a multiple of what the backends can serve, 0.1 to 10."),
            .option("--seed", value: "number", \.seed, "Decides whatever is left to chance."),
            .option("--backends", value: "number", \.backends, "Backends of each side, 1 to 8."),
            .option(
                "--algorithm", value: "algorithm", \.algorithm,
                "How the gateway finds each backend's limit.",
                values: Algorithm.allCases.map(\.rawValue)),
            .option(
                "--limit", value: "number", \.limit,
                "Requests that each backend may have in flight, for fixed; 64 by default."),
            .option(
                "--retries", value: "share", \.retries,
                "Share of refused clients that come back once, 0 to 1."),
        ]
    }

    var seconds = 30.0
    var load = 3.0
    var seed: UInt64 = 1
    var backends = 2
    var algorithm = Algorithm.aimd
    var limit: Int?
    var retries = 0.5

    func validate() throws {
        guard seconds == 0 || (0.5...86_400).contains(seconds) else {
            throw ValidationError("--seconds must be 0, or 0.5 to 86400")
        }
        guard (0.1...10).contains(load) else {
            throw ValidationError("--load must be 0.1 to 10")
        }
        guard (1...8).contains(backends) else {
            throw ValidationError("--backends must be 1 to 8")
        }
        guard (0...1).contains(retries) else {
            throw ValidationError("--retries must be 0 to 1")
        }
        guard let limit else { return }
        guard algorithm == .fixed else {
            throw ValidationError("--limit belongs to --algorithm fixed; the others find it")
        }
        guard (1...1000).contains(limit) else {
            throw ValidationError("--limit must be 1 to 1000")
        }
    }

    func run() throws {
        let settings = settings
        // Before any thread is started: threads inherit the mask that keeps signals from them.
        SignalSource.blockSignals()
        try checkDescriptors(settings)
        do {
            try show(settings)
        } catch {
            throw fail("error: \(error)")
        }
    }

    private var settings: DemoSettings {
        var settings = DemoSettings()
        settings.seconds = seconds > 0 ? seconds : nil
        settings.load = load
        settings.seed = seed
        settings.backends = backends
        settings.retryShare = retries
        switch algorithm {
        case .fixed: settings.limit = .fixed(limit ?? settings.speed.maxBatch)
        case .aimd: settings.limit = .aimd
        case .gradient: settings.limit = .gradient
        case .knee: settings.limit = .knee
        }
        return settings
    }

    private func show(_ settings: DemoSettings) throws {
        let display = DemoDisplay()
        let demonstration = try Demonstration(settings, version: Penstock.version) {
            display.show($0)
        }
        display.demonstration = demonstration
        let signals = try SignalSource(reactor: demonstration.reactor) { _ in demonstration.stop() }
        display.begin(settings)
        let last = withExtendedLifetime(signals) { demonstration.run() }
        display.finish(last)
    }

    private func checkDescriptors(_ settings: DemoSettings) throws {
        let available = DescriptorLimit.raise()
        guard available < settings.neededDescriptors else { return }
        throw fail(
            "error: the limit of open files is \(available), and this demo may need "
                + "\(settings.neededDescriptors); raise it (ulimit -n), or lower --load or --backends"
        )
    }

    private func fail(_ text: String) -> ExitCode {
        var standardError = StandardError()
        print(text, to: &standardError)
        return .failure
    }
}
