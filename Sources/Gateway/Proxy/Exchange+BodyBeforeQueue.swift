// Bodies that are read before their requests go further: for the model that they name, and so that
// no slot of a limit waits for a client. What has come is held, within bounds, and handed to the
// backend's connection without being copied again; one loop reads and holds for both.
//
// A body that came with its head, which is what most do, stays where it was read into: there is
// nothing to wait for. One that is longer than `body_before_queue`, or finds that all bodies of the
// thread have as much as they may, follows when the request has its permit.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor

extension Exchange {
    /// From here on the body is read.
    func beginReadingBody() {
        _ = intake.makeBody()
        move(to: .readingBody)
        intake.noteProgress(now: now)
    }

    /// Whether more of the body is read before the request, whose pool is known, is offered to it.
    func readsBodyBefore(_ head: borrowing RequestHead, _ client: ClientConnection) -> Bool {
        let most = snapshot.bodyBeforeQueueBytes
        // A client that waits to be asked for its body is asked by the backend: what is refused never
        // travels.
        guard most > 0, !asksForTunnel, !head.expectsContinue || intake.hasAskedForBody else {
            return false
        }
        switch head.framing {
        case .none, .untilClose: return false
        case .length(let length):
            let waiting = client.hasInput ? client.input.count : 0
            let missing = length - intake.bodyBytes - waiting
            guard length <= most, missing > 0 else { return false }
            let held = shard.bodyMemory.heldBytes
            return held + waiting + missing <= snapshot.bodyBeforeQueueTotalBytes
        case .chunked: return bytesToHold > 0
        }
    }

    /// What may be held of the body now, beside that of others.
    private var bytesToHold: Int {
        let held = intake.body?.held.count ?? 0
        let heldOfAll = shard.bodyMemory.heldBytes
        guard pool == nil else {
            return min(
                snapshot.bodyBeforeQueueBytes - held,
                snapshot.bodyBeforeQueueTotalBytes - heldOfAll)
        }
        let room = snapshot.policy.models.maxHeldTotalBytes - heldOfAll
        return isBodyNeeded ? room : min(room, snapshot.policy.models.maxHeldBytes - held)
    }

    /// Whether the body has to tell which pool the request is for: else it is only looked at.
    private var isBodyNeeded: Bool { pool == nil && intake.body?.isNeeded == true }

    /// What all of the body may have: more is an error, at once.
    private var bodyBytesMax: Int {
        guard isBodyNeeded, let body = intake.body else { return maxBodyBytes }
        let toHold = snapshot.policy.models.maxHeldBytes - body.held.count
        return min(maxBodyBytes, intake.bodyBytes + toHold)
    }

    /// Reads the body, until the model is known and then until all of it has come or no more of it is
    /// held.
    ///
    /// Returns whether anything moved.
    func readBody() -> Bool {
        guard let client, let body = intake.body else { return false }
        var moved = false
        while stage == .readingBody {
            let step = intake.hold(
                from: client, room: bytesToHold, isRefused: isBodyNeeded, bytesMax: bodyBytesMax)
            switch step {
            case .needsMore(let held):
                moved = moved || held
                if held, pool == nil, tellsEnough(body) {
                    takeModel(modelName(body))
                    continue
                }
                guard fillHeld(client) else { return moved }
                moved = true
            case .full:
                if let pool {
                    offer(to: pool, intake.head, from: client)
                } else if body.isNeeded {
                    reply(.exhausted)
                } else {
                    takeModel(modelName(body))
                }
            case .ended:
                finish(body, of: client)
            case .tooLarge: reply(.bodyTooLarge)
            case .unreadable(let fault): reply(fault)
            case .invalid(let error): framingBroke(error)
            case .head: preconditionFailure("a head within a body")
            }
        }
        return true
    }

    /// Reads more of the body to hold; false where nothing came, or the client has left.
    private func fillHeld(_ client: ClientConnection) -> Bool {
        // A body that keeps filling its storage is read into a larger piece.
        client.releaseBuffers()
        guard client.fill(highBytes: snapshot.bufferHighBytes) > 0 else {
            if client.inputEnded { clientGone() }
            return false
        }
        intake.noteProgress(now: now)
        return true
    }

    /// Whether what has come of the body tells enough to find the route, although it is not all: it may
    /// say how much work it is.
    private func tellsEnough(_ body: RequestBody) -> Bool {
        intake.bodyBytes != intake.announcedLength && isRead(body)
    }

    /// All of the body has come.
    private func finish(_ body: RequestBody, of client: ClientConnection) {
        if body.isFollowed {
            do throws(BodyFault) {
                try body.finish()
            } catch {
                reply(error)
                return
            }
        }
        if let pool {
            offer(to: pool, intake.head, from: client)
        } else {
            takeModel(modelName(body))
        }
    }
}
