// What the gateway does when connections are scarce: those that rest give way to those that wait, and
// no client network has more than its share. It says so in the log, once a minute at most.

internal import Admission
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

extension Shard {
    /// Whether more than three quarters of the connections that there may be are there.
    var isShortOfConnections: Bool {
        group.connectionCount > snapshot.policy.server.maxConnections / 4 * 3
    }

    /// A client waits and all connections are taken: has some that rest give way, here or at other
    /// reactors; whether there is room now.
    ///
    /// With `isNews` it has not been told of before.
    func makeRoom(isNews: Bool) -> Bool {
        if isNews { metrics.capReached &+= 1 }
        if isNews, let times = capWatch.note(0, now: reactor.now) {
            logger.warning(
                "connections at the cap",
                metadata: [
                    "max_connections": "\(snapshot.policy.server.maxConnections)",
                    "times": "\(times)",
                ])
        }
        if giveWay() { return true }
        group.send(toAllBut: index) { _ = $0.giveWay() }
        return false
    }

    /// Has connections give way that nobody would miss, one in 64 and one at least; whether there were any.
    ///
    /// More than one, so that finding them is worth its time.
    private func giveWay() -> Bool {
        let now = reactor.now
        guard capWatch.mayLook(now: now) else { return false }
        let most = max(1, (connections.count + handshakes.count) / 64)
        // Who has said nothing yet goes before those who were served.
        let stood = spareHandshakes(most: most)
        let closed = stood > 0 ? stood : spare(most: most)
        metrics.connectionsEvicted &+= UInt64(closed)
        capWatch.noteSpared(closed, now: now)
        return closed > 0
    }

    /// Notes that a client network was refused more of `kind`.
    func refusedNetwork(_ kind: NetworkBound, _ peer: borrowing PeerAddress) {
        metrics.networkRefusals[kind.rawValue] &+= 1
        guard let times = capWatch.note(1, now: reactor.now) else { return }
        let client = peer.text
        logger.warning(
            "client network at its bound",
            metadata: [
                "client": "\(client)", "bound": "\(kind.name)",
                "most": "\(snapshot.networkBounds[kind])", "times": "\(times)",
            ])
    }
}
