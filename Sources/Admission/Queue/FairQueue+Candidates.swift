// Which requests may be started instead of the one whose turn it is, so that one can be chosen by where its
// prompt is known: any of a tenant's, of tenants that are hardly behind.

extension FairQueue {
    /// A request that may be started, with the start tag that it would have in its turn.
    struct Candidate: Sendable {
        var tag: Double
        var slot: Int32
    }

    /// How far a tenant's start tag may lie behind the first one's, in usual requests; what a tenant may be
    /// given before its turn, another waits for it at most.
    static var slack: Double { 8 }

    /// Collects at most that many requests of a class which may start now, of each tenant the oldest.
    func collect(row: Int, most: Int, into candidates: inout [Candidate]) {
        candidates.removeAll(keepingCapacity: true)
        guard let first = classes[row].heap.nodes.first else { return }
        var count = 0
        for node in classes[row].heap.nodes where isNear(node, first) { count += 1 }
        let mostOfEach = max(1, most / count)
        for node in classes[row].heap.nodes where isNear(node, first) {
            let weight = tenants[node.tenant].settings.weight
            var slot = flows[node.tenant, row].waiting.head
            var tag = node.start
            for _ in 0..<mostOfEach where slot >= 0 && candidates.count < most {
                candidates.append(Candidate(tag: tag, slot: slot))
                tag += 1 / weight
                slot = flowLinks.next(slot)
            }
        }
    }

    private func isNear(_ node: FlowHeap.Node, _ first: FlowHeap.Node) -> Bool {
        node.start <= first.start + Self.slack / tenants[node.tenant].settings.weight
    }
}
