// Requests that workers serve. A permit says which worker; a connection of it that rests carries the request, and where
// none rests here the request waits for one. A body is kept back until the worker has said that it has a place for it
// (RFC 9110 section 10.1.1): until then only a head has travelled, and the request may go elsewhere, whatever its method.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// How often a request goes back to its queue at most because a worker went away before it had begun.
    private static let mostReturns = 16
    /// For how long a worker may keep a request waiting for the word that it takes it.
    static let grantNanoseconds: Int64 = 10_000_000_000

    /// Takes a connection of the worker that the permit names, or waits for one.
    func connect(
        to worker: WorkerConnections, _ upstream: Upstream, in pool: Pool,
        _ head: borrowing RequestHead, from client: ClientConnection
    ) {
        if let connection = worker.acquire(now: now) {
            begin(on: connection, in: pool, head, from: client)
        } else {
            attempt.awaitWorker(now: now)
            worker.wait(for: id)
        }
    }

    /// Whether it waits for a connection of that worker; nil for any.
    func awaitsWorker(_ backend: BackendID?) -> Bool {
        stage == .dialling && attempt.awaitsWorker
            && (backend == nil || attempt.backend == backend)
    }

    /// The connection is there that it has waited for.
    func workerCame(_ connection: UpstreamConnection) {
        guard let pool, let client else { return }
        begin(on: connection, in: pool, intake.head, from: client)
    }

    private func begin(
        on connection: UpstreamConnection, in pool: Pool, _ head: borrowing RequestHead,
        from client: ClientConnection
    ) {
        connection.upstream.metrics.connectionsReused &+= 1
        attempt.reuse()
        if !intake.isBodyless { attempt.awaitGrant() }
        attach(connection, in: pool, head, from: client)
    }

    /// The connection that it waits for is not there any more.
    func workerDidNotCome() {
        if let pool { giveBack(in: pool) }
    }

    /// The worker has a place for the request: the body follows.
    func takeGrant(_ client: ClientConnection, _ connection: UpstreamConnection) {
        _ = attempt.noteInterim()
        attempt.endGrantWait()
        if intake.awaitsContinue, !intake.hasAskedForBody, !outlet.isBegun,
            intake.head.version == .http11
        {
            intake.askForBody(client)
        }
        connection.prepareOutput()
        forwardWholeBody(intake.head, from: client, to: connection)
    }

    /// A worker's connection has failed, or its time is up.
    func workerFailed(_ reason: Reason, _ connection: UpstreamConnection, in pool: Pool) {
        let isEnd = reason == .upstreamClosed
        let isLate = reason == .firstByteTimeout && attempt.awaitsGrant
        if isEnd || isLate, hasNotBegun(connection) {
            release(connection, reusable: false)
            return giveBack(in: pool)
        }
        let outcome = outcome(of: reason)
        if isEnd, mayBeBegunAgain(connection) {
            record.retries += 1
            pool.metrics.retries &+= 1
            connection.upstream.metrics.count(outcome)
            release(connection, reusable: false)
            return giveBack(in: pool)
        }
        if !isEnd, triesElsewhere(after: outcome) { return }
        release(connection, reusable: false)
        spendPermit(outcome)
        replyOrCut(isEnd ? .workerLost : reason)
    }

    /// Whether the worker cannot have begun with the request, and the client has nothing of an answer.
    ///
    /// A worker closes what rests whenever it takes less; a request that was on its way then was read by nobody.
    private func hasNotBegun(_ connection: UpstreamConnection) -> Bool {
        guard outlet.isOpenToAnother, !attempt.response.hasBegun else { return false }
        return attempt.awaitsGrant || isProvablyUnread(on: connection)
    }

    /// Whether the request, which the worker may have begun, may be given to another one, once.
    ///
    /// The pool's budget of retries says nothing here: it is against more load where there is too much, and who dies
    /// takes his share of the places with him.
    private func mayBeBegunAgain(_ connection: UpstreamConnection) -> Bool {
        outlet.isOpenToAnother && record.retries == 0 && now < claim.deadline
            && isWhole(on: connection) && claim.doesNoHarmTwice(intake.head)
    }

    /// Goes back to the head of the queue, unless another place is free at once.
    private func giveBack(in pool: Pool) {
        guard record.workerReturns < Exchange.mostReturns else {
            spendPermit(.failed(.closed))
            return reply(.workerLost)
        }
        guard let permit = attempt.takePermit() else { return }
        record.workerReturns += 1
        record.connectBeganAt = Instant(nanoseconds: 0)
        record.waitBeganAt = now
        pool.metrics.workerReturns &+= 1
        attempt.forgetResponse()
        outlet.resume()
        let verdict = pool.giveBack(permit, id, prompt) { makeTicket(pool) }
        switch consume verdict {
        case .forward(let next): granted(next)
        case .reject(let rejection): refused(rejection)
        case .parked(let handle): park(handle)
        }
    }
}
