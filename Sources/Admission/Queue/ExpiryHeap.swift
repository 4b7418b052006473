// When parked requests expire. A binary heap whose entries know their index, so that a request
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
    private var indices: [Int32] = []

    /// The next to expire.
    var first: Node? { nodes.first }
    /// Expiries held.
    var count: Int { nodes.count }

    /// Adds the expiry of `node.slot`, which has none yet, in O(log n).
    mutating func insert(_ node: Node) {
        let slot = Int(node.slot)
        while indices.count <= slot { indices.append(-1) }
        nodes.append(node)
        indices[slot] = Int32(nodes.count - 1)
        siftUp(from: nodes.count - 1)
    }

    /// Takes out the expiry of `slot`, which has one, in O(log n).
    mutating func remove(slot: Int32) {
        let index = Int(indices[Int(slot)])
        let last = nodes.removeLast()
        guard index < nodes.count else { return }
        nodes[index] = last
        indices[Int(last.slot)] = Int32(index)
        siftDown(from: index)
        siftUp(from: Int(indices[Int(last.slot)]))
    }

    private mutating func siftUp(from start: Int) {
        let node = nodes[start]
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard node.isBefore(nodes[parent]) else { break }
            put(nodes[parent], at: index)
            index = parent
        }
        put(node, at: index)
    }

    private mutating func siftDown(from start: Int) {
        let node = nodes[start]
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < nodes.count else { break }
            if child + 1 < nodes.count, nodes[child + 1].isBefore(nodes[child]) { child += 1 }
            guard nodes[child].isBefore(node) else { break }
            put(nodes[child], at: index)
            index = child
        }
        put(node, at: index)
    }

    private mutating func put(_ node: Node, at index: Int) {
        nodes[index] = node
        indices[Int(node.slot)] = Int32(index)
    }
}
