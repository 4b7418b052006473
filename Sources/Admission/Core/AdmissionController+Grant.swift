// Granting, parking and refusing: the steps that the controller's calls are made of.
//
// What only looks at a large structure is inlined on the way of every request: a call that does not
// change it would be handed a copy of it, a kilobyte at a time.

extension AdmissionController {
    /// Whether the pool is asked for all it can do; the drain rate is measured over such time.
    var isBusy: Bool {
        provenLimit > 0 && (provenInFlight >= provenLimit || queue.hand >= 0)
    }

    /// Moves the clock on; the state up to now has been in force since the last call.
    mutating func advance(to now: Instant) {
        clock = max(clock, now)
        drainEstimate.advance(to: clock, wasBusy: isBusy)
        if clock >= nextChangeAt { takeChanges() }
    }

    /// Binds one more request to the backend at `index`, which has room.
    mutating func grant(
        _ index: Int, _ seats: Int, _ key: FlowKey, _ work: GrantedWork,
        reserved: Reservation, withheld: Reason = .none, wouldWait: Bool = false
    ) -> Permit {
        let trial = backends[index].ejection.grant()
        let isOnSuspicion = backends[index].suspicion.isSuspected
        if isOnSuspicion {
            backends[index].suspicion.beginTrial(
                longest: longServiceNanoseconds(index), now: clock)
        }
        let taken = min(max(seats, 1), backends[index].widest)
        backends[index].inFlight += taken
        backends[index].requestsInFlight += 1
        totalInFlight += taken
        recountInFlight(index)
        beginWaiting(index, seats: taken)
        if withheld != .none { withheldInFlight += taken }
        // What began as such stays so, whatever a reload makes of its class.
        let isSlack = work.demand == .slack || queue.isSlack(key.row)
        let kind = demand.begin(isSlack ? .slack : work.demand, taken, now: clock)
        queue.granted(key, seats: taken, cost: work.cost, isSlack: isSlack, now: clock)
        if !work.isRetry { retryBudget.deposit(now: clock) }
        return Permit(
            Permit.Stub(
                backend: BackendID(index: index), grantedAt: clock, arrivedAt: work.arrivedAt,
                inFlight: counted(index), trial: trial, promptSlot: work.promptSlot, seats: taken,
                tenant: key.tenant, row: key.row, cost: work.cost,
                expected: work.expected, reserved: reserved, isCharged: work.isCharged,
                withheld: withheld,
                wouldWait: wouldWait, comparison: comparison(index),
                isOnSuspicion: isOnSuspicion, demand: kind, isPatient: work.isPatient))
    }

    /// Takes over what a backend has in flight that uses up its limit.
    mutating func recountInFlight(_ index: Int) {
        let before = backends[index].meter.inFlight
        meter(index)
        guard isProven(index) else { return }
        provenInFlight += backends[index].meter.inFlight - before
    }

    /// Takes a permit's slot back; the request cost `extraCost` more than it was charged.
    mutating func release(_ stub: Permit.Stub, extraCost: Double = 0) {
        let index = stub.backend.index
        precondition(
            backends[index].inFlight >= stub.seats, "a permit of another controller was spent here")
        endWaiting(stub)
        backends[index].inFlight -= stub.seats
        backends[index].requestsInFlight -= 1
        totalInFlight -= stub.seats
        recountInFlight(index)
        backends[index].ejection.endTrial(stub.trial)
        if stub.withheld != .none { withheldInFlight -= stub.seats }
        demand.end(stub.demand, stub.seats)
        if stub.promptSlot >= 0 { affinity.end(stub.promptSlot) }
        queue.ended(
            tenant: stub.tenant, row: stub.row, seats: stub.seats, isSlack: stub.demand == .slack,
            extra: extraCost)
    }

    /// Starts the request whose turn it is, or refuses it if its deadline can no longer be met.
    mutating func startNext() -> Decision? {
        while case .start(let first) = queue.nextTurn(limit: provenLimit, room: room) {
            let instead = hasAffinity ? startInstead(of: first) : nil
            let slot = instead?.slot ?? first
            let reason = reasonNotToStart(queue.slots[Int(slot)])
            if reason != .none {
                let waiting = queue.remove(slot)
                return .reject(waiting.id, refuse(reason, waiting))
            }
            guard let index = instead?.backend ?? choose(seats: queue.seats(slot), except: nil)
            else {
                queue.takeInHand(slot)
                continue
            }
            let waiting = queue.start(
                slot, now: clock,
                serviceNanoseconds: drainEstimate.medianServiceNanoseconds,
                firstByteSeconds: firstByteSeconds(
                    queue.slots[Int(slot)].tenant, Int(queue.slots[Int(slot)].row)))
            let flowKey = queue.flowKey(tenant: waiting.tenant, row: Int(waiting.row))
            var work = GrantedWork(
                cost: waiting.cost, expected: waiting.expected, arrivedAt: waiting.arrivedAt)
            work.isCharged = waiting.stage != .returned
            work.isRetry = !work.isCharged
            work.demand = waiting.isRetry ? .again : .first
            work.isPatient = waiting.isPatient
            if hasAffinity { work.promptSlot = beginParked(slot, at: index, work.expected) }
            // What comes back was charged at its first turn, and waits for nothing more.
            if !work.isCharged { work.cost = 1 }
            return .forward(
                waiting.id,
                grant(index, Int(waiting.seats), flowKey, work, reserved: waiting.reserved))
        }
        return nil
    }

    private mutating func beginParked(
        _ slot: Int32, at index: Int, _ expected: ExpectedTokens
    ) -> Int32 {
        let parked = affinity.takeParked(slot)
        if !parked.match.isEmpty { affinity.counts.countPasses(parked.passes) }
        affinity.current = parked.match
        affinity.keys = parked.keys
        return beginPrompt(at: index, expected, isForced: parked.isForced)
    }

    /// Why a request had better not be started any more; `none` when it may.
    ///
    /// With a queue there is always somebody whose work is more likely to be of use: than of one whose
    /// response might well come after its deadline, by the time that one request in a hundred
    /// exceeds, or when most clients of its kind have left, by the usual time to a first byte.
    @inline(__always) func reasonNotToStart(_ waiting: Waiting) -> Reason {
        if waiting.respondBy != .distantFuture,
            clock.advanced(byNanoseconds: drainEstimate.longServiceNanoseconds) > waiting.respondBy
        {
            return .deadline
        }
        guard waiting.stage != .returned, !waiting.isTrial else { return .none }
        let (borne, firstByte) = patience(waiting.tenant, Int(waiting.row))
        guard borne.isFinite else { return .none }
        let age = clock.seconds(since: waiting.arrivedAt)
        return age + firstByte > borne ? .patience : .none
    }

    /// The time from grant to first byte that one in ten of a flow's requests exceeds, in seconds.
    @inline(__always) func firstByteSeconds(_ tenant: Int32, _ row: Int) -> Double {
        queue.firstByteSeconds(tenant, row, ofPool: drainEstimate.firstByteSeconds)
    }

    /// What a flow's clients bear, as far as is known, and how late its first bytes are.
    typealias FlowPatience = (seconds: Double, firstByteSeconds: Double)

    /// Seconds from a request's arrival to its first byte that most of a flow's clients bear, infinite while that
    /// is unknown; and those from grant to first byte that one in ten of its requests exceeds.
    @inline(__always) func patience(_ tenant: Int32, _ row: Int) -> FlowPatience {
        let firstByte = firstByteSeconds(tenant, row)
        return (
            queue.patienceSeconds(tenant, row, firstByteSeconds: firstByte, now: clock), firstByte
        )
    }

    /// What a request of a flow is expected to cost, in units of a usual one.
    ///
    /// Nothing is changed; a call that cannot change a controller is handed a copy of it.
    @inline(__always) mutating func expectedCost(_ ticket: Ticket, _ key: FlowKey) -> Double {
        switch settings.sharing {
        case .requests:
            return ticket.cost
        case .tokens:
            return ticket.tokens > 0 ? usualTokens.cost(ofTokens: ticket.tokens) : ticket.cost
        case .time:
            if ticket.outputTokens != nil {
                let expected = ExpectedTokens(ticket)
                if let cost = tokenTime.cost(
                    input: Int(expected.input), output: Int(expected.output))
                {
                    return cost
                }
            }
            let isAlone =
                lastServed.count == UsualTime.mostCounted && key.tenant == lastServed.tenant
                && key.row == lastServed.row
            return isAlone ? ticket.cost : usualCost(ticket.cost, key)
        }
    }

    /// What a request of a flow costs that says nothing of its tokens, or before these say anything; `told` where that is
    /// not 1.
    @inline(never) private mutating func usualCost(_ told: Double, _ key: FlowKey) -> Double {
        guard told == 1 else { return told }
        return queue.flows[key.tenant, key.row].usualTime.cost(beside: usualTime) ?? 1
    }

    /// What a request came to, in units of a usual one.
    mutating func realCost(_ stub: Permit.Stub, _ charge: Charge) -> Double {
        switch settings.sharing {
        case .time:
            return costOfTime(stub)
        case .requests:
            return stub.cost
        case .tokens:
            guard let tokens = charge.tokens else { return stub.cost }
            defer { usualTokens.learn(tokens) }
            return usualTokens.cost(ofTokens: tokens)
        }
    }

    /// What a request cost by the time that it held its slots, in units of cost.
    private func costOfTime(_ stub: Permit.Stub) -> Double {
        guard let unit = drainEstimate.seatSecondsPerUnit else { return stub.cost }
        let seatSeconds = clock.seconds(since: stub.grantedAt) * Double(stub.seats)
        return min(max(seatSeconds / unit, 1e-3), Self.mostUnits)
    }

    /// One request that runs for hours is not held against its tenant for days.
    private static let mostUnits = 1_000.0

    /// Counts a move of the limit at `index` and puts it in force.
    mutating func record(_ move: LimitMove, at index: Int) {
        note(move, at: index)
        moveCounts[Int(move.reason.rawValue)] += 1
        if move.to > move.from {
            backends[index].movesUp[Int(move.reason.rawValue)] += 1
        } else {
            backends[index].movesDown[Int(move.reason.rawValue)] += 1
        }
        backends[index].lastMove = LastMove(
            from: move.from, to: move.to, reason: move.reason, at: clock)
        let limit = backends[index].limiter.limit
        guard limit != backends[index].limit else { return }
        backends[index].limit = limit
        refresh(index)
    }

    /// Tells a backend's meter of its in-flight requests and its limit.
    mutating func meter(_ index: Int) {
        // A limit of which only a part is in force is not tried by using that up.
        let isMeasured = isMeasured(index) && !backends[index].isCapped
        backends[index].meter.set(
            inFlight: counted(index),
            limit: isMeasured ? backends[index].allowed : backends[index].limit, now: clock)
    }

    /// Lets the limit's algorithm look at a backend if it is time.
    mutating func look(at index: Int) {
        guard backends[index].limiter.nextLook <= clock, isMeasured(index)
        else { return }
        backends[index].meter.advance(to: clock)
        if backends[index].warmth != nil, !mayMove(index) { return }
        if let move = backends[index].limiter.look(backends[index].meter, now: clock) {
            record(move, at: index)
            if backends[index].warmth != nil { mark(index) }
        }
    }

    /// Lets limits grow at which nothing has ended yet, since a request was given up that waited for them.
    ///
    /// However many are, all backends are looked at twenty times a second at most: refusing stays cheap.
    mutating func growUnheard() {
        guard clock >= nextUnheardLook else { return }
        nextUnheardLook = clock.advanced(byNanoseconds: 50_000_000)
        for index in backends.indices where isMeasured(index) && isProven(index) {
            guard backends[index].warmth == nil, !backends[index].isCapped else { continue }
            backends[index].meter.advance(to: clock)
            if let move = backends[index].limiter.growUnheard(
                backends[index].meter, now: clock)
            {
                record(move, at: index)
            }
        }
    }

    /// Sums the capacity up anew, in O(backends): only when a limit or a backend's standing
    /// changes.
    mutating func recount() {
        provenLimit = 0
        provenInFlight = 0
        provenCount = 0
        for index in backends.indices where isProven(index) {
            provenCount += 1
            provenLimit += backends[index].allowed
            provenInFlight += counted(index)
        }
        guard backends.count > 1 else { return }
        let mean = provenLimit / max(1, provenCount)
        for index in backends.indices {
            let allowed = backends[index].allowed
            let isTried = backends[index].isLimitTried(now: clock)
            let isOwn =
                isTried || backends[index].isLimited || backends[index].isCapped
                || backends[index].credits != nil
            let share = isOwn ? allowed : max(allowed, mean)
            backends[index].weight = share * backends[index].configuredWeight
        }
    }
}

/// What a granted request is expected to cost.
struct GrantedWork {
    /// Units of a usual request.
    var cost: Double
    var expected: ExpectedTokens
    /// Where affinity keeps what its backend is taken to know of its prompt; -1 for nowhere.
    var promptSlot: Int32 = -1
    /// Whether its tenant was charged the cost, which is then put right when it ends; who started at
    /// once was charged nothing.
    var isCharged = false
    /// When its client began to wait.
    var arrivedAt: Instant
    /// Whether it was started before.
    var isRetry = false
    /// Whose doing it is.
    var demand = DemandKind.first
    /// Whether no client waits for it.
    var isPatient = false

    init(cost: Double, expected: ExpectedTokens, arrivedAt: Instant) {
        self.cost = cost
        self.expected = expected
        self.arrivedAt = arrivedAt
    }

    /// The work of a request that comes at `now`.
    init(_ ticket: Ticket, now: Instant) {
        self.init(
            cost: ticket.cost, expected: ExpectedTokens(ticket),
            arrivedAt: min(ticket.arrivedAt ?? now, now))
        if ticket.isRetry { demand = .again }
        isPatient = ticket.isPatient
    }
}
