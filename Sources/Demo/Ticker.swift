// A clock on the reactor.

internal import Admission
internal import Gateway
internal import Reactor

/// Calls back at one instant after another.
final class Ticker: EventHandler {
    private let reactor: Reactor
    /// What is called.
    var tick: () -> Void = {}

    /// A ticker that is not wound up.
    init(reactor: Reactor) {
        self.reactor = reactor
        super.init()
        reactor.register(self)
    }

    /// Calls back once at `instant`.
    func wake(at instant: Instant) { reactor.setDeadline(of: self, to: instant) }

    override func deadlineReached() { tick() }
}
