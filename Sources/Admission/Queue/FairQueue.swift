// The requests of a pool that wait for a permit. Priority classes are served in strict order,
// within a class tenants by start-time fair queueing, within a tenant first in, first out.
//
// A table of slots that are used again, linked into flows and into orders of arrival, with a heap
// of deadlines beside it. It never allocates once it has been as long as it gets. What the limits
// of backends allow is the controller's business; it asks `nextTurn` and carries it out.

/// A queue that is fair between tenants.
struct FairQueue: Sendable {
    var slots: [Waiting] = []
    /// Links within a flow, or among the returned or the displaced.
    var flowLinks = SlotLinks()
    /// Links within a class, by arrival.
    var arrivalLinks = SlotLinks()
    var flows = FlowTable()
    var tenants: TenantTable
    var classes: [PriorityClass] = []
    /// Rows of classes, the highest class first.
    var ranks: [Int] = []
    /// Whether one of the classes gets only what nobody else wants.
    var hasSlack = false
    /// How many of `ranks` the policy has; the rest drain.
    var rankCount = 0
    /// Requests whose backend could not be connected to; they come first.
    var returned = SlotList()
    /// Requests that had to make room; `popDisplaced` tells who they are.
    var displaced = SlotList()
    /// The wide request whose turn it is, -1 for none, and how many others have passed it.
    var hand: Int32 = -1
    var handPasses = 0
    var settings: QueueSettings
    /// Requests that wait, the displaced left out.
    private(set) var count = 0
    /// Those of them that get only what nobody else wants.
    private var slackCount = 0
    /// The bytes that they hold.
    private(set) var bytes = 0
    /// The places that they will take.
    private(set) var places = WaitingPlaces()
    /// Requests that had to make room and have not been told yet.
    private(set) var displacedCount = 0
    /// Expected cost of those whose turn has come.
    var costAhead = 0.0
    private var expiries = ExpiryHeap()
    private var free: Int32 = -1
    private var sequence: UInt64 = 0

    init(_ settings: AdmissionSettings) {
        self.settings = settings.queue
        tenants = TenantTable(settings)
        reconfigureClasses(settings.classes)
        flows.grow(tenants: tenants.rows.count, classes: classes.count)
    }

    /// Whether nobody waits, but for those who get only what nobody else wants.
    var isUnclaimed: Bool { count == slackCount }

    /// When the next request expires.
    @inline(__always) var nextExpiry: Instant? {
        var earliest = expiries.first?.expiresAt
        for row in ranks where !classes[row].arrivals.isEmpty {
            let head = slots[Int(classes[row].arrivals.head)].waitEnd
            earliest = min(earliest ?? head, head)
        }
        return earliest
    }

    /// When the request that has waited longest came into the queue.
    var oldestParkedAt: Instant? {
        var oldest: Instant?
        if !returned.isEmpty { oldest = slots[Int(returned.head)].parkedAt }
        for row in ranks where !classes[row].arrivals.isEmpty {
            let head = slots[Int(classes[row].arrivals.head)].parkedAt
            oldest = min(oldest ?? head, head)
        }
        return oldest
    }

    // MARK: Coming

    /// Puts a request at the end of its tenant's flow.
    mutating func insert(_ waiting: Waiting) -> ParkedHandle {
        let slot = takeSlot(for: waiting)
        let row = Int(waiting.row)
        let tenant = waiting.tenant
        slots[Int(slot)].stage = .inFlow
        // Where waits end in the order of arrival, the class's list is all the heap they need.
        let latest = classes[row].arrivals.isEmpty ? waiting.waitEnd : classes[row].latestWaitEnd
        if waiting.expiresAt < waiting.waitEnd || waiting.waitEnd < latest { addExpiry(slot) }
        classes[row].latestWaitEnd = max(latest, waiting.waitEnd)
        arrivalLinks.append(slot, to: &classes[row].arrivals)
        flowLinks.append(slot, to: &flows[tenant, row].waiting)
        classes[row].count += 1
        classes[row].bytes += waiting.bodyBytes
        classes[row].cost += waiting.cost
        flows[tenant, row].count += 1
        flows[tenant, row].bytes += waiting.bodyBytes
        flows[tenant, row].cost += waiting.cost
        tenants.queue(tenant, by: 1, isSlack: waiting.isSlack)
        if flows[tenant, row].count == 1 {
            classes[row].weight += tenants[tenant].settings.weight
            activate(tenant, row)
        }
        return ParkedHandle(slot: slot, generation: slots[Int(slot)].generation)
    }

    /// Puts a request first that had its turn before.
    mutating func insertReturned(_ waiting: Waiting) -> ParkedHandle {
        let slot = takeSlot(for: waiting)
        slots[Int(slot)].stage = .returned
        slots[Int(slot)].cost = 0
        flowLinks.append(slot, to: &returned)
        addExpiry(slot)
        tenants.queue(waiting.tenant, by: 1, isSlack: waiting.isSlack)
        return ParkedHandle(slot: slot, generation: slots[Int(slot)].generation)
    }

    /// How far a flow that begins to wait may lie behind the virtual time, in usual requests.
    ///
    /// A tenant that uses less than its share has some of it left when a few of its requests come at
    /// once; without credit they would wait their turns behind those of a tenant that floods. Linux'
    /// fair scheduler has the like for processes that slept (`place_entity`).
    static var credit: Double { 8 }

    /// Gives a flow with waiting requests its start tag and its index in the heap, unless its
    /// tenant may start nothing.
    mutating func activate(_ tenant: Int32, _ row: Int) {
        guard flows[tenant, row].heapIndex < 0, !tenants[tenant].isAtLimit else { return }
        sequence += 1
        let weight = tenants[tenant].settings.weight
        let earliest = classes[row].virtualTime - Self.credit / weight
        flows[tenant, row].floor = earliest
        flows[tenant, row].start = max(earliest, flows[tenant, row].finish)
        flows[tenant, row].sequence = sequence
        classes[row].heap.insert(tenant, &flows, row)
    }

    private mutating func addExpiry(_ slot: Int32) {
        sequence += 1
        slots[Int(slot)].isInHeap = true
        expiries.insert(
            .init(expiresAt: slots[Int(slot)].expiresAt, sequence: sequence, slot: slot))
    }

    /// Counts a request that begins to wait, or with -1 one that does so no more.
    @inline(__always) private mutating func add(_ waiting: borrowing Waiting, times change: Int) {
        count += change
        bytes += change * waiting.bodyBytes
        guard !waiting.isSlack else { return slackCount += change }
        places.add(change > 0 ? waiting.seats : -waiting.seats, isRetry: waiting.isRetry)
    }

    private mutating func takeSlot(for waiting: Waiting) -> Int32 {
        add(waiting, times: 1)
        guard free >= 0 else {
            slots.append(waiting)
            flowLinks.grow()
            arrivalLinks.grow()
            return Int32(slots.count - 1)
        }
        let slot = free
        free = slots[Int(slot)].nextFree
        let generation = slots[Int(slot)].generation &+ 1
        slots[Int(slot)] = waiting
        slots[Int(slot)].generation = generation
        return slot
    }

    // MARK: Leaving

    /// Takes out the request that `handle` names; nil when it has left already.
    mutating func cancel(_ handle: ParkedHandle) -> Waiting? {
        let slot = Int(handle.slot)
        guard slots.indices.contains(slot), slots[slot].stage != .none,
            slots[slot].generation == handle.generation
        else { return nil }
        return remove(handle.slot)
    }

    /// Takes out a request that had to make room for another one, if there is one.
    mutating func popDisplaced() -> Waiting? {
        displaced.isEmpty ? nil : remove(displaced.head)
    }

    /// Takes out the request that expired first, if one has.
    mutating func popExpired(now: Instant) -> Waiting? {
        var earliest = Instant.distantFuture
        var slot: Int32 = -1
        if let first = expiries.first {
            earliest = first.expiresAt
            slot = first.slot
        }
        for row in ranks where !classes[row].arrivals.isEmpty {
            let head = classes[row].arrivals.head
            guard slots[Int(head)].waitEnd < earliest else { continue }
            earliest = slots[Int(head)].waitEnd
            slot = head
        }
        return slot >= 0 && earliest <= now ? remove(slot) : nil
    }

    /// Marks a request to be told that it had to make room.
    mutating func displace(_ slot: Int32) {
        let waiting = slots[Int(slot)]
        unlink(slot)
        add(waiting, times: -1)
        slots[Int(slot)].stage = .displaced
        flowLinks.append(slot, to: &displaced)
        displacedCount += 1
    }

    /// Takes a request out, wherever it is.
    mutating func remove(_ slot: Int32) -> Waiting {
        let waiting = slots[Int(slot)]
        if waiting.stage == .displaced {
            flowLinks.remove(slot, from: &displaced)
            displacedCount -= 1
        } else {
            unlink(slot)
            add(waiting, times: -1)
        }
        slots[Int(slot)].stage = .none
        slots[Int(slot)].nextFree = free
        free = slot
        return waiting
    }

    /// Takes a slot out of all orders that it is in.
    private mutating func unlink(_ slot: Int32) {
        let waiting = slots[Int(slot)]
        switch waiting.stage {
        case .inFlow:
            leaveFlow(slot)
            leaveClass(slot)
        case .inHand:
            costAhead -= waiting.cost
            hand = -1
            leaveClass(slot)
        case .returned:
            flowLinks.remove(slot, from: &returned)
        case .none, .displaced:
            preconditionFailure("a slot that is not waiting cannot leave")
        }
        if waiting.isInHeap { expiries.remove(slot: slot) }
        slots[Int(slot)].isInHeap = false
        tenants.queue(waiting.tenant, by: -1, isSlack: waiting.isSlack)
    }

    /// Takes a slot out of its flow and out of what the flow and the class have waiting there.
    mutating func leaveFlow(_ slot: Int32) {
        let waiting = slots[Int(slot)]
        let row = Int(waiting.row)
        flowLinks.remove(slot, from: &flows[waiting.tenant, row].waiting)
        flows[waiting.tenant, row].count -= 1
        flows[waiting.tenant, row].bytes -= waiting.bodyBytes
        flows[waiting.tenant, row].cost -= waiting.cost
        classes[row].cost -= waiting.cost
        guard flows[waiting.tenant, row].count == 0 else { return }
        flows[waiting.tenant, row].cost = 0
        flows[waiting.tenant, row].standing.emptied()
        classes[row].weight -= tenants[waiting.tenant].settings.weight
        if flows[waiting.tenant, row].heapIndex >= 0 {
            classes[row].heap.remove(waiting.tenant, &flows, row)
        }
    }

    private mutating func leaveClass(_ slot: Int32) {
        let row = Int(slots[Int(slot)].row)
        arrivalLinks.remove(slot, from: &classes[row].arrivals)
        classes[row].count -= 1
        classes[row].bytes -= slots[Int(slot)].bodyBytes
        // What is left of sums of fractions is not waiting.
        if classes[row].count == 0 {
            classes[row].cost = 0
            classes[row].weight = 0
        }
    }
}
