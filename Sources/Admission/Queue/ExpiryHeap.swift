// When parked requests expire. A binary heap whose entries know their place, so that a request
// which leaves early takes its expiry with it: nothing stale stays behind, the heap is never larger
// than the queue.

/// A min-heap of expiries, one per slot of the queue's table.
struct ExpiryHeap: Sendable {
    struct Node: Sendable {
        var expiresAt: Instant
        /// Orders equal instants by arrival.
        var sequence: UInt64
        var slot: Int32

        func isBefore(_ other: Node) -> Bool {
            expiresAt != other.expiresAt
                ? expiresAt < other.expiresAt : sequence < other.sequence
        }
    }

    private var nodes: [Node] = []
    /// Where each slot's node is; meaningless for slots without one.
    private var places: [Int32] = []

    /// The next to expire.
    var first: Node? { nodes.first }
    /// Expiries held.
    var count: Int { nodes.count }

    /// Adds the expiry of `node.slot`, which has none yet, in O(log n).
    mutating func insert(_ node: Node) {
        let slot = Int(node.slot)
        while places.count <= slot { places.append(-1) }
        nodes.append(node)
        places[slot] = Int32(nodes.count - 1)
        siftUp(from: nodes.count - 1)
    }

    /// Takes out the expiry of `slot`, which has one, in O(log n).
    mutating func remove(slot: Int32) {
        let place = Int(places[Int(slot)])
        let last = nodes.removeLast()
        guard place < nodes.count else { return }
        nodes[place] = last
        places[Int(last.slot)] = Int32(place)
        siftDown(from: place)
        siftUp(from: Int(places[Int(last.slot)]))
    }

    private mutating func siftUp(from start: Int) {
        let node = nodes[start]
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard node.isBefore(nodes[parent]) else { break }
            put(nodes[parent], at: place)
            place = parent
        }
        put(node, at: place)
    }

    private mutating func siftDown(from start: Int) {
        let node = nodes[start]
        var place = start
        while true {
            var child = 2 * place + 1
            guard child < nodes.count else { break }
            if child + 1 < nodes.count, nodes[child + 1].isBefore(nodes[child]) { child += 1 }
            guard nodes[child].isBefore(node) else { break }
            put(nodes[child], at: place)
            place = child
        }
        put(node, at: place)
    }

    private mutating func put(_ node: Node, at place: Int) {
        nodes[place] = node
        places[Int(node.slot)] = Int32(place)
    }
}
