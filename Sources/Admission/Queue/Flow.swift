// What one tenant has waiting in one priority class, and where it stands in virtual time.
//
// Start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queueing", SIGCOMM 1996): a request
// of cost c in a flow of weight w gets the start tag S = max(V, F) and moves the flow's finish tag
// to F = S + c/w; the flow with the lowest start tag is served next, and V, the class's virtual
// time, is the start tag of the request that was served last. A flow that begins to wait has some
// credit: S = max(V - credit/w, F).

/// One flow of a class.
struct Flow: Sendable {
    /// Its waiting requests, oldest first.
    var waiting = SlotList()
    /// How many these are.
    var count = 0
    /// The bytes that they hold.
    var bytes = 0
    /// The sum of their expected costs.
    var cost = 0.0
    /// Start tag of the request that is served next; meaningless while nothing waits.
    var start = 0.0
    /// Finish tag of the request that was served last.
    var finish = 0.0
    /// The earliest start tag when it last began to wait; refunds reach no further back.
    var floor = 0.0
    /// Orders flows of equal start tags by when they got it.
    var sequence: UInt64 = 0
    /// Place in the class's heap; -1 while nothing waits or its tenant may start nothing.
    var place: Int32 = -1
    /// Whether what waits is more than a burst.
    var standing = StandingQueue()
    /// What its clients bear.
    var patience = Patience()
}

/// The tenants of a class that may be served, by start tag: a binary heap whose flows know their
/// places.
///
/// Each place has a copy of what it is ordered by, so that finding the way down reads two places side
/// by side at each level, and not the flows of two tenants anywhere in memory.
struct FlowHeap: Sendable {
    struct Place: Sendable {
        /// The flow's start tag, and what orders those of equal tags.
        var start: Double
        var sequence: UInt64
        var tenant: Int32

        static func < (one: Place, other: Place) -> Bool {
            one.start == other.start ? one.sequence < other.sequence : one.start < other.start
        }
    }

    private(set) var places: [Place] = []

    /// The tenant whose flow is served next.
    var first: Int32? { places.first?.tenant }

    /// Adds a tenant's flow, which is not in the heap.
    mutating func insert(_ tenant: Int32, _ flows: inout FlowTable, _ row: Int) {
        let place = place(of: tenant, flows, row)
        places.append(place)
        siftUp(place, from: places.count - 1, &flows, row)
    }

    /// Takes a tenant's flow out, which is in the heap.
    mutating func remove(_ tenant: Int32, _ flows: inout FlowTable, _ row: Int) {
        let index = Int(flows[tenant, row].place)
        flows[tenant, row].place = -1
        let last = places.removeLast()
        guard index < places.count else { return }
        sift(last, from: index, &flows, row)
    }

    /// Puts a flow in its place after its start tag has changed.
    mutating func restore(_ tenant: Int32, _ flows: inout FlowTable, _ row: Int) {
        sift(place(of: tenant, flows, row), from: Int(flows[tenant, row].place), &flows, row)
    }

    /// Forgets everything; the flows' places are for the caller to reset.
    mutating func removeAll() { places.removeAll(keepingCapacity: true) }

    private func place(of tenant: Int32, _ flows: FlowTable, _ row: Int) -> Place {
        Place(
            start: flows[tenant, row].start, sequence: flows[tenant, row].sequence, tenant: tenant)
    }

    private mutating func sift(
        _ place: Place, from start: Int, _ flows: inout FlowTable, _ row: Int
    ) {
        if start > 0, place < places[(start - 1) / 2] {
            siftUp(place, from: start, &flows, row)
        } else {
            siftDown(place, from: start, &flows, row)
        }
    }

    private mutating func siftUp(
        _ place: Place, from start: Int, _ flows: inout FlowTable, _ row: Int
    ) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard place < places[parent] else { break }
            put(places[parent], at: index, &flows, row)
            index = parent
        }
        put(place, at: index, &flows, row)
    }

    private mutating func siftDown(
        _ place: Place, from start: Int, _ flows: inout FlowTable, _ row: Int
    ) {
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < places.count else { break }
            if child + 1 < places.count, places[child + 1] < places[child] { child += 1 }
            guard places[child] < place else { break }
            put(places[child], at: index, &flows, row)
            index = child
        }
        put(place, at: index, &flows, row)
    }

    private mutating func put(
        _ place: Place, at index: Int, _ flows: inout FlowTable, _ row: Int
    ) {
        places[index] = place
        flows[place.tenant, row].place = Int32(index)
    }
}

/// The flows of all tenants in all classes: one row a tenant, one column a class.
struct FlowTable: Sendable {
    private var flows: [Flow] = []
    private(set) var columns = 1

    /// The flow of a tenant in a class, by their rows.
    subscript(_ tenant: Int32, _ row: Int) -> Flow {
        _read { yield flows[Int(tenant) * columns + row] }
        _modify { yield &flows[Int(tenant) * columns + row] }
    }

    /// Makes room for that many tenants and classes; what is there stays.
    mutating func grow(tenants: Int, classes: Int) {
        guard classes > columns else {
            while flows.count < tenants * columns { flows.append(Flow()) }
            return
        }
        var wider = [Flow](repeating: Flow(), count: tenants * classes)
        for index in flows.indices {
            wider[index / columns * classes + index % columns] = flows[index]
        }
        flows = wider
        columns = classes
    }
}
