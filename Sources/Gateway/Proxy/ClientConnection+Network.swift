// What a connection has of its client network's bounds while its head or its body is not complete.
// It is looked at after each round: what came whole in one was never counted.

internal import Admission
internal import Reactor
internal import Telemetry

extension ClientConnection {
    /// Counts what the client has not completed; false where its network has too much of that, which
    /// has been answered then.
    func keepsNetworkBounds() -> Bool {
        let kind = isOpen ? exchange.flatMap(unfinishedPart) : nil
        guard kind != unfinished else { return true }
        leaveUnfinished()
        guard let kind else { return true }
        let most = shard.snapshot.networkBounds[kind]
        if shard.group.networks.acquire(kind, network, most: most) {
            unfinished = kind
            return true
        }
        shard.refusedNetwork(kind, peer)
        exchange?.refuseUnfinished()
        return false
    }

    /// What the gateway waits for the client to complete.
    private func unfinishedPart(of exchange: Exchange) -> NetworkBound? {
        switch exchange.stage {
        case .readingHead: return .heads
        case .readingBody: return .bodies
        case .parked, .dialling, .forwarding:
            // Once it was waited for, until it is there.
            guard !exchange.intake.isComplete, unfinished == .bodies || exchange.awaitsBody else {
                return nil
            }
            return .bodies
        case .delivering, .tunnelling, .bulk: return nil
        }
    }

    private func leaveUnfinished() {
        guard let kind = unfinished else { return }
        unfinished = nil
        shard.group.networks.release(kind, network)
    }

    /// Gives up all that the connection, which has ended, has of its network's bounds.
    func leaveNetwork() {
        guard network != 0 else { return }
        leaveUnfinished()
        shard.group.networks.release(.connections, network)
    }
}

extension Exchange {
    /// The client's network has as many unfinished requests as it may.
    func refuseUnfinished() {
        outlet.endClient()
        abandonUpstream()
        replyOrCut(.exhausted)
    }
}
