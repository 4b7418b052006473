// The heap of wake-ups: deadlines of handlers that have gone, and deadlines that moved, do not pile up in it.

import Admission
import Testing

@testable import Gateway
@testable import Reactor

/// A handler that counts its deadlines.
private final class Counting: EventHandler {
    private(set) var reached = 0

    override func deadlineReached() { reached += 1 }
}

@Suite struct WakeUpTests {
    private static let minute: Int64 = 60_000_000_000

    @Test func handlersThatHaveGoneLeaveFewWakeUps() throws {
        let reactor = try Reactor()
        for _ in 0..<100_000 {
            let handler = Counting()
            reactor.register(handler)
            reactor.setDeadline(
                of: handler, to: reactor.now.advanced(byNanoseconds: Self.minute))
            reactor.deregister(handler)
        }
        #expect(reactor.wakeUpCount <= Reactor.wakeUpsKept + 1)
    }

    @Test func deadlinesThatMoveEarlierLeaveFewWakeUps() throws {
        let reactor = try Reactor()
        let handlers = (0..<100).map { _ in Counting() }
        for handler in handlers { reactor.register(handler) }
        for round in 0..<1_000 {
            for handler in handlers {
                reactor.setDeadline(
                    of: handler,
                    to: reactor.now.advanced(byNanoseconds: Self.minute - Int64(round)))
            }
        }
        #expect(reactor.wakeUpCount <= Reactor.wakeUpsKept + 4 * handlers.count + 1)
    }

    @Test func whatIsStillWantedIsKept() throws {
        let reactor = try Reactor()
        let waiting = (0..<10).map { _ in Counting() }
        for handler in waiting {
            reactor.register(handler)
            reactor.setDeadline(of: handler, to: reactor.now.advanced(byNanoseconds: 2_000_000))
        }
        for _ in 0..<10_000 {
            let handler = Counting()
            reactor.register(handler)
            reactor.setDeadline(
                of: handler, to: reactor.now.advanced(byNanoseconds: Self.minute))
            reactor.deregister(handler)
        }
        // The reactor has nothing else to wait for, so its turns end with these deadlines.
        reactor.turnEnded = { [unowned reactor] in
            if waiting.allSatisfy({ $0.reached == 1 }) { reactor.stop() }
            return .distantFuture
        }
        reactor.run()
        #expect(waiting.allSatisfy { $0.reached == 1 })
    }
}
