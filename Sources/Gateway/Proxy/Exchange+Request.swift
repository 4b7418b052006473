// The request's body, from the client to the backend, or to nowhere.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Reactor

extension Exchange {
    /// Relays body bytes while the backend's output has room.
    ///
    /// Returns whether anything moved.
    func relayRequest(
        from client: ClientConnection, to upstream: UpstreamConnection
    ) -> Bool {
        var moved = false
        if intake.isPaused && upstream.output.count > snapshot.bufferLowBytes { return false }
        intake.pause(false)
        var high = snapshot.bufferHighBytes
        while true {
            if let pacing {
                guard let room = roomAbove(upstream, pacing) else { return moved }
                high = room
            }
            let step = intake.relay(
                from: client, to: upstream, highBytes: high, bytesMax: maxBodyBytes)
            if let pacing { pacing.note(.up, passed: intake.bodyBytes) }
            switch step {
            case .needsMore(let movedBody):
                moved = moved || movedBody
                guard fillBody(client, for: upstream, highBytes: high) else {
                    if client.inputEnded { clientGone() }
                    return moved
                }
                moved = true
            case .full(let movedBody):
                moved = moved || movedBody
                // More may be had, or is to be waited for.
                if high < snapshot.bufferHighBytes { continue }
                intake.pause(true)
                return moved
            case .ended:
                endChunks(to: upstream)
                return true
            case .tooLarge:
                abandonUpstream()
                replyOrCut(.bodyTooLarge)
                return true
            case .unreadable(let fault):
                bodyBroke(fault)
                return true
            case .invalid(let error):
                framingBroke(error)
                return true
            case .head:
                preconditionFailure("a head within a body")
            }
        }
    }

    /// What the backend's output may hold by the pace of the request's body; nil where nothing may pass now.
    @inline(never)
    private func roomAbove(_ upstream: UpstreamConnection, _ pacing: Pacing) -> Int? {
        pacing.room(
            .up, highBytes: snapshot.bufferHighBytes,
            outputHolds: upstream.hasOutput ? upstream.output.count : 0,
            framing: intake.head.framing.isChunked ? BodyRelay.chunkBytes : 0, now: now)
    }

    private func fillBody(
        _ client: ClientConnection, for upstream: UpstreamConnection, highBytes high: Int
    ) -> Bool {
        let held = client.hasInput ? client.input.count : 0
        let wanted = BodyRelay.bytesToRead(
            high, outputHolds: upstream.hasOutput ? upstream.output.count : 0)
        guard client.fill(highBytes: min(high, held + wanted)) > 0 else { return false }
        intake.noteProgress(now: now)
        return true
    }

    /// Reads the rest of a body that nobody wants, up to a bound.
    ///
    /// Returns whether anything moved.
    func discardRequest(from client: ClientConnection) -> Bool {
        var moved = false
        while true {
            switch intake.discard(from: client) {
            case .needsMore(let movedBody):
                moved = moved || movedBody
                guard client.fill(highBytes: snapshot.bufferHighBytes) > 0 else {
                    if client.inputEnded { outlet.endClient() }
                    return moved
                }
                intake.noteProgress(now: now)
                moved = true
            case .ended:
                return true
            case .tooLarge, .invalid, .full, .unreadable, .head:
                intake.discard(false)
                outlet.endClient()
                return true
            }
        }
    }

    /// The body's framing is none.
    func framingBroke(_ error: ParseError) {
        outlet.endClient()
        if stage == .readingBody {
            reply(error)
        } else if stage == .forwarding {
            abandonUpstream()
            replyOrCut(error)
        }
    }

    /// What passed after the model was known broke the body.
    private func bodyBroke(_ fault: BodyFault) {
        // The backend has only a part of the body, and never gets the rest.
        outlet.endClient()
        abandonUpstream()
        if outlet.isBegun { cut(.bodyInvalid) } else { reply(fault) }
    }
}
