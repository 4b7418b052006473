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
    }

    /// The widest request that fits at any backend; 0 when every one is full.
    @inline(__always) var room: Int {
        var widest = 0
        for index in backends.indices { widest = max(widest, backends[index].room(now: clock)) }
        return widest
    }

    /// The backend with room for `seats` that has the lowest share of its limit in flight, ties at
    /// random.
    mutating func choose(seats: Int, except excluded: Int?) -> Int? {
        var best = -1
        var ties = 0
        for index in backends.indices {
            guard index != excluded, backends[index].room(now: clock) >= seats else { continue }
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
    mutating func grant(
        _ index: Int, _ seats: Int, _ place: QueuePlace, _ work: GrantedWork,
        reserved: Reservation, withheld: Reason = .none, wouldWait: Bool = false
    ) -> Permit {
        let trial = backends[index].ejection.grant()
        let taken = min(max(seats, 1), backends[index].widest)
        backends[index].inFlight += taken
        meter(index)
        totalInFlight += taken
        if withheld != .none { withheldInFlight += taken }
        if backends[index].isProven { provenInFlight += taken }
        queue.granted(place, seats: taken, cost: work.cost, now: clock)
        return Permit(
            Permit.Stub(
                backend: BackendID(index: index), grantedAt: clock,
                inFlight: backends[index].inFlight, trial: trial, seats: taken,
                tenant: place.tenant, row: place.row, cost: work.cost, isCharged: work.isCharged,
                expected: work.expected, reserved: reserved, withheld: withheld,
                wouldWait: wouldWait))
    }

    /// Takes a permit's slot back; the request cost `extraCost` more than it was charged.
    mutating func release(_ stub: Permit.Stub, extraCost: Double = 0) {
        let index = stub.backend.index
        precondition(
            backends[index].inFlight >= stub.seats, "a permit of another controller was spent here")
        backends[index].inFlight -= stub.seats
        meter(index)
        backends[index].ejection.endTrial(stub.trial)
        totalInFlight -= stub.seats
        if stub.withheld != .none { withheldInFlight -= stub.seats }
        if backends[index].isProven { provenInFlight -= stub.seats }
        queue.ended(
            tenant: stub.tenant, row: stub.row, seats: stub.seats, extra: extraCost)
    }

    /// Starts the request whose turn it is, or refuses it if its deadline can no longer be met.
    mutating func startNext() -> Decision? {
        while case .start(let slot) = queue.nextTurn(limit: provenLimit, room: room) {
            if isTooLate(queue.slots[Int(slot)].deadline) {
                let waiting = queue.remove(slot)
                return .reject(waiting.id, refuse(.deadline, waiting))
            }
            guard let index = choose(seats: queue.seats(slot), except: nil) else {
                queue.takeInHand(slot)
                continue
            }
            let waiting = queue.start(
                slot, now: clock,
                serviceNanoseconds: drainEstimate.medianServiceNanoseconds)
            let place = queue.place(tenant: waiting.tenant, row: Int(waiting.row))
            var work = GrantedWork(cost: waiting.cost, expected: waiting.expected)
            work.isCharged = waiting.stage != .returned
            // What comes back was charged at its first turn, and waits for nothing more.
            if !work.isCharged { work.cost = 1 }
            return .forward(
                waiting.id,
                grant(index, Int(waiting.seats), place, work, reserved: waiting.reserved))
        }
        return nil
    }

    /// Whether a request that starts now might well end after its deadline.
    ///
    /// By the time that one in a hundred exceeds: with a queue there is always somebody whose work is
    /// more likely to be of use.
    @inline(__always) func isTooLate(_ deadline: Instant) -> Bool {
        guard deadline != .distantFuture else { return false }
        return clock.advanced(byNanoseconds: drainEstimate.longServiceNanoseconds) > deadline
    }

    /// What a request is expected to cost, in units of a usual one.
    @inline(__always) func expectedCost(_ ticket: Ticket) -> Double {
        switch settings.sharing {
        case .requests:
            return ticket.cost
        case .tokens:
            return ticket.tokens > 0 ? usualTokens.cost(ofTokens: ticket.tokens) : ticket.cost
        case .time:
            guard ticket.outputTokens != nil else { return ticket.cost }
            let expected = ExpectedTokens(ticket)
            return tokenTime.cost(input: Int(expected.input), output: Int(expected.output))
                ?? ticket.cost
        }
    }

    /// What a request came to, in units of a usual one.
    mutating func realCost(_ stub: Permit.Stub, _ charge: Charge) -> Double {
        switch settings.sharing {
        case .time:
            return costOfTime(stub)
        case .requests:
            return stub.cost
        case .tokens:
            guard case .tokens(let tokens) = charge else { return stub.cost }
            defer { usualTokens.learn(tokens) }
            return usualTokens.cost(ofTokens: tokens)
        }
    }

    /// What a request cost by the time that it held its places, in units of cost.
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

/// What a granted request is expected to cost.
struct GrantedWork {
    /// Units of a usual request.
    var cost: Double
    var expected: ExpectedTokens
    /// Whether its tenant was charged the cost, which is then put right when it ends; who started at
    /// once was charged nothing.
    var isCharged = false

    init(cost: Double, expected: ExpectedTokens) {
        self.cost = cost
        self.expected = expected
    }
}
