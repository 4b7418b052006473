// Sends every planned request to both sides at the same moment.

internal import Admission
internal import Gateway
internal import Reactor

/// Lets the workload's clients arrive when their time has come.
final class LoadGenerator: EventHandler {
    private let reactor: Reactor
    private let sides: [LoadSide]
    private var workload: Workload

    /// Begins at once.
    init(reactor: Reactor, workload: Workload, sides: [LoadSide]) {
        self.reactor = reactor
        self.workload = workload
        self.sides = sides
        super.init()
        reactor.register(self)
        reactor.setDeadline(of: self, to: workload.nextArrival)
    }

    override func deadlineReached() {
        while workload.nextArrival <= reactor.now {
            let request = workload.next()
            for side in sides { side.arrive(request) }
        }
        // Arrivals are so frequent that those who come back need no clock of their own.
        for side in sides { side.sendDueRetries() }
        reactor.setDeadline(of: self, to: workload.nextArrival)
    }

    /// No client arrives any more.
    func stop() { reactor.deregister(self) }
}
