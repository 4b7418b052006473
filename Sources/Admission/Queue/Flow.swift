// What one tenant has waiting in one priority class, and where it stands in virtual time.
//
// Start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queueing", SIGCOMM 1996): a request
// of cost c in a flow of weight w gets the start tag S = max(V, F) and moves the flow's finish tag
// to F = S + c/w; the flow with the lowest start tag is served next, and V, the class's virtual
// time, is the start tag of the request that was served last.

/// One flow of a class.
struct Flow: Sendable {
    /// Its waiting requests, oldest first.
    var waiting = SlotList()
    /// How many these are.
    var count = 0
    /// The sum of their expected costs.
    var cost = 0.0
    /// Start tag of the request that is served next; meaningless while nothing waits.
    var start = 0.0
    /// Finish tag of the request that was served last.
    var finish = 0.0
    /// The virtual time at which it last began to wait; refunds reach no further back.
    var floor = 0.0
    /// Orders flows of equal start tags by when they got it.
    var sequence: UInt64 = 0
    /// Place in the class's heap; -1 while nothing waits or its tenant may start nothing.
    var place: Int32 = -1
}

/// The tenants of a class that may be served, by start tag: a binary heap of rows in the tenants'
/// table, whose flows know their places.
struct FlowHeap: Sendable {
    private(set) var tenants: [Int32] = []

    /// The tenant whose flow is served next.
    var first: Int32? { tenants.first }

    /// Adds a tenant's flow, which is not in the heap.
    mutating func insert(_ tenant: Int32, _ flows: inout FlowTable, _ row: Int) {
        tenants.append(tenant)
        flows[tenant, row].place = Int32(tenants.count - 1)
        siftUp(from: tenants.count - 1, &flows, row)
    }

    /// Takes a tenant's flow out, which is in the heap.
    mutating func remove(_ tenant: Int32, _ flows: inout FlowTable, _ row: Int) {
        let place = Int(flows[tenant, row].place)
        flows[tenant, row].place = -1
        let last = tenants.removeLast()
        guard place < tenants.count else { return }
        put(last, at: place, &flows, row)
        restore(last, &flows, row)
    }

    /// Puts a flow in its place after its start tag has changed.
    mutating func restore(_ tenant: Int32, _ flows: inout FlowTable, _ row: Int) {
        siftDown(from: Int(flows[tenant, row].place), &flows, row)
        siftUp(from: Int(flows[tenant, row].place), &flows, row)
    }

    /// Forgets everything; the flows' places are for the caller to reset.
    mutating func removeAll() { tenants.removeAll(keepingCapacity: true) }

    private mutating func siftUp(from start: Int, _ flows: inout FlowTable, _ row: Int) {
        let tenant = tenants[start]
        let key = flows.key(tenant, row)
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard key < flows.key(tenants[parent], row) else { break }
            put(tenants[parent], at: place, &flows, row)
            place = parent
        }
        put(tenant, at: place, &flows, row)
    }

    private mutating func siftDown(from start: Int, _ flows: inout FlowTable, _ row: Int) {
        let tenant = tenants[start]
        let key = flows.key(tenant, row)
        var place = start
        while true {
            var child = 2 * place + 1
            guard child < tenants.count else { break }
            if child + 1 < tenants.count,
                flows.key(tenants[child + 1], row) < flows.key(tenants[child], row)
            {
                child += 1
            }
            guard flows.key(tenants[child], row) < key else { break }
            put(tenants[child], at: place, &flows, row)
            place = child
        }
        put(tenant, at: place, &flows, row)
    }

    private mutating func put(
        _ tenant: Int32, at place: Int, _ flows: inout FlowTable, _ row: Int
    ) {
        tenants[place] = tenant
        flows[tenant, row].place = Int32(place)
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

    /// What the heap orders by: the start tag, then the sequence.
    func key(_ tenant: Int32, _ row: Int) -> (Double, UInt64) {
        let flow = flows[Int(tenant) * columns + row]
        return (flow.start, flow.sequence)
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
