// Granting, parking and refusing: the steps that the controller's calls are made of.

extension AdmissionController {
    /// Whether the pool is asked for all it can do; the drain rate is measured over such time.
    var isBusy: Bool {
        provenLimit > 0 && (!queue.isEmpty || provenInFlight >= provenLimit)
    }

    /// Moves the clock on; the state up to now has been in force since the last call.
    mutating func advance(to now: Instant) {
        clock = max(clock, now)
        drainEstimate.advance(to: clock, wasBusy: isBusy)
    }

    /// The backend with room that has the lowest share of its limit in flight, ties at random.
    mutating func choose(except excluded: Int?) -> Int? {
        var best = -1
        var ties = 0
        for index in backends.indices {
            guard index != excluded, backends[index].canGrant(now: clock) else { continue }
            guard best >= 0 else {
                best = index
                ties = 1
                continue
            }
            // a/b < c/d as a·d < c·b, which is exact.
            let mine = backends[index].inFlight * backends[best].limit
            let theirs = backends[best].inFlight * backends[index].limit
            if mine < theirs {
                best = index
                ties = 1
            } else if mine == theirs {
                ties += 1
                if random.next(below: ties) == 0 { best = index }
            }
        }
        return best < 0 ? nil : best
    }

    /// Binds one more request to the backend at `index`, which has room.
    mutating func grant(_ index: Int) -> Permit {
        let trial = backends[index].ejection.grant()
        backends[index].inFlight += 1
        meter(index)
        totalInFlight += 1
        if backends[index].isProven { provenInFlight += 1 }
        return Permit(
            backend: BackendID(index: index), grantedAt: clock,
            inFlight: backends[index].inFlight, trial: trial)
    }

    /// Takes a permit's slot back.
    mutating func release(_ stub: Permit.Stub) {
        let index = stub.backend.index
        precondition(backends[index].inFlight > 0, "a permit of another controller was spent here")
        backends[index].inFlight -= 1
        meter(index)
        backends[index].ejection.endTrial(stub.trial)
        totalInFlight -= 1
        if backends[index].isProven { provenInFlight -= 1 }
    }

    /// Puts a request into the queue until its deadline, at most for the longest wait.
    mutating func park(_ id: RequestID, _ ticket: Ticket, atHead: Bool) -> ParkedHandle {
        let waitEnd = clock.advanced(byNanoseconds: maxWaitNanoseconds)
        let deadline = ticket.deadline ?? .distantFuture
        let entry = ParkedQueue.Entry(
            id: id, bodyBytes: ticket.bodyBytes, parkedAt: clock,
            expiryReason: deadline < waitEnd ? .deadline : .queueTimeout)
        return queue.insert(entry, expiresAt: min(waitEnd, deadline), atHead: atHead)
    }

    /// Why a request that cannot start now may not wait either; nil when it may.
    mutating func refusalToPark(_ ticket: Ticket) -> Rejection? {
        let mayQueue = settings.queue.maxRequests > 0
        let waitEnd = clock.advanced(byNanoseconds: mayQueue ? maxWaitNanoseconds : 0)
        let deadline = ticket.deadline ?? .distantFuture
        if let wait = secondsUntilAnyReturn,
            clock.advanced(byNanoseconds: wholeNanoseconds(wait)) > min(waitEnd, deadline)
        {
            return refuse(.noBackend)
        }
        if queue.count >= settings.queue.maxRequests { return refuse(.queueFull) }
        if ticket.bodyBytes > settings.queue.maxBytes - queue.bytes {
            return refuse(.queueBytesFull)
        }
        // An unknown rate predicts nothing; then only the bounds of the queue count.
        let predicted = predictedWaitSeconds ?? 0
        let predictedEnd = clock.advanced(byNanoseconds: wholeNanoseconds(predicted))
        if predictedEnd > waitEnd || maxWaitNanoseconds == 0 { return refuse(.waitTooLong) }
        if predictedEnd > deadline { return refuse(.deadline) }
        return nil
    }

    /// Seconds until the first backend returns if every one is left out; nil if one is not.
    ///
    /// Infinite when there is no backend at all: only a reload can bring one.
    private var secondsUntilAnyReturn: Double? {
        var earliest: Instant?
        for index in backends.indices where backends[index].isPresent {
            guard backends[index].ejection.isLeftOut(now: clock) else { return nil }
            earliest = min(earliest ?? .distantFuture, backends[index].ejection.until)
        }
        guard let earliest else { return .infinity }
        return earliest.seconds(since: clock)
    }

    /// Seconds until a request that joins the queue now would start; nil while the rate is unknown.
    var predictedWaitSeconds: Double? {
        guard let rate = drainEstimate.perSecond(limit: provenLimit) else { return nil }
        return Double(queue.count + 1) / rate
    }

    /// Makes a rejection and counts it towards the floor of the ones that follow.
    mutating func refuse(_ reason: Reason) -> Rejection {
        retryAfterFloor.recordRejection(now: clock)
        let milliseconds = RetryAfter.milliseconds(
            waitSeconds: secondsUntilAnyReturn ?? predictedWaitSeconds ?? 1,
            floorSeconds: retryAfterFloor.seconds, random: &random)
        return Rejection(reason: reason, retryAfterMilliseconds: milliseconds)
    }

    /// Counts a move of the limit at `index` and puts it in force.
    mutating func record(_ move: LimitMove, at index: Int) {
        moveCounts[Int(move.reason.rawValue)] += 1
        if move.to > move.from {
            backends[index].movesUp[Int(move.reason.rawValue)] += 1
        } else {
            backends[index].movesDown[Int(move.reason.rawValue)] += 1
        }
        let limit = backends[index].limiter.limit
        guard limit != backends[index].limit else { return }
        backends[index].limit = limit
        meter(index)
        recount()
    }

    /// Tells a backend's meter of its in-flight requests and its limit.
    private mutating func meter(_ index: Int) {
        backends[index].meter.set(
            inFlight: backends[index].inFlight, limit: backends[index].limit, now: clock)
    }

    /// Lets the limit's algorithm look at a backend if it is time.
    mutating func look(at index: Int) {
        guard backends[index].limiter.nextLook <= clock else { return }
        backends[index].meter.advance(to: clock)
        if let move = backends[index].limiter.look(backends[index].meter, now: clock) {
            record(move, at: index)
        }
    }

    /// Sums the capacity up anew, in O(backends): only when a limit or a backend's standing
    /// changes.
    mutating func recount() {
        provenLimit = 0
        provenInFlight = 0
        for index in backends.indices where backends[index].isProven {
            provenLimit += backends[index].limit
            provenInFlight += backends[index].inFlight
        }
    }
}

/// Seconds as whole nanoseconds, cut off at about 292 years.
private func wholeNanoseconds(_ seconds: Double) -> Int64 {
    Int64(min(max(seconds, 0) * 1e9, 9e18))
}
