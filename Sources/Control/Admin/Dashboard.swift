// Who looks at the gateway, and what it shows them: the history is told of a snapshot a second, whoever looks or not, and
// those who do get each second as a server-sent event (WHATWG HTML section 9.2) with the status and the rows of the history
// that they have not had. Without them nothing is put together.

internal import Admission
internal import Bytes
internal import Gateway
internal import Reactor
internal import Telemetry

/// The gateway's recent past, and those who watch.
final class Dashboard: EventHandler {
    /// Event streams at once: each takes one of the admin listener's connections for as long as it lasts.
    static let mostWatchers = 8
    private static let secondNanoseconds: Int64 = 1_000_000_000
    /// Backends that are looked at in a second while nobody watches, and the longest pause for more of them, in seconds.
    private static let backendsPerSecond = 256
    private static let mostExtraSeconds = 4
    /// How long the shards have to tell what they have counted.
    private static let patienceSeconds = 2.0

    private let gateway: Gateway
    private var history = History()
    private var watchers: [AdminConnection] = []
    /// Whether the shards are being asked.
    private var isAsking = false
    /// When they are asked next.
    private var nextLookAt = Instant.distantFuture

    /// Remembers what `gateway` does from now on.
    init(_ gateway: Gateway) {
        self.gateway = gateway
        super.init()
        gateway.reactor.register(self)
        ask()
    }

    /// Remembers nothing any more.
    func stop() { gateway.reactor.deregister(self) }

    /// `observed` with what pools counted of late.
    func completed(_ observed: GatewaySnapshot) -> GatewaySnapshot { history.completed(observed) }

    // MARK: Watchers

    /// Whether as many watch as may.
    var isFull: Bool { watchers.count >= Dashboard.mostWatchers }

    /// Sends `connection` an event a second from now on; false when as many watch as may.
    func join(_ connection: AdminConnection) -> Bool {
        guard !isFull else { return false }
        watchers.append(connection)
        // Nobody watched, perhaps, and the next look is far. It never moves away: who comes and goes delays nothing.
        look(noLaterThan: gateway.reactor.now.advanced(byNanoseconds: Dashboard.secondNanoseconds))
        return true
    }

    /// A watcher has left.
    func leave(_ connection: AdminConnection) { watchers.removeAll { $0 === connection } }

    /// Appends the event that shows `observed` to who has the rows up to `second`; 0 for none.
    ///
    /// Returns the second up to which it has the rows then.
    func appendEvent(
        _ observed: GatewaySnapshot, after second: Int64, to buffer: inout ByteBuffer
    ) -> Int64 {
        buffer.append("id: \(history.lastSecond)\ndata: ")
        StatusRenderer.render(
            history.completed(observed), with: history, after: second, into: &buffer)
        buffer.append("\n")
        return history.lastSecond
    }

    // MARK: Seconds

    override func deadlineReached() {
        if isAsking { waitForNext(after: 0) } else { ask() }
    }

    private func ask() {
        isAsking = true
        gateway.observe(within: Dashboard.patienceSeconds, withTraffic: false) {
            [weak self] in self?.take($0)
        }
    }

    private func take(_ observed: GatewaySnapshot?) {
        isAsking = false
        guard let observed else {
            for watcher in watchers { watcher.endIfStalled() }
            return waitForNext(after: 0)
        }
        history.record(observed)
        show(observed)
        waitForNext(
            after: observed.metrics.startNanoseconds + observed.uptimeNanoseconds,
            backends: observed.pools.reduce(0) { $0 + $1.backends.count })
    }

    /// Arranges the next look for the middle of a second, where a little delay does not make it another one's.
    ///
    /// A thousand backends take so long to look at that nobody would want to pay for it every second who does not watch.
    private func waitForNext(after wallNanoseconds: Int64, backends: Int = 0) {
        let extra =
            watchers.isEmpty
            ? min(backends / Dashboard.backendsPerSecond, Dashboard.mostExtraSeconds) : 0
        let second = Dashboard.secondNanoseconds
        let passed = (wallNanoseconds + second / 2) % second
        let pause = second - passed
        nextLookAt = .distantFuture
        look(
            noLaterThan: gateway.reactor.now.advanced(
                byNanoseconds: Int64(extra) * second
                    + (pause < second / 2 ? pause + second : pause)))
    }

    private func look(noLaterThan instant: Instant) {
        nextLookAt = min(nextLookAt, instant)
        gateway.reactor.setDeadline(of: self, to: nextLookAt)
    }

    /// Most watchers have had the same rows: what is put together for one of them is for all of those.
    private func show(_ observed: GatewaySnapshot) {
        for watcher in watchers { watcher.endIfStalled() }
        let ready = watchers.filter { $0.isReadyForEvent }
        for second in Set(ready.map(\.watchedSecond)) {
            var event = ByteBuffer()
            let next = appendEvent(observed, after: second, to: &event)
            for watcher in ready where watcher.watchedSecond == second {
                watcher.send(event: event.bytes, upTo: next)
            }
        }
    }
}
