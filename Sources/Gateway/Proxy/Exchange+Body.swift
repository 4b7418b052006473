// Bodies that are read before their requests go further: for the model that they name, and so that
// no place of a limit waits for a client. What has come is held, within bounds, and handed to the
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
    /// The request's body, made the first time that one is needed.
    func makeBody() -> RequestBody {
        let made = body ?? RequestBody(pool: shard.reactor.buffers)
        body = made
        return made
    }

    /// From here on the body is read.
    func beginReadingBody() {
        _ = makeBody()
        move(to: .readingBody)
        record.bodyProgressAt = now
    }

    /// Whether more of the body is read before the request, whose pool is known, is offered to it.
    func readsBodyBefore(_ head: borrowing RequestHead, _ client: ClientConnection) -> Bool {
        let most = snapshot.bodyBeforeQueueBytes
        // A client that waits to be asked for its body is asked by the backend: what is refused never
        // travels.
        guard most > 0, !asksForTunnel, !head.expectsContinue || hasAskedForBody else {
            return false
        }
        switch head.framing {
        case .none, .untilClose: return false
        case .length(let length):
            let waiting = client.hasInput ? client.input.count : 0
            let missing = length - record.bodyBytes - waiting
            guard length <= most, missing > 0 else { return false }
            return shard.heldBytes + waiting + missing <= snapshot.bodyBeforeQueueTotalBytes
        case .chunked: return bytesToHold > 0
        }
    }

    /// What may be held of the body now, beside that of others.
    private var bytesToHold: Int {
        let bytes = snapshot.bodyBeforeQueueBytes - (body?.held.count ?? 0)
        return min(bytes, snapshot.bodyBeforeQueueTotalBytes - shard.heldBytes)
    }

    /// Reads the body, until the model is known and then until all of it has come or no more of it is
    /// held.
    ///
    /// Returns whether anything moved.
    func readBody() -> Bool {
        guard let client, let body else { return false }
        var moved = false
        while stage == .readingBody {
            switch nextRequestEvent(client, contentAtMost: pool == nil ? .max : max(1, bytesToHold))
            {
            case .needMoreData:
                // A body that keeps filling its storage is read into a larger piece.
                client.releaseBuffers()
                guard client.fill(highBytes: snapshot.bufferHighBytes) > 0 else {
                    if client.inputEnded { clientGone() }
                    return moved
                }
                record.bodyProgressAt = now
                moved = true
            case .body(let consumed, let content):
                record.bodyBytes += content.count
                take(content, of: client, in: body)
                client.input.drop(consumed)
                moved = true
                if stage == .readingBody { goOn(with: body, of: client) }
            case .end(let consumed):
                client.input.drop(consumed)
                isRequestComplete = true
                finish(body, of: client)
                return true
            case .head, nil:
                return true
            }
        }
        return moved
    }

    /// Holds and reads a piece of the content, or answers what is wrong with it.
    private func take(_ content: Range<Int>, of client: ClientConnection, in body: RequestBody) {
        if record.bodyBytes > snapshot.maxBodyBytes {
            reply(.bodyTooLarge)
            return
        }
        if pool == nil {
            let models = snapshot.policy.models
            if body.held.count + content.count > models.maxHeldBytes {
                reply(.bodyTooLarge)
                return
            }
            if shard.heldBytes + content.count > models.maxHeldTotalBytes {
                reply(.exhausted)
                return
            }
        }
        shard.heldBytes += content.count
        body.hold(content, of: client.input)
        if body.isFollowed, let fault = body.fault(reading: content, of: client.input) {
            reply(fault)
        }
    }

    /// Goes on with a body of which a piece was taken.
    private func goOn(with body: RequestBody, of client: ClientConnection) {
        if let pool {
            if bytesToHold <= 0 { offer(to: pool, head, from: client) }
        } else if client.input.isEmpty, record.bodyBytes != announcedLength, isRead(body) {
            // What has come already may say how much work it is, or be all and not complete.
            takeModel(modelName(body))
        }
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
            offer(to: pool, head, from: client)
        } else {
            takeModel(modelName(body))
        }
    }

    // MARK: Forwarding

    /// Hands what is held to the backend's connection, behind the head.
    func forwardHeld(to connection: UpstreamConnection) {
        guard let body, body.isHolding else {
            // A body of chunks may have come to nothing.
            if isRequestComplete { endChunks(to: connection) }
            return
        }
        shard.heldBytes -= body.held.count
        let isChunked = head.framing.isChunked
        if isModelReplaced, modelPathRange == nil {
            var rewritten = ByteBuffer()
            let range = body.modelRange
            rewritten.append(0..<range.lowerBound, of: body.held)
            rewritten.append(replacement(in: body))
            rewritten.append(range.upperBound..<body.held.count, of: body.held)
            swap(&rewritten, &body.held)
            shard.reactor.buffers.release(from: &rewritten)
        }
        if isChunked {
            connection.output.appendChunk(0..<body.held.count, of: body.held)
        } else if body.held.count > Exchange.copiedBytes, connection.flush() > 0,
            connection.output.isEmpty
        {
            // Copying a long prompt costs more than a system call.
            connection.releaseBuffers()
            swap(&connection.output, &body.held)
            connection.outputWasFilled()
        } else {
            connection.prepareOutput()
            connection.output.append(0..<body.held.count, of: body.held)
        }
        body.release()
        if isRequestComplete { endChunks(to: connection) }
    }

    private func endChunks(to connection: UpstreamConnection) {
        guard head.framing.isChunked else { return }
        connection.output.appendLastChunk(trailers: parser.trailers)
    }

    private static let copiedBytes = 16 * 1024

    /// Lets go of what is held and not wanted any more.
    func dropHeld() {
        guard let body, body.isHolding else { return }
        shard.heldBytes -= body.held.count
        body.release()
    }
}
