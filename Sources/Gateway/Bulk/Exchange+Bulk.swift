// The exchange of a bulk request: many lines, each of which is asked as a request of its own, and answered by a
// line. Its head is answered at once; from then on everything is told by lines.
//
// Reading and writing go on at once. A client that sends everything before it reads anything stands still when
// nobody takes its answers any more, and with it the gateway, which reads no line without room for the answer.
// Such a client is found out after `bulk.stall` and told: what it still sends is thrown away, and its answer
// ends with a line that says so, and from where to go on.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// Begins to answer a request for the bulk lane; false where it is for something else.
    func answersBulk(_ head: borrowing RequestHead, _ client: ClientConnection) -> Bool {
        guard let settings = snapshot.policy.bulk, BulkTerms.isMeant(by: head, settings) else {
            return false
        }
        if client.lane != nil || head.method != .post {
            reply(.noRoute)
        } else if snapshot.refusesAmbiguousPaths, isAmbiguous(head) {
            reply(.pathAmbiguous)
        } else if let terms = BulkTerms(head, settings) {
            let routes = routes(of: terms, head)
            // What can be said of all lines is said once, before any is sent.
            if routes.isEmpty {
                reply(.noRoute)
            } else if !refusesKey(onRoutes: routes, head, client) {
                beginBulk(terms, head, settings, client)
            }
        } else {
            reply(.badRequest)
        }
        return true
    }

    /// The routes that lines may take: all, where each line says its own path.
    private func routes(of terms: BulkTerms, _ head: borrowing RequestHead) -> [Int] {
        guard !terms.target.isEmpty else { return Array(snapshot.policy.routes.indices) }
        var parser = RequestParser(limits: snapshot.headLimits)
        var text = ByteBuffer()
        text.append(BulkHead(head).bytes(target: terms.target, bodyBytes: 0).span)
        var ofLine = RequestHead()
        do throws(ParseError) {
            guard case .head = try parser.next(in: text, afterReset: false, givingHeadFor: &ofLine)
            else { return [] }
        } catch {
            return []
        }
        return snapshot.routes.candidates(ofLine)
    }

    private func beginBulk(
        _ terms: BulkTerms, _ head: borrowing RequestHead, _ settings: BulkSettings,
        _ client: ClientConnection
    ) {
        guard !shard.isDraining else { return reply(.draining) }
        guard ContentCoding(of: head) == .identity else { return reply(.bodyEncoding) }
        let run = BulkRun(
            terms, head, settings, requestID: requestID, client: client, metrics: shard.metrics)
        shard.bulkRuns.insert(run)
        var identity = LaneIdentity(priorityClass: Array(settings.className.utf8))
        identity.peer = client.peer
        identity.security = client.security
        run.begin(Lane(in: shard, as: identity, BulkRun.lane(settings), user: run))
        bulk = run
        if intake.awaitsContinue, !intake.isComplete { intake.askForBody(client) }
        outlet.begin(status: 200, head.version == .http11 ? .chunked : .untilClose)
        move(to: .bulk)
        intake.noteProgress(now: now)
        client.prepareOutput()
        client.output.appendStatusLine(status: 200)
        shard.appendDate(to: &client.output)
        client.output.append(
            "Content-Type: application/x-ndjson\r\nIncremental: ?1\r\nX-Accel-Buffering: no\r\n"
                + "Cache-Control: no-store\r\n")
        if outlet.framing.isChunked { client.output.appendTransferEncodingChunked() }
        client.output.appendField(.xRequestID, requestID)
        outlet.appendConnection(head.version, to: &client.output)
        client.output.appendLineEnd()
    }

    /// Moves lines both ways.
    ///
    /// Returns whether anything moved.
    func relayBulk() -> Bool {
        guard let client, let bulk else { return false }
        let high = snapshot.bufferHighBytes
        if shard.isDraining { bulk.stop(.draining) }
        var moved = flushBulk(client)
        if bulk.stop == .bulkHalfDuplex { dropRest(bulk, client) }
        if bulk.hasEnded {
            guard bulk.isDropped else { return moved }
            beginDelivering()
            return true
        }
        if bulk.writeResults(to: client, outlet, highBytes: high) { moved = true }
        switch bulk.read(intake, from: client, highBytes: high) {
        case .waits(let movedBody): moved = moved || movedBody
        case .gone:
            clientGone()
            return false
        case .invalid:
            outlet.endClient()
            bulk.stop(.badRequest)
        }
        if bulk.writeResults(to: client, outlet, highBytes: high) { moved = true }
        if bulk.isDone {
            endBulk(bulk, client)
            return true
        }
        moved = flushBulk(client) || moved
        bulk.noteOutput(client)
        return moved
    }

    private func flushBulk(_ client: ClientConnection) -> Bool {
        guard client.isOpen, client.flush() > 0 else { return false }
        client.writeProgress.moved(now: now)
        return true
    }

    /// Writes the last line.
    private func endBulk(_ bulk: BulkRun, _ client: ClientConnection) {
        bulk.writeEnd(to: client, outlet)
        if let reason = bulk.stop { record.reason = reason }
        if !intake.isComplete { outlet.endClient() }
        // Whoever reads nothing before everything is sent has to be let send it.
        if bulk.stop != .bulkHalfDuplex || bulk.isDropped { beginDelivering() }
    }

    /// Ends what is under way, because there is no more time; whether the client can be told.
    func endBulkAtOnce() -> Bool {
        guard let client, let bulk, !bulk.hasEnded else { return false }
        bulk.stop(.draining)
        bulk.cancel()
        bulk.writeEnd(to: client, outlet)
        return true
    }

    /// Throws away what a client sends that reads nothing before it has sent everything.
    private func dropRest(_ bulk: BulkRun, _ client: ClientConnection) {
        guard !bulk.isDropped else { return }
        bulk.dropBody(intake, from: client, highBytes: snapshot.bufferHighBytes)
        // From here on it has to read.
        if bulk.isDropped { client.writeProgress = WriteProgress(now: now) }
    }

    /// Whether the client of a bulk request has to send something before it can go on.
    var bulkAwaitsBody: Bool {
        guard let client, let bulk else { return false }
        return bulk.awaitsBody(client)
    }

    // MARK: Time

    /// When to look again after a bulk request.
    func bulkDeadline(for client: ClientConnection) -> Instant {
        guard let bulk else { return .distantFuture }
        var at = Instant.distantFuture
        if bulkAwaitsBody { at = intake.idleDeadline(snapshot.timeouts) }
        if bulk.hasEnded || bulk.stop == .bulkHalfDuplex && !bulk.isDropped { return at }
        if client.hasOutput {
            let stall = min(
                bulk.settings.stall.wholeNanoseconds, snapshot.timeouts.writeStallNanoseconds)
            at = min(at, now.advanced(byNanoseconds: max(1, stall / BulkRun.looks)))
        } else {
            at = min(at, bulk.wroteAt.advanced(byNanoseconds: BulkRun.silenceNanoseconds))
        }
        return at
    }

    /// The time that `bulkDeadline` has told has come.
    func bulkDeadlineReached(for client: ClientConnection) {
        guard let bulk else { return }
        if bulkAwaitsBody, intake.idleDeadline(snapshot.timeouts) <= now {
            outlet.endClient()
            if bulk.hasEnded {
                cut(.bulkHalfDuplex, isTold: true)
            } else {
                bulk.stop(.clientTimeout)
            }
            return
        }
        if client.hasOutput {
            let idle = bulk.noteTaken(client)
            if idle >= bulk.settings.stall.wholeNanoseconds,
                bulk.isHeldBackByOutput(client, highBytes: snapshot.bufferHighBytes),
                bulk.hasMore(client)
            {
                outlet.endClient()
                bulk.stop(.bulkHalfDuplex)
            } else if client.isWriteStalled {
                cut(.writeTimeout)
            }
        } else if !bulk.hasEnded,
            bulk.wroteAt.advanced(byNanoseconds: BulkRun.silenceNanoseconds) <= now
        {
            bulk.writeBlank(to: client, outlet)
        }
    }
}
