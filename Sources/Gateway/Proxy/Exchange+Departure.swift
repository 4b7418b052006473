// What becomes of a backend's work when its client leaves, and whom a running request waits for.

internal import Admission
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// How far the request has come.
    var phase: Outcome.Phase {
        guard let upstream else { return .connecting }
        if !isRequestComplete || upstream.hasOutput { return .sending }
        return isResponseBegun && !isStreamPromised ? .answering : .waiting
    }

    /// How the response comes, as far as that is known.
    private var kind: RequestKind {
        if isStreaming || isStreamPromised || body?.streams == true { return .streamed }
        return .whole
    }

    /// The client has left while its request was running: lets go of the backend in the way that
    /// frees its place when the engine is done.
    func leaveUpstream() {
        guard let pool, permit != nil, stage != .tunnelling else {
            abandonUpstream(by: .client)
            return
        }
        let phase = phase
        let departure = pool.leave(&permit, kind, phase)
        guard case .keep(let end) = departure, let upstream, let permit = permit.take() else {
            abandonUpstream(by: .client)
            return
        }
        let rest = AbandonedResponse(
            permit, of: pool, in: shard, on: upstream, until: end, charge: charge,
            hasBytes: ExchangeRecord.happened(record.firstByteAt))
        shard.abandonedResponses.insert(rest)
        pool.metrics.upstreamSentBytes &+= UInt64(upstream.sentBytes - upstream.sentBefore)
        countTokens()
        self.upstream = nil
        upstream.abandon(to: rest)
        rest.advance()
    }

    /// Tells admission whom the request waits for: silence is the backend's only while somebody waits
    /// for it, and who waits for his own client takes no place from others.
    func settleAwaited(for client: ClientConnection) {
        guard let held = permit?.awaited, let pool else { return }
        let awaited: Awaited
        switch stage {
        case .forwarding: awaited = isHeldUp(by: client) ? .client : .backend
        case .tunnelling: awaited = isTunnelQuiet ? .client : .nobody
        default: awaited = .backend
        }
        guard awaited != held else { return }
        pool.wait(on: awaited, &permit)
        if awaited == .client { shard.waits(self, for: client) }
    }

    /// Ends because too many requests wait for their clients, and this one's is among the slowest.
    func crowdedOut() {
        let client = client
        keepsClient = false
        if stage == .tunnelling {
            endTunnel(.tunnelIdleTimeout)
        } else if awaitsBody {
            clientTimedOut()
        } else {
            cut(.writeTimeout)
        }
        client?.advance()
    }

    /// Whether nothing moves until the client takes, or sends, something.
    private func isHeldUp(by client: ClientConnection) -> Bool {
        awaitsBody || (isResponsePaused && client.hasOutput)
    }

    /// Whether a tunnel takes nothing from the engine: its client has not asked for anything yet, or
    /// nothing has passed through it for a while.
    private var isTunnelQuiet: Bool {
        !record.hasSpokenInTunnel
            || now.nanoseconds(since: record.upstreamProgressAt) >= Exchange.quietNanoseconds
    }

    /// After this a tunnel through which nothing passes is quiet.
    static let quietNanoseconds: Int64 = 1_000_000_000
}
