// What becomes of a backend's work when its client leaves, and whom a running request waits for.

internal import Admission
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// How far the request has come.
    var phase: Outcome.Phase {
        guard let upstream = attempt.connection, !attempt.awaitsGrant else { return .connecting }
        if !intake.isComplete || upstream.hasOutput { return .sending }
        return outlet.isOpenToAnother ? .waiting : .answering
    }

    /// How the response comes, as far as that is known.
    private var kind: RequestKind {
        if attempt.isStream || outlet.isStreamPromised || intake.body?.streams == true {
            return .streamed
        }
        return .whole
    }

    /// The client has left while its request was running: lets go of the backend in the way that
    /// frees its slot when the engine is done.
    func leaveUpstream() {
        guard let pool, attempt.hasPermit, stage != .tunnelling else {
            abandonUpstream(by: .client)
            return
        }
        let departure = attempt.leave(pool, kind, phase)
        guard case .keep(let end) = departure, let upstream = attempt.connection,
            let permit = attempt.takePermit()
        else {
            abandonUpstream(by: .client)
            return
        }
        let rest = AbandonedResponse(
            permit, of: pool, in: shard, on: upstream, until: end, charge: charge,
            hasBytes: attempt.response.hasBegun)
        shard.abandonedResponses.insert(rest)
        pool.metrics.upstreamSentBytes &+= UInt64(upstream.sentSinceBegun)
        claim.countTokens(attempt)
        attempt.detach()
        if let pacing { pacing.end(now: now) }
        upstream.changeUser(to: rest)
        rest.upstreamReady()
    }

    /// Tells admission whom the request waits for: silence is the backend's only while somebody waits
    /// for it, and who waits for his own client takes no slot from others.
    func settleAwaited(for client: ClientConnection) {
        guard let held = attempt.awaited, let pool else { return }
        let awaited: Awaited
        switch stage {
        case .forwarding:
            // The gateway itself holds it back, from time to time: silence says nothing then.
            let usual = pacing?.hasWaited == true ? Awaited.nobody : .backend
            awaited = isHeldUp(by: client) ? heldUp(client) : usual
        case .tunnelling: awaited = isTunnelQuiet ? heldUp(client) : .nobody
        default: awaited = .backend
        }
        guard awaited != held else { return }
        attempt.wait(on: awaited, in: pool)
        if awaited == .client { shard.waits(self, for: client) }
    }

    /// Ends because too many requests wait for their clients, and this one's is among the slowest.
    func crowdedOut() {
        let client = client
        outlet.endClient()
        if stage == .tunnelling {
            endTunnel(.tunnelIdleTimeout)
        } else if awaitsBody {
            clientTimedOut()
        } else {
            cut(.writeTimeout)
        }
        client?.advance()
    }

    /// Whom a request waits for that its client holds up.
    ///
    /// Between a gateway and its worker a credit is one request, and no more: whoever has one keeps it.
    private func heldUp(_ client: ClientConnection) -> Awaited {
        client.link != nil || attempt.connection?.upstream.worker != nil ? .nobody : .client
    }

    /// Whether nothing moves until the client takes, or sends, something.
    private func isHeldUp(by client: ClientConnection) -> Bool {
        awaitsBody || (outlet.isPaused && client.hasOutput)
    }
}
