// What the reactors of one gateway share besides their pools' admission: how to reach each other,
// and how many connections each one has. Everything here may be used from any thread.
//
// Connections go where there are the fewest. The kernel spreads new ones over the reactors'
// listening sockets by a hash, which is even for thousands and anything but even for ten that stay
// for hours; so the reactor that accepts hands a connection on when another one has fewer. While
// they are few it does so for a difference of one. When they are many, an eighth is tolerated, so
// that short connections mostly stay where they were accepted.

internal import Reactor
internal import Synchronization

/// The reactors of one gateway.
final class ReactorGroup: Sendable {
    /// One reactor, as the others see it.
    private struct Member: Sendable {
        let mailbox: Mailbox<Shard>
        let load = Load()
    }

    private final class Load: Sendable {
        /// Client connections that the reactor has or is about to get.
        let connections = Atomic<Int>(0)
        /// Whether one of its listeners waits for room.
        let waitsForRoom = Atomic<Bool>(false)
    }

    private let members: [Member]
    /// Reaches the thread that controls the reactors.
    let control: Mailbox<Gateway>
    /// What each client network has, at all reactors.
    let networks = ClientNetworks()
    /// Client connections of all reactors, and those that are just being accepted.
    private let total = Atomic<Int>(0)
    /// Requests of all lanes that have not ended.
    private let laneRequests = Atomic<Int>(0)

    /// A group of `count` reactors, one at least; throws when the process is out of descriptors.
    init(count: Int) throws(SystemError) {
        var members: [Member] = []
        for _ in 0..<count {
            members.append(Member(mailbox: try Mailbox()))
        }
        self.members = members
        control = try Mailbox()
    }

    /// Reactors.
    var count: Int { members.count }

    // MARK: Messages

    /// Leaves a message for a reactor; false when it has ended.
    ///
    /// No message between reactors is ever refused for want of room: each stands for a connection or
    /// a request, and those have bounds.
    @discardableResult
    func send(to index: Int, _ message: @escaping Mailbox<Shard>.Message) -> Bool {
        members[index].mailbox.send(isBounded: false, message)
    }

    /// Leaves a message for all reactors but the one at `index`.
    func send(toAllBut index: Int, _ message: @escaping Mailbox<Shard>.Message) {
        for other in members.indices where other != index { send(to: other, message) }
    }

    /// Leaves a message for all reactors.
    func sendToAll(_ message: @escaping Mailbox<Shard>.Message) {
        for index in members.indices { send(to: index, message) }
    }

    /// Reads the mailbox of the reactor at `index`, on its thread.
    func deliver(to index: Int, _ shard: Shard) throws(SystemError) {
        try members[index].mailbox.deliver(to: shard, in: shard.reactor)
    }

    /// Opens what is left in the mailbox of the reactor at `index` and takes no more.
    func close(_ index: Int, _ shard: Shard) { members[index].mailbox.close(for: shard) }

    // MARK: Connections

    /// Client connections of all reactors.
    var connectionCount: Int { total.load(ordering: .sequentiallyConsistent) }

    /// Whether nobody is served, and no lane has anything under way.
    var isDeserted: Bool {
        connectionCount == 0 && laneRequests.load(ordering: .sequentiallyConsistent) == 0
    }

    /// Counts requests that lanes begin, or with less than nothing those that have ended.
    func openLaneRequests(by change: Int) {
        laneRequests.add(change, ordering: .sequentiallyConsistent)
    }

    /// Takes room for one more connection; false when there are `most`.
    ///
    /// A try that fails is never counted, not even for a moment: another reactor's try could fail
    /// for that reason alone, and nobody would tell it.
    func reserveConnection(most: Int) -> Bool {
        var seen = connectionCount
        while seen < most {
            let (isTaken, found) = total.compareExchange(
                expected: seen, desired: seen + 1, ordering: .sequentiallyConsistent)
            if isTaken { return true }
            seen = found
        }
        return false
    }

    /// Gives up room that the reactor at `index` had taken; others whose listeners wait for some
    /// are told.
    func releaseConnection(at index: Int) {
        total.subtract(1, ordering: .sequentiallyConsistent)
        for other in members.indices where other != index {
            guard members[other].load.waitsForRoom.load(ordering: .sequentiallyConsistent) else {
                continue
            }
            send(to: other) { $0.resumeAccepting() }
        }
    }

    /// Chooses the reactor for a connection that the one at `index` accepted, and counts it there.
    func assign(acceptedBy index: Int) -> Int {
        let own = members[index].load.connections.load(ordering: .relaxed)
        var chosen = index
        var fewest = own
        for other in members.indices {
            let count = members[other].load.connections.load(ordering: .relaxed)
            if count < fewest {
                chosen = other
                fewest = count
            }
        }
        if own <= fewest + fewest / 8 { chosen = index }
        members[chosen].load.connections.add(1, ordering: .relaxed)
        return chosen
    }

    /// Counts a connection at another reactor than the one it was meant for.
    func moveConnection(from index: Int, to other: Int) {
        members[index].load.connections.subtract(1, ordering: .relaxed)
        members[other].load.connections.add(1, ordering: .relaxed)
    }

    /// A connection of the reactor at `index` is closed.
    func connectionEnded(at index: Int) {
        members[index].load.connections.subtract(1, ordering: .relaxed)
        releaseConnection(at: index)
    }

    /// Notes whether a listener of the reactor at `index` waits for room.
    func setWaitsForRoom(_ waits: Bool, at index: Int) {
        members[index].load.waitsForRoom.store(waits, ordering: .sequentiallyConsistent)
    }
}
