// What happens while requests run: whom they wait for, whose client has left, what became of them.

extension AdmissionController {
    /// A running request waits for somebody else from now on; poll afterwards.
    ///
    /// Calls that change nothing cost next to nothing.
    package mutating func wait(on awaited: Awaited, _ permit: inout Permit, now: Instant) {
        guard awaited != permit.awaited else { return }
        advance(to: now)
        let index = permit.backend.index
        count(permit.awaited, by: -1, seats: permit.seats, at: index)
        permit.wait(on: awaited)
        count(awaited, by: 1, seats: permit.seats, at: index)
        recountInFlight(index)
    }

    /// A running request's client has left; what to do with the backend's connection.
    ///
    /// With `.keep` the permit is to be kept until the response has ended, and then spent with
    /// `.cancelled(by: .client, in: .finished)`; where that takes too long, the connection is closed
    /// and the permit spent with `.cancelled(by: .gateway, in: .waiting)`. With `.close` it is to be
    /// spent at once, with the phase in which the client left.
    package mutating func leave(
        _ permit: inout Permit, _ kind: RequestKind, _ phase: Outcome.Phase, now: Instant
    ) -> Departure {
        advance(to: now)
        let stub = permit.stub
        let age = clock.seconds(since: stub.arrivedAt)
        if phase != .answering, !stub.isPatient {
            queue.left(
                stub.tenant, stub.row, afterSeconds: age, isStarted: phase == .waiting, now: clock)
        }
        if phase == .waiting {
            backends[stub.backend.index].meter.left(
                afterSeconds: clock.seconds(since: stub.grantedAt), now: clock)
        }
        // An engine has begun once it has the whole request.
        guard phase == .waiting || phase == .answering else { return .close }
        // A worker's connection is what tells it; it comes back with another one when its engine is free.
        if backends[stub.backend.index].credits != nil { return .close }
        let departure = departure(stub, kind)
        guard case .keep = departure else { return .close }
        wait(on: .backend, &permit, now: now)
        permit.abandon()
        backends[stub.backend.index].abandoned += stub.seats
        return departure
    }

    /// For how long work goes on at most whose client has left, where the engine surely does it: ten
    /// minutes.
    private static let longestWork: Int64 = 600_000_000_000
    /// The same where nothing is known of the engine, not even how long requests take: thirty seconds.
    private static let longestUnknownWork: Int64 = 30_000_000_000
    private static let leastWork: Int64 = 100_000_000

    private mutating func departure(_ stub: Permit.Stub, _ kind: RequestKind) -> Departure {
        switch settings.cancel {
        case .stops: return .close
        case .continues: return keepsUntil(Self.longestWork)
        case .auto: break
        }
        let index = stub.backend.index
        let service = serviceNanoseconds(index)
        let age = clock.nanoseconds(since: stub.grantedAt)
        let rest = max(service - age, service / 4)
        let longest = longServiceNanoseconds(index)
        let isUnknown = backends[index].cancels[Int(kind.rawValue)].verdict == .unknown
        if isUnknown, !isBound(index) || queue.isUnclaimed && counted(index) <= stub.seats {
            // Nobody wants the slot, so the engine may as well be told, and given all its time.
            let end = stub.grantedAt.advanced(byNanoseconds: longest)
            backends[index].keepFree(stub.seats, until: max(end, clock))
            noteChange(at: backends[index].nextChange(now: clock))
            return .close
        }
        let closes = backends[index].cancels[Int(kind.rawValue)].closes(
            rest: rest, longestRest: longest - age, service: service, isBound: isBound(index),
            limit: backends[index].allowed, now: clock, random: &random)
        if closes { return .close }
        if backends[index].cancels[Int(kind.rawValue)].verdict == .continues {
            return keepsUntil(Self.longestWork)
        }
        if backends[index].meter.successes == 0 { return keepsUntil(Self.longestUnknownWork) }
        // Twice, so that hardly any work is cut off whose end would have been seen.
        return keepsUntil(max(2 * longest - age, service, Self.leastWork))
    }

    @inline(__always) private func keepsUntil(_ nanoseconds: Int64) -> Departure {
        .keep(until: clock.advanced(byNanoseconds: nanoseconds))
    }

    /// Whether others want the backend's slots.
    @inline(__always) private func isBound(_ index: Int) -> Bool {
        10 * counted(index) >= 9 * backends[index].allowed
    }

    /// The time that hardly any request takes at a backend, in nanoseconds.
    @inline(__always) func longServiceNanoseconds(_ index: Int) -> Int64 {
        Int64(min(backends[index].meter.longServiceSeconds, 3_600) * 1e9)
    }

    /// The mean time from grant to success at a backend, in nanoseconds.
    @inline(__always) func serviceNanoseconds(_ index: Int) -> Int64 {
        Int64(min(backends[index].meter.serviceSeconds, 3_600) * 1e9)
    }

    /// What a request says about closed work that starts now.
    mutating func comparison(_ index: Int) -> CancelLearning.Comparison {
        guard settings.cancel == .auto, isBound(index) else { return .none }
        let whole = Int(RequestKind.whole.rawValue)
        let streamed = Int(RequestKind.streamed.rawValue)
        let wholeClosed = backends[index].cancels[whole].closedCount(now: clock)
        let streamsClosed = backends[index].cancels[streamed].closedCount(now: clock)
        if wholeClosed > 0, streamsClosed > 0 { return .none }
        if wholeClosed > 0 { return .beside(.whole, Int32(wholeClosed)) }
        if streamsClosed > 0 { return .beside(.streamed, Int32(streamsClosed)) }
        let service = serviceNanoseconds(index)
        let isClear =
            backends[index].cancels[whole].isClear(service: service, now: clock)
            && backends[index].cancels[streamed].isClear(service: service, now: clock)
        return isClear ? .without : .none
    }

    private mutating func count(_ awaited: Awaited, by change: Int, seats: Int, at index: Int) {
        switch awaited {
        case .backend:
            backends[index].meter.countAwaited(by: change, now: clock)
            noteChange(at: backends[index].silenceDeadline)
        case .client: backends[index].waitingForClient += change * seats
        case .nobody: break
        }
    }

    /// Counts a started request as one that waits for its backend.
    mutating func beginWaiting(_ index: Int, seats: Int) {
        count(.backend, by: 1, seats: seats, at: index)
    }

    /// Takes back what is counted of a request that has ended.
    mutating func endWaiting(_ stub: Permit.Stub) {
        count(stub.awaited, by: -1, seats: stub.seats, at: stub.backend.index)
        if stub.isAbandoned { backends[stub.backend.index].abandoned -= stub.seats }
    }
}

// MARK: - What became of a request

extension AdmissionController {
    /// Tells the backend's meter, before the request's slot is free.
    mutating func note(_ outcome: Outcome, _ stub: Permit.Stub, _ work: ServedWork) {
        let index = stub.backend.index
        if outcome == .success {
            let seconds = clock.seconds(since: stub.grantedAt)
            let isStreamed = work.units > 1
            backends[index].meter.succeeded(
                afterSeconds: seconds,
                firstByteSeconds: isStreamed ? work.firstByteSeconds ?? seconds : seconds,
                isStreamed: isStreamed, now: clock)
            if !stub.isPatient {
                queue.stayed(
                    stub.tenant, stub.row, forSeconds: clock.seconds(since: stub.arrivedAt),
                    serviceSeconds: seconds, isStreamed: isStreamed, now: clock)
            }
        } else if outcome.isDrop {
            backends[index].meter.dropped()
        } else {
            if outcome.isAnswer { backends[index].meter.moved(now: clock) }
            if outcome.isForNobody {
                backends[index].meter.wasted(
                    seconds: clock.seconds(since: stub.grantedAt), now: clock)
            }
        }
    }

    /// What the end says of the backend's health, once the slot is free.
    mutating func judge(_ outcome: Outcome, _ stub: Permit.Stub, _ work: ServedWork) {
        let index = stub.backend.index
        if outcome == .overload, !backends[index].limiter.isRefusedAtAnyLimit {
            backends[index].noteOverload(counted: counted(index), now: clock)
        }
        if backends[index].ejection.isUnheard, outcome.showsLife {
            backends[index].ejection.served()
        }
        if outcome == .success {
            if stub.trial != 0 { connected(stub.backend, now: clock) }
            let changed = backends[index].suspicion.good(
                isTrial: stub.isOnSuspicion, serviceNanoseconds: serviceNanoseconds(index),
                now: clock)
            if changed { refresh(index) }
        } else if case .cancelled = outcome {
            // What a rate held back says nothing of how long its backend takes.
            if !work.isHeldBack, isOverdue(outcome, stub) {
                noteOverdue(stub)
            } else if stub.isOnSuspicion {
                backends[index].suspicion.endTrial(now: clock)
            }
            if outcome.isWorkDone { noteLife(index) }
        } else {
            noteBad(outcome, stub)
        }
        comparePeers()
    }

    /// Whether a client left a request that had been at its backend for twice as long as requests
    /// take at the others.
    @inline(__always) private func isOverdue(_ outcome: Outcome, _ stub: Permit.Stub) -> Bool {
        switch outcome {
        case .cancelled(by: .client, in: .waiting), .cancelled(by: .client, in: .finished): break
        default: return false
        }
        var longest = 0.0
        for other in backends.indices where other != stub.backend.index {
            longest = max(longest, backends[other].meter.serviceSeconds)
        }
        return longest > 0 && clock.seconds(since: stub.grantedAt) > 2 * longest
    }

    private mutating func noteOverdue(_ stub: Permit.Stub) {
        let index = stub.backend.index
        let judgement = backends[index].suspicion.overdue(
            isTrial: stub.isOnSuspicion, siblings: siblings(of: index), now: clock,
            random: &random)
        carryOut(judgement, index)
    }

    private mutating func noteBad(_ outcome: Outcome, _ stub: Permit.Stub) {
        let index = stub.backend.index
        let judgement = backends[index].suspicion.bad(
            outcome, isTrial: stub.isOnSuspicion, siblings: siblings(of: index),
            serviceNanoseconds: serviceNanoseconds(index), now: clock, random: &random)
        carryOut(judgement, index)
    }

    /// Teaches limits and estimates.
    mutating func learn(_ outcome: Outcome, _ stub: Permit.Stub, _ work: ServedWork) {
        let index = stub.backend.index
        if outcome == .overload, let time = work.retryAfterNanoseconds, time > 0 {
            signal(stub.backend, .hold(until: clock.advanced(byNanoseconds: time)), now: clock)
        }
        // Where nobody is served, nothing else would have the limit looked at. Where some are, who leaves
        // must not choose when.
        if case .cancelled = outcome, backends[index].isPresent, backends[index].meter.servesNobody
        {
            look(at: index)
        }
        guard outcome == .success || outcome.isDrop else { return }
        let sample = Sample(
            latencyNanoseconds: clock.nanoseconds(since: stub.grantedAt), inFlight: stub.inFlight,
            isDropped: outcome.isDrop, now: clock, work: work, kind: stub.kind)
        if outcome == .success {
            drainEstimate.recordService(
                nanoseconds: sample.latencyNanoseconds,
                firstByteNanoseconds: sample.firstByteNanoseconds, cost: stub.cost,
                seats: stub.seats)
            countServed(stub, seconds: Double(sample.latencyNanoseconds) / 1e9, work)
            let seatSeconds = Double(sample.latencyNanoseconds) / 1e9 * Double(stub.seats)
            if hasSeveralFlows(stub.tenant, stub.row) { learnUsualTime(stub, seatSeconds) }
            tokenTime.learn(
                input: Int(stub.expected.input), output: Int(stub.expected.output),
                seconds: seatSeconds)
            if !work.isHeldBack { learnCancel(stub, sample) }
            if stub.promptSlot >= 0 {
                affinity.learn(
                    at: index, work,
                    firstByteSeconds: Double(sample.firstByteNanoseconds) / 1e9,
                    totalSeconds: Double(sample.latencyNanoseconds) / 1e9)
            }
        }
        guard backends[index].isPresent, mayLearn(index, sample) else { return }
        if work.isHeldBack, !sample.isDropped { return }
        if backends[index].warmth != nil, !sample.isDropped, !mayMove(index) { return }
        if let move = backends[index].limiter.update(sample, backends[index].meter) {
            record(move, at: index)
            if backends[index].warmth != nil { mark(index) }
        }
    }

    /// Whether requests of others have ended of late beside those of that flow, so that it matters what is usual for it.
    @inline(__always) private mutating func hasSeveralFlows(_ tenant: Int32, _ row: Int) -> Bool {
        guard tenant == lastServed.tenant, row == lastServed.row else {
            lastServed = (tenant, row, 0)
            return true
        }
        guard lastServed.count < UsualTime.mostCounted else { return false }
        lastServed.count += 1
        return true
    }

    @inline(never) private mutating func learnUsualTime(
        _ stub: Permit.Stub, _ seatSeconds: Double
    ) {
        queue.flows[stub.tenant, stub.row].usualTime.learn(seatSeconds)
        usualTime.learn(seatSeconds)
    }

    private mutating func learnCancel(_ stub: Permit.Stub, _ sample: Sample) {
        let index = stub.backend.index
        let time = Double(sample.latencyNanoseconds) / Double(sample.units)
        switch stub.comparison {
        case .none: return
        case .beside(let kind, let closed):
            backends[index].cancels[Int(kind.rawValue)].learn(
                besideClosed: closed, inFlight: stub.inFlight, nanosecondsPerUnit: time)
        case .without:
            for kind in RequestKind.allCases {
                backends[index].cancels[Int(kind.rawValue)].learn(nanosecondsPerUnit: time)
            }
        }
    }
}
