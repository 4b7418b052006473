// What a service manager wants to hear again and again: that the process works, while all its threads answer, and that a
// drain is still under way.

internal import Admission
internal import Gateway
internal import Reactor

/// Tells the service manager, for as long as it wants to know.
final class ServiceTimer: EventHandler {
    private unowned let server: Server
    private var isAsking = false

    /// How often it is told of a drain, and for how long that is to be waited for.
    private static let drainNanoseconds: Int64 = 2_000_000_000
    private static let extendedMicroseconds = 5_000_000
    /// How long threads have to answer.
    private static let patienceSeconds = 2.0

    /// Begins, where somebody wants to be told.
    init?(of server: Server) {
        guard server.service.isWanted else { return nil }
        self.server = server
        super.init()
        server.control.reactor.register(self)
        deadlineReached()
    }

    override func deadlineReached() {
        let gateway = server.gateway
        if gateway.isDraining {
            server.service.say("EXTEND_TIMEOUT_USEC=\(ServiceTimer.extendedMicroseconds)")
        }
        let watchdog = server.service.watchdogNanoseconds
        if watchdog != nil, !isAsking {
            isAsking = true
            gateway.observe(within: ServiceTimer.patienceSeconds) { [weak self] observed in
                self?.isAsking = false
                // Who stands still is to be found standing still.
                if observed != nil { self?.server.service.say("WATCHDOG=1") }
            }
        }
        let pause = min(ServiceTimer.drainNanoseconds, (watchdog ?? .max) / 2)
        server.control.reactor.setDeadline(
            of: self, to: server.control.reactor.now.advanced(byNanoseconds: pause))
    }
}
