// One thread's event loop: wait, wake those whose descriptors are ready, wake those whose deadlines
// have passed, resume those that yielded, then let the owner act on the turn as a whole.
//
// Handlers sit in slots with a generation. The token given to the kernel names both, so an event
// that was reported for a handler that has since gone is recognised as stale, even when its slot
// has a new tenant.

package import Admission
internal import HeapModule

/// An event loop over epoll for one thread.
package final class Reactor {
    private let epoll: Epoll
    private var table = Table()
    private var wakeUps = Heap<WakeUp>()
    /// When the first of them is due.
    private var nextWakeUp = Instant.distantFuture
    private var resumeList: [EventHandler] = []
    private var isStopped = false

    /// When this turn began; read once from the clock.
    package private(set) var now: Instant
    /// Turns begun: events of one turn were reported before anything was done in it.
    package private(set) var turnNumber: UInt64 = 0
    /// Storage for the buffers of this reactor's connections.
    package let buffers = BufferPool()
    /// Called at the end of each turn, before the next wait; answers when it wants to be called
    /// next.
    package var turnEnded: (() -> Instant)?

    /// Makes a loop; throws when the kernel gives no epoll instance.
    package init() throws(SystemError) {
        epoll = try Epoll()
        now = MonotonicClock.now
    }

    /// The handlers by their slots.
    private struct Table {
        var handlers: [EventHandler?] = []
        var generations: [UInt32] = []
        var freeSlots: [Int32] = []

        mutating func insert(_ handler: EventHandler) {
            if let slot = freeSlots.popLast() {
                handler.slot = slot
                handlers[Int(slot)] = handler
            } else {
                handler.slot = Int32(handlers.count)
                handlers.append(handler)
                generations.append(0)
            }
        }

        mutating func remove(_ handler: EventHandler) {
            let slot = Int(handler.slot)
            handlers[slot] = nil
            generations[slot] &+= 1
            freeSlots.append(handler.slot)
            handler.slot = -1
        }
    }

    /// One arranged wake-up of a handler.
    private struct WakeUp: Comparable {
        var at: Instant
        var token: UInt64

        static func < (left: WakeUp, right: WakeUp) -> Bool { left.at < right.at }
    }

    // MARK: Registration

    /// Takes in a handler that has only deadlines.
    package func register(_ handler: EventHandler) {
        precondition(handler.slot < 0, "a handler is registered once")
        table.insert(handler)
    }

    /// Takes in a handler and watches its descriptor; false, with nothing registered, when the
    /// kernel refuses (out of memory, or of watches).
    package func register(
        _ handler: EventHandler, descriptor: Int32, interest: Readiness = .stream
    ) -> Bool {
        register(handler)
        if epoll.add(descriptor, interest, token: token(of: handler)) { return true }
        deregister(handler)
        return false
    }

    /// Changes what a registered handler's descriptor is watched for.
    package func watch(_ handler: EventHandler, descriptor: Int32, interest: Readiness) {
        epoll.modify(descriptor, interest, token: token(of: handler))
    }

    /// Forgets a handler; no call reaches it any more.
    ///
    /// The kernel forgets a descriptor that is closed.
    package func deregister(_ handler: EventHandler) {
        guard handler.slot >= 0 else { return }
        table.remove(handler)
        handler.forgetDeadline()
    }

    /// Forgets a handler whose descriptor stays open.
    package func deregister(_ handler: EventHandler, keepingOpen descriptor: Int32) {
        epoll.remove(descriptor)
        deregister(handler)
    }

    private func token(of handler: EventHandler) -> UInt64 {
        precondition(handler.slot >= 0, "the handler is not registered")
        return UInt64(table.generations[Int(handler.slot)]) << 32 | UInt64(UInt32(handler.slot))
    }

    private func handler(for token: UInt64) -> EventHandler? {
        let slot = Int(UInt32(truncatingIfNeeded: token))
        guard slot < table.handlers.count,
            table.generations[slot] == UInt32(truncatingIfNeeded: token >> 32)
        else { return nil }
        return table.handlers[slot]
    }

    /// Calls `body` with every handler that is registered.
    package func forEachHandler(_ body: (EventHandler) -> Void) {
        for handler in table.handlers { if let handler { body(handler) } }
    }

    // MARK: Deadlines

    /// Wakes `handler` at `instant`, instead of whatever was set before; `distantFuture` for never.
    ///
    /// Moving a deadline to a later time costs nothing: the old wake-up finds out when it goes off.
    package func setDeadline(of handler: EventHandler, to instant: Instant) {
        guard handler.slot >= 0 else { return }
        if handler.moveDeadline(to: instant) {
            insert(WakeUp(at: instant, token: token(of: handler)))
            let handlerCount = table.handlers.count - table.freeSlots.count
            if wakeUps.count > Reactor.wakeUpsKept + 4 * handlerCount {
                dropUselessWakeUps()
            }
        }
    }

    private func insert(_ wakeUp: WakeUp) {
        wakeUps.insert(wakeUp)
        if wakeUp.at < nextWakeUp { nextWakeUp = wakeUp.at }
    }

    /// Wake-ups arranged, useless ones included.
    package var wakeUpCount: Int { wakeUps.count }

    /// Useless wake-ups that are always tolerated.
    static let wakeUpsKept = 1024

    /// Drops wake-ups whose handlers have gone or want another one: many short connections would
    /// otherwise fill the heap with deadlines that are a minute away.
    private func dropUselessWakeUps() {
        let useful = wakeUps.unordered.filter { handler(for: $0.token)?.awaits($0.at) ?? false }
        wakeUps = Heap(useful)
        nextWakeUp = wakeUps.min?.at ?? .distantFuture
    }

    /// Calls `handler.resume()` in the next turn, which then does not wait for the kernel.
    package func resumeLater(_ handler: EventHandler) {
        guard !handler.isInResumeList else { return }
        handler.isInResumeList = true
        resumeList.append(handler)
    }

    // MARK: The loop

    /// Runs turns until `stop`.
    package func run() {
        isStopped = false
        var next = turnEnded?() ?? .distantFuture
        while !isStopped {
            turn(until: next)
            next = turnEnded?() ?? .distantFuture
        }
    }

    /// Ends `run` after the present turn.
    package func stop() { isStopped = true }

    /// Runs one turn at `instant` in which `events` happens instead of what the kernel reports: for
    /// tests with a clock of their own, and for connections in memory.
    package func turn(at instant: Instant, _ events: () -> Void) {
        now = instant
        turnNumber &+= 1
        events()
        fireDeadlines()
        resumeYielded()
        _ = turnEnded?()
    }

    private func turn(until limit: Instant) {
        let count = epoll.wait(milliseconds: waitMilliseconds(until: limit))
        now = MonotonicClock.now
        turnNumber &+= 1
        if count > 1 { tellOfEnds(among: count) }
        for index in 0..<count {
            let event = epoll.event(at: index)
            handler(for: event.token)?.ready(event.readiness)
        }
        fireDeadlines()
        resumeYielded()
    }

    /// Tells of ends before anything else is done: what has ended is then not used for what an earlier
    /// event of the same turn brings.
    private func tellOfEnds(among count: Int) {
        for index in 0..<count {
            let event = epoll.event(at: index)
            guard !event.readiness.isDisjoint(with: .ended) else { continue }
            handler(for: event.token)?.foreseesEnd(event.readiness)
        }
    }

    private func waitMilliseconds(until limit: Instant) -> Int32 {
        if !resumeList.isEmpty { return 0 }
        let nearest = limit < nextWakeUp ? limit : nextWakeUp
        if nearest == .distantFuture { return -1 }
        let nanoseconds = nearest.nanoseconds(since: MonotonicClock.now)
        // Rounded up: waking a moment early would spin until the deadline is really there.
        return Int32(clamping: max(0, (nanoseconds + 999_999) / 1_000_000))
    }

    private func fireDeadlines() {
        while nextWakeUp <= now, let first = wakeUps.popMin() {
            nextWakeUp = wakeUps.min?.at ?? .distantFuture
            guard let handler = handler(for: first.token) else { continue }
            let (reached, next) = handler.wakeUp(at: first.at, now: now)
            if let next { insert(WakeUp(at: next, token: first.token)) }
            if reached { handler.deadlineReached() }
        }
    }

    private func resumeYielded() {
        if resumeList.isEmpty { return }
        var yielded: [EventHandler] = []
        swap(&yielded, &resumeList)
        for handler in yielded {
            handler.isInResumeList = false
            if handler.slot >= 0 { handler.resume() }
        }
        // Its storage is good for the next ones.
        guard resumeList.isEmpty else { return }
        yielded.removeAll(keepingCapacity: true)
        swap(&yielded, &resumeList)
    }
}
