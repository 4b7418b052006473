// Dials to one backend, of which only so many are under way at once. Two thousand requests that come
// at once would otherwise fill the backend's backlog of connections, so that the kernel tries again
// only after a second, and each dial takes twelve kilobytes of libcurl's.

/// The dials of one reactor to one backend, in the order in which they were asked for.
package final class DialLine {
    /// Dials that may be under way.
    static let mostAtOnce = 64

    /// Dials under way.
    private(set) var running = 0
    private var waiting: [Dial] = []
    /// How many at the front of `waiting` have had their turn.
    private var taken = 0
    /// How many of the others nobody wants any more.
    private var unwanted = 0

    /// A line in which nobody stands.
    package init() {}

    /// Whether one more may start.
    var hasRoom: Bool { running < Self.mostAtOnce && taken == waiting.count }

    /// Slots in memory that it takes.
    var length: Int { waiting.count }

    /// Counts a dial that starts.
    func started() { running += 1 }

    /// Takes back what `started` counted.
    func ended() { running -= 1 }

    /// Puts a dial at the end.
    func join(_ dial: Dial) { waiting.append(dial) }

    /// A dial that waits is not wanted any more; it is let go of with the next ones.
    func left() {
        unwanted += 1
        guard unwanted > 32 + (waiting.count - taken) / 2 else { return }
        waiting = waiting[taken...].filter(\.isWanted)
        taken = 0
        unwanted = 0
    }

    /// The next dial that still wants a connection and may start now.
    func next() -> Dial? {
        while running < Self.mostAtOnce, taken < waiting.count {
            let dial = waiting[taken]
            taken += 1
            if taken == waiting.count || taken >= 1024 {
                waiting.removeFirst(taken)
                taken = 0
            }
            if dial.isWanted { return dial }
            unwanted -= 1
        }
        return nil
    }
}
