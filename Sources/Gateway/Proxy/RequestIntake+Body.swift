// The one loop that reads bodies, whatever becomes of them: held before their requests are offered, passed
// on to the backend, or thrown away. Buffers are read where they are, and what fills one alone changes
// places with it.

internal import Bytes
internal import HTTP1
internal import Inference
internal import Reactor

extension RequestIntake {
    /// Passes on what is there of the body, until it has ended or `upstream`'s output holds
    /// `highBytes`; all of the body may have `bytesMax`.
    func relay(
        from client: ClientConnection, to upstream: UpstreamConnection, highBytes: Int,
        bytesMax: Int
    ) -> BodyStep {
        var relay = BodyRelay(highBytes: highBytes, writesChunks: head.framing.isChunked)
        let step = relay.moveRequest(
            &parser, &client.input, into: &upstream.output, from: buffers,
            readBy: body, bytesMax: bytesMax - bodyBytes)
        if relay.filledOutput { upstream.outputWasFilled() }
        note(relay, step)
        return step
    }

    /// Holds what is there of the body, until it has ended or `room` bytes more are held; all of it
    /// may have `bytesMax`.
    func hold(from client: ClientConnection, room: Int, bytesMax: Int) -> BodyStep {
        guard let body else { return .full(moved: false) }
        var relay = BodyRelay(highBytes: room, writesChunks: false)
        let step = relay.holdRequest(
            &parser, &client.input, in: body, bytesMax: bytesMax - bodyBytes)
        memory.changeHeld(by: relay.heldBytes)
        note(relay, step)
        return step
    }

    /// Throws away what is there of the body.
    func discard(from client: ClientConnection) -> BodyStep {
        var relay = BodyRelay(highBytes: .max, writesChunks: false)
        let step = relay.dropRequest(
            &parser, &client.input, bytesMax: RequestIntake.discardBytes - bodyBytes)
        note(relay, step)
        return step
    }

    private func note(_ relay: borrowing BodyRelay, _ step: BodyStep) {
        noteBody(relay.bytes)
        if case .ended = step { noteEnd() }
    }

    // MARK: What was held

    /// Hands what is held to `connection`, behind the head; `model` stands for the model that the body
    /// names, where it is to name another one.
    func forwardHeld(to connection: UpstreamConnection, naming model: [UInt8]?) {
        guard let body, body.isHolding else {
            // A body of chunks may have come to nothing.
            if isComplete { endChunks(to: connection) }
            return
        }
        memory.changeHeld(by: -body.held.count)
        if let model { body.replaceModel(by: model) }
        if head.framing.isChunked {
            connection.output.appendChunk(0..<body.held.count, of: body.held)
        } else if body.held.count > RequestIntake.copiedBytes, connection.flush() > 0,
            connection.output.isEmpty
        {
            // Copying a long prompt costs more than a system call.
            connection.releaseBuffers()
            body.moveHeld(to: &connection.output)
            connection.outputWasFilled()
        } else {
            connection.prepareOutput()
            connection.output.append(0..<body.held.count, of: body.held)
        }
        body.release()
        if isComplete { endChunks(to: connection) }
    }

    /// Writes what ends a body of chunks.
    func endChunks(to connection: UpstreamConnection) {
        guard head.framing.isChunked else { return }
        connection.prepareOutput()
        connection.output.appendLastChunk(trailers: parser.trailers)
    }

    private static let copiedBytes = 16 * 1024

    /// Lets go of what is held and not wanted any more.
    func dropHeld() {
        guard let body, body.isHolding else { return }
        memory.changeHeld(by: -body.held.count)
        body.release()
    }

    /// What the backend's Content-Length differs by from the client's where the body names `model`
    /// instead of its own.
    func lengthDifference(naming model: [UInt8]?) -> Int {
        guard let model, let body else { return 0 }
        return body.replacement(for: model).count - body.modelRange.count
    }
}
