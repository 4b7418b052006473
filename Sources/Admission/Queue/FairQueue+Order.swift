// Whose turn it is, and what a turn costs.

extension FairQueue {
    /// How many narrower requests may pass a wide one that waits for room.
    ///
    /// Without the passes the room that gathers for it would stand idle, without their bound it
    /// would never gather.
    static var passesOfWide: Int { 8 }

    /// The turn that comes next.
    enum Turn {
        /// This request may be started, if a backend has room.
        case start(Int32)
        /// Nobody may be started.
        case none
    }

    /// Whose turn is next; nothing changes.
    ///
    /// `limit` is the sum of the backends' limits, `room` the widest request that fits anywhere.
    @inline(__always) func nextTurn(limit: Int, room: Int) -> Turn {
        // Mostly nobody waits, and a call would copy the queue.
        guard room > 0, count > 0 else { return .none }
        return turnOfWaiting(limit: limit, room: room)
    }

    private func turnOfWaiting(limit: Int, room: Int) -> Turn {
        if let slot = firstReturned { return seats(slot) <= room ? .start(slot) : .none }
        if hand >= 0, mayStartHand(limit: limit) {
            if seats(hand) <= room { return .start(hand) }
            if handPasses >= Self.passesOfWide { return .none }
        }
        guard let row = nextClass(limit: limit), let tenant = classes[row].heap.first
        else { return .none }
        let slot = flows[tenant, row].waiting.head
        // A second wide request waits for the first, and no room is kept for one that only gets what is left.
        let mayGather = hand < 0 && !isSlack(row)
        return seats(slot) <= room || mayGather ? .start(slot) : .none
    }

    /// Whether the wide request whose turn it is may start as far as its tenant and its class go;
    /// what it waits for is room.
    @inline(__always) private func mayStartHand(limit: Int) -> Bool {
        let waiting = slots[Int(hand)]
        return !tenants[waiting.tenant].isAtLimit
            && isBelowCeilings(classes[Int(waiting.row)].rank, limit: limit)
    }

    /// Whether a request may start without waiting: nobody comes before it.
    @inline(__always) func maySkip(_ key: FlowKey, limit: Int) -> Bool {
        if tenants[key.tenant].isAtLimit { return false }
        if ranks.count > 1, !isBelowCeilings(key.rank, limit: limit) { return false }
        return count == 0 || hasTurn(key, limit: limit)
    }

    /// Whether it is the turn of a request that has just come, before those who wait.
    private func hasTurn(_ key: FlowKey, limit: Int) -> Bool {
        if firstReturned != nil || (hand >= 0 && handPasses >= Self.passesOfWide) { return false }
        if hand >= 0, isSlack(key.row) { return false }
        for rank in ranks.indices {
            let row = ranks[rank]
            if classes[row].heap.first == nil { continue }
            if rank <= key.rank { return false }
            if isStarving(row), isBelowCeilings(rank, limit: limit) { return false }
        }
        return true
    }

    /// The first request whose backend could not be connected to and whose tenant may start one.
    private var firstReturned: Int32? {
        var slot = returned.head
        while slot >= 0 {
            if !tenants[slots[Int(slot)].tenant].isAtLimit { return slot }
            slot = flowLinks.next(slot)
        }
        return nil
    }

    /// Units of the limit that a waiting request asks for.
    func seats(_ slot: Int32) -> Int { Int(slots[Int(slot)].seats) }

    /// The class that is served next: a lower one that has been passed over for too long, or else
    /// the highest that has something waiting and is below its ceiling.
    ///
    /// One that takes what is left has its turn only where nothing else waits, be it for room below a
    /// ceiling.
    private func nextClass(limit: Int) -> Int? {
        guard ranks.count > 1 else { return classes[ranks[0]].heap.first == nil ? nil : ranks[0] }
        var highest: Int?
        var isFirst = hand < 0
        for rank in ranks.indices {
            let row = ranks[rank]
            guard classes[row].heap.first != nil else { continue }
            defer { isFirst = false }
            guard isFirst || !isSlack(row), isBelowCeilings(rank, limit: limit) else { continue }
            if isStarving(row) { return row }
            if highest == nil { highest = row }
        }
        return highest
    }

    private func isStarving(_ row: Int) -> Bool {
        classes[row].passes >= settings.starvationBound - 1 && !isSlack(row)
    }

    /// Whether a class gets only what nobody else wants.
    @inline(__always) func isSlack(_ row: Int) -> Bool { hasSlack && classes[row].settings.isSlack }

    /// Whether one more request of that rank leaves what is reserved for higher classes free.
    ///
    /// A ceiling is a share of the limit that a class and those below it may take together.
    private func isBelowCeilings(_ rank: Int, limit: Int) -> Bool {
        guard ranks.count > 1, limit > 0 else { return true }
        var seats = 0
        for other in ranks.indices.reversed() {
            seats += classes[ranks[other]].seats
            guard other <= rank else { continue }
            let ceiling = classes[ranks[other]].settings.ceiling
            if ceiling < 1, seats >= max(1, Int(ceiling * Double(limit))) { return false }
        }
        return true
    }

    // MARK: Taking a turn

    /// Takes out a request to start it, and charges its tenant unless that was done already.
    mutating func start(
        _ slot: Int32, now: Instant, serviceNanoseconds: Int64, firstByteSeconds: Double = 0
    ) -> Waiting {
        if slots[Int(slot)].stage == .inFlow {
            observeWait(
                of: slot, now: now, serviceNanoseconds: serviceNanoseconds,
                firstByteSeconds: firstByteSeconds)
            charge(slot)
        }
        return remove(slot)
    }

    /// A wide request's turn has come: it is charged and waits for room in front of the others.
    mutating func takeInHand(_ slot: Int32) {
        charge(slot)
        leaveFlow(slot)
        slots[Int(slot)].stage = .inHand
        costAhead += slots[Int(slot)].cost
        hand = slot
        handPasses = 0
    }

    /// Moves the class's virtual time to the request's start tag, and its flow's tags past it.
    private mutating func charge(_ slot: Int32) {
        let waiting = slots[Int(slot)]
        let row = Int(waiting.row)
        let start = flows[waiting.tenant, row].start
        // What starts before its turn does not move the time past those whose turn it is.
        let turn = min(start, classes[row].heap.nodes.first?.start ?? start)
        classes[row].virtualTime = max(classes[row].virtualTime, turn)
        let finish = start + waiting.cost / tenants[waiting.tenant].settings.weight
        flows[waiting.tenant, row].finish = finish
        flows[waiting.tenant, row].start = finish
        classes[row].heap.restore(waiting.tenant, &flows, row)
    }

    private mutating func observeWait(
        of slot: Int32, now: Instant, serviceNanoseconds: Int64, firstByteSeconds: Double
    ) {
        let waiting = slots[Int(slot)]
        let row = Int(waiting.row)
        let borne =
            patienceSeconds(waiting.tenant, row, firstByteSeconds: firstByteSeconds, now: now)
            - firstByteSeconds
        let longest = min(
            waiting.expiresAt.nanoseconds(since: waiting.parkedAt),
            Int64(min(max(borne, 0), 3_600) * 1e9))
        flows[waiting.tenant, row].standing.observe(
            waitNanoseconds: now.nanoseconds(since: waiting.parkedAt), now: now,
            target: longest / 4, interval: min(max(100_000_000, serviceNanoseconds), longest))
    }

    // MARK: Permits

    /// A request in that slot was granted `seats` units.
    mutating func granted(
        _ key: FlowKey, seats: Int, cost: Double, isSlack: Bool, now: Instant
    ) {
        tenants.start(key.tenant, seats: seats, isSlack: isSlack, now: now)
        classes[key.row].running += 1
        classes[key.row].seats += seats
        hold(key.tenant)
        if hand >= 0 { handPasses += 1 }
        guard ranks.count > 1 else { return }
        classes[key.row].grants.record(cost: cost, now: now)
        classes[key.row].passes = 0
        for rank in ranks.indices where rank > key.rank {
            if classes[ranks[rank]].heap.first != nil { classes[ranks[rank]].passes += 1 }
        }
    }

    /// A permit of that slot came back; `extra` is what it cost above what it was charged.
    mutating func ended(tenant: Int32, row: Int, seats: Int, isSlack: Bool, extra: Double) {
        let wasAtLimit = tenants[tenant].isAtLimit
        tenants.end(tenant, seats: seats, isSlack: isSlack)
        classes[row].running -= 1
        classes[row].seats -= seats
        if extra != 0 { correct(tenant, row, by: extra) }
        if wasAtLimit, !tenants[tenant].isAtLimit { release(tenant) }
    }

    /// Puts the tags of a flow right.
    ///
    /// A flow that waits gets back all that its requests in flight were charged too much, even
    /// behind the virtual time: cut off there, small requests would be charged as usual ones. It
    /// cannot save up turns, because nothing goes further behind the virtual time than it might when
    /// it last began to wait.
    private mutating func correct(_ tenant: Int32, _ row: Int, by extra: Double) {
        let weight = tenants[tenant].settings.weight
        let floor = flows[tenant, row].floor
        flows[tenant, row].finish = max(floor, flows[tenant, row].finish + extra / weight)
        guard flows[tenant, row].heapIndex >= 0 else { return }
        flows[tenant, row].start = max(floor, flows[tenant, row].start + extra / weight)
        classes[row].heap.restore(tenant, &flows, row)
    }

    /// Takes the flows of a tenant out of service that has as many requests in flight as it may.
    private mutating func hold(_ tenant: Int32) {
        guard tenants[tenant].isAtLimit, tenants[tenant].queued > 0 else { return }
        for row in classes.indices where flows[tenant, row].heapIndex >= 0 {
            classes[row].heap.remove(tenant, &flows, row)
        }
    }

    /// Puts the flows of a tenant into service again.
    private mutating func release(_ tenant: Int32) {
        guard tenants[tenant].queued > 0 else { return }
        for row in classes.indices where flows[tenant, row].count > 0 { activate(tenant, row) }
    }
}
