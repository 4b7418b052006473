// A worker as all threads know it: its name, how many connections it has, and where they rest. What it is to admission
// stands in its pool's `SharedAdmission`; its connections are each one reactor's.

internal import Synchronization

/// The connections of all workers of a gateway.
final class WorkerTotal: Sendable {
    private let count = Atomic<Int>(0)

    /// How many there are, those that are only coming included.
    var connectionCount: Int { count.load(ordering: .relaxed) }

    fileprivate func add(_ change: Int) { count.add(change, ordering: .relaxed) }
}

/// A worker of one pool.
final class Worker: Sendable {
    /// What it calls itself.
    let name: String
    /// What admission, metrics and logs call it.
    let label: String
    /// Connections that rest, by reactor.
    private let resting: [Count]
    /// Connections that it has, those that are only coming included, and how many it may have.
    private let connections = Atomic<Int>(0)
    private let most = Atomic<Int>(0)
    private let total: WorkerTotal
    private let hasControl = Atomic<Bool>(false)

    private final class Count: Sendable {
        let value = Atomic<Int>(0)
    }

    /// One without connections, in a gateway of so many reactors whose workers have `total` together.
    init(_ name: String, reactors: Int, total: WorkerTotal) {
        self.name = name
        self.total = total
        label = "worker://\(name)"
        resting = (0..<max(1, reactors)).map { _ in Count() }
    }

    // MARK: How many

    /// It may have so many connections from now on.
    func allow(_ count: Int) { most.store(count, ordering: .relaxed) }

    /// Takes room for one more; false where it has as many as it may.
    func reserve() -> Bool {
        let room = most.load(ordering: .relaxed)
        var seen = connections.load(ordering: .relaxed)
        while seen < room {
            let (isTaken, found) = connections.compareExchange(
                expected: seen, desired: seen + 1, ordering: .acquiringAndReleasing)
            if isTaken {
                total.add(1)
                return true
            }
            seen = found
        }
        return false
    }

    /// One has ended, or did not come.
    func forget() {
        connections.subtract(1, ordering: .acquiringAndReleasing)
        total.add(-1)
    }

    /// The same of one that may be no credit.
    func forget(isControl: Bool) { isControl ? forgetControl() : forget() }

    /// How many it has.
    var connectionCount: Int { connections.load(ordering: .acquiring) }

    /// Takes the place of the one connection that is no credit; false where there is one.
    func reserveControl() -> Bool {
        let isTaken = hasControl.compareExchange(
            expected: false, desired: true, ordering: .acquiringAndReleasing
        ).exchanged
        if isTaken { total.add(1) }
        return isTaken
    }

    /// That one has ended, or did not come.
    func forgetControl() {
        hasControl.store(false, ordering: .releasing)
        total.add(-1)
    }

    // MARK: Where they rest

    /// One rests at the reactor at `index`, or no longer.
    func noteResting(_ change: Int, at index: Int) {
        resting[index].value.add(change, ordering: .relaxed)
    }

    /// The reactor where the most rest, the one at `index` apart; nil where none does.
    func reactorWithMost(except index: Int) -> Int? {
        var chosen: Int?
        var most = 0
        for other in resting.indices where other != index {
            let count = resting[other].value.load(ordering: .relaxed)
            if count > most {
                chosen = other
                most = count
            }
        }
        return chosen
    }

    /// The reactor where the fewest rest.
    var reactorWithFewest: Int {
        var chosen = 0
        var fewest = Int.max
        for index in resting.indices {
            let count = resting[index].value.load(ordering: .relaxed)
            if count < fewest {
                chosen = index
                fewest = count
            }
        }
        return chosen
    }
}
