// When a drain has taken long enough, whatever is left is cut.

internal import Reactor

/// The deadline of a drain.
final class DrainTimer: EventHandler {
    private unowned let gateway: Gateway

    init(gateway: Gateway) { self.gateway = gateway }

    override func deadlineReached() { gateway.stop() }
}
