// Tells that a peer's machine is gone although something is on its way to it. The kernel's own time-out
// (`TCP_USER_TIMEOUT`) cannot: it also ends connections of peers that live and take nothing for a while, because their own
// clients are slow (Linux counts probes of a closed window since 5.11). Pure.

/// What one look at a connection after the other comes to.
struct SilenceWatch {
    /// Connections with something on its way of which nothing was acknowledged since the last look, and for how many looks.
    private var silent: [ObjectIdentifier: Int] = [:]

    /// Nanoseconds from one look to the next.
    static let lookNanoseconds: Int64 = 5_000_000_000
    /// Looks without an acknowledgement that a peer may be silent for.
    private static let mostLooks = 2

    /// One look at all connections of somebody; answers those that are dead.
    ///
    /// Each comes with how long nothing was acknowledged, in milliseconds, while something is on its way; 0 for nothing on its
    /// way.
    mutating func look(_ connections: [(ObjectIdentifier, unansweredMilliseconds: Int)]) -> Set<
        ObjectIdentifier
    > {
        var next: [ObjectIdentifier: Int] = [:]
        var dead: Set<ObjectIdentifier> = []
        for (connection, milliseconds) in connections where milliseconds > 0 {
            // What rested for a minute has an old acknowledgement and a fresh byte: that one look says nothing.
            let isSilent = Int64(milliseconds) * 1_000_000 >= SilenceWatch.lookNanoseconds
            let looks = silent[connection].map { isSilent ? $0 + 1 : 0 } ?? 0
            next[connection] = looks
            if looks > SilenceWatch.mostLooks { dead.insert(connection) }
        }
        silent = next
        return dead
    }
}
