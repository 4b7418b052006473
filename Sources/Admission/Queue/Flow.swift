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
    /// Index in the class's heap; -1 while nothing waits or its tenant may start nothing.
    var heapIndex: Int32 = -1
    /// Whether what waits is more than a burst.
    var standing = StandingQueue()
    /// When a request was last let wait although its client would hardly bear that.
    var triedAt = Instant(nanoseconds: .min / 2)
    /// Whether more come than there is room for.
    var surplus = Surplus()
    /// What its clients bear, and since anything is known of that, the seconds that one in ten of its responses in
    /// one piece exceeds.
    var patience = Patience()
    var lateWhole = RunningQuantile()
    /// For how long its requests hold their places.
    var usualTime = UsualTime()
}

/// The tenants of a class that may be served, by start tag: a binary heap whose flows know their
/// indices.
///
/// Each node has a copy of what it is ordered by, so that finding the way down reads two nodes side
/// by side at each level, and not the flows of two tenants anywhere in memory.
struct FlowHeap: Sendable {
    struct Node: Sendable {
        /// The flow's start tag, and what orders those of equal tags.
        var start: Double
        var sequence: UInt64
        var tenant: Int32

        static func < (one: Node, other: Node) -> Bool {
            one.start == other.start ? one.sequence < other.sequence : one.start < other.start
        }
    }

    private(set) var nodes: [Node] = []

    /// The tenant whose flow is served next.
    var first: Int32? { nodes.first?.tenant }

    /// Adds a tenant's flow, which is not in the heap.
    mutating func insert(_ tenant: Int32, _ flows: inout FlowTable, _ row: Int) {
        let node = node(of: tenant, flows, row)
        nodes.append(node)
        siftUp(node, from: nodes.count - 1, &flows, row)
    }

    /// Takes a tenant's flow out, which is in the heap.
    mutating func remove(_ tenant: Int32, _ flows: inout FlowTable, _ row: Int) {
        let index = Int(flows[tenant, row].heapIndex)
        flows[tenant, row].heapIndex = -1
        let last = nodes.removeLast()
        guard index < nodes.count else { return }
        sift(last, from: index, &flows, row)
    }

    /// Moves a flow to its index after its start tag has changed.
    mutating func restore(_ tenant: Int32, _ flows: inout FlowTable, _ row: Int) {
        sift(node(of: tenant, flows, row), from: Int(flows[tenant, row].heapIndex), &flows, row)
    }

    /// Forgets everything; the flows' indices are for the caller to reset.
    mutating func removeAll() { nodes.removeAll(keepingCapacity: true) }

    private func node(of tenant: Int32, _ flows: FlowTable, _ row: Int) -> Node {
        Node(
            start: flows[tenant, row].start, sequence: flows[tenant, row].sequence, tenant: tenant)
    }

    private mutating func sift(
        _ node: Node, from start: Int, _ flows: inout FlowTable, _ row: Int
    ) {
        if start > 0, node < nodes[(start - 1) / 2] {
            siftUp(node, from: start, &flows, row)
        } else {
            siftDown(node, from: start, &flows, row)
        }
    }

    private mutating func siftUp(
        _ node: Node, from start: Int, _ flows: inout FlowTable, _ row: Int
    ) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard node < nodes[parent] else { break }
            put(nodes[parent], at: index, &flows, row)
            index = parent
        }
        put(node, at: index, &flows, row)
    }

    private mutating func siftDown(
        _ node: Node, from start: Int, _ flows: inout FlowTable, _ row: Int
    ) {
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < nodes.count else { break }
            if child + 1 < nodes.count, nodes[child + 1] < nodes[child] { child += 1 }
            guard nodes[child] < node else { break }
            put(nodes[child], at: index, &flows, row)
            index = child
        }
        put(node, at: index, &flows, row)
    }

    private mutating func put(
        _ node: Node, at index: Int, _ flows: inout FlowTable, _ row: Int
    ) {
        nodes[index] = node
        flows[node.tenant, row].heapIndex = Int32(index)
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
