// Who makes room when the queue is full, by number or by bytes.

extension FairQueue {
    /// Who makes room for a request in a queue that is full by number; nil when it is the request
    /// that has to go.
    func victim(for key: FlowKey) -> Int32? {
        if let slack = slackWaiting(below: key.rank) { return classes[slack].arrivals.tail }
        switch settings.overflow {
        case .rejectNew:
            return nil
        case .dropOldest:
            guard let rank = lowestWaiting, rank >= key.rank else { return nil }
            return classes[ranks[rank]].arrivals.head
        case .dropLowest:
            if let rank = lowestWaiting, rank > key.rank {
                return classes[ranks[rank]].arrivals.tail
            }
            return newestOfLongest(key)
        }
    }

    /// Whether a request may come that holds so many bytes, if others make room for it.
    @inline(__always) func hasRoom(forBytes wanted: Int, at key: FlowKey) -> Bool {
        let missing = wanted - (settings.maxBytes - bytes)
        if missing <= 0 { return true }
        return mayMakeRoom(forBytes: wanted, missing: missing, at: key)
    }

    private func mayMakeRoom(forBytes wanted: Int, missing: Int, at key: FlowKey) -> Bool {
        guard wanted <= settings.maxBytes else { return false }
        if slackBytes(below: key.rank) >= missing { return true }
        switch settings.overflow {
        case .rejectNew:
            return false
        case .dropOldest:
            return bytesWaiting(fromRank: key.rank) >= missing
        case .dropLowest:
            if bytesWaiting(fromRank: key.rank + 1) >= missing { return true }
            guard let heavy = heaviest(key, wanted) else { return false }
            return flows[heavy, key.row].bytes >= missing
        }
    }

    /// Has others make room for a request that may join.
    mutating func makeRoom(for ticket: Ticket, at key: FlowKey) {
        if count >= settings.maxRequests, let victim = victim(for: key) { displace(victim) }
        while ticket.bodyBytes > settings.maxBytes - bytes {
            guard let victim = victim(forBytes: ticket.bodyBytes, at: key) else { return }
            displace(victim)
        }
    }

    /// The lowest class below that rank which gets only what nobody else wants and has something waiting: whatever the
    /// policy says of others, it gives way.
    private func slackWaiting(below rank: Int, withBytes: Bool = false) -> Int? {
        guard ranks.count > 1 else { return nil }
        for lower in ranks.indices.reversed() where lower > rank && isSlack(ranks[lower]) {
            let row = ranks[lower]
            if withBytes ? classes[row].bytes > 0 : !classes[row].arrivals.isEmpty { return row }
        }
        return nil
    }

    /// Bytes that wait in such classes.
    private func slackBytes(below rank: Int) -> Int {
        var sum = 0
        for lower in ranks.indices where lower > rank && isSlack(ranks[lower]) {
            sum += classes[ranks[lower]].bytes
        }
        return sum
    }

    /// The lowest rank that has something waiting.
    private var lowestWaiting: Int? {
        ranks.indices.last { !classes[ranks[$0]].arrivals.isEmpty }
    }

    /// The newest request of the tenant that takes up most of the class's queue for its weight, if
    /// that is more than the new one's tenant would take up with it.
    ///
    /// Dropping from the longest queue is McKenney's rule ("Stochastic Fairness Queueing", 1990). A
    /// tenant that has its share of the queue waiting is refused without a search.
    private func newestOfLongest(_ key: FlowKey) -> Int32? {
        let weight = tenants[key.tenant].settings.weight
        let flow = flows[key.tenant, key.row]
        let weights = classes[key.row].weight + (flow.count == 0 ? weight : 0)
        let mine = Double(flow.count + 1) / weight
        guard mine * weights <= Double(classes[key.row].count) else { return nil }
        var longest = mine
        var victim: Int32?
        for tenant in tenants.rows.indices where flows[Int32(tenant), key.row].count > 0 {
            let other = flows[Int32(tenant), key.row]
            let length = Double(other.count) / tenants.rows[tenant].settings.weight
            guard length > longest else { continue }
            longest = length
            victim = other.waiting.tail
        }
        return victim
    }

    // MARK: Bytes

    /// Bytes that wait in classes of that rank and below.
    private func bytesWaiting(fromRank rank: Int) -> Int {
        var sum = 0
        for lower in ranks.indices where lower >= rank { sum += classes[ranks[lower]].bytes }
        return sum
    }

    /// The tenant whose requests hold most bytes for its weight in the class, if that is more than
    /// the new one's would hold with it.
    private func heaviest(_ key: FlowKey, _ wanted: Int) -> Int32? {
        let weight = tenants[key.tenant].settings.weight
        var most = Double(flows[key.tenant, key.row].bytes + wanted) / weight
        var heaviest: Int32?
        for tenant in tenants.rows.indices {
            let bytes = Double(flows[Int32(tenant), key.row].bytes)
            guard bytes / tenants.rows[tenant].settings.weight > most else { continue }
            most = bytes / tenants.rows[tenant].settings.weight
            heaviest = Int32(tenant)
        }
        return heaviest
    }

    private func victim(forBytes wanted: Int, at key: FlowKey) -> Int32? {
        if let slack = slackWaiting(below: key.rank, withBytes: true) {
            return firstWithBytes(
                from: classes[slack].arrivals.tail, arrivalLinks, forwards: false)
        }
        let isOldest = settings.overflow == .dropOldest
        let highest = isOldest ? key.rank : key.rank + 1
        for rank in ranks.indices.reversed() where rank >= highest {
            let row = ranks[rank]
            guard classes[row].bytes > 0 else { continue }
            let list = classes[row].arrivals
            return firstWithBytes(
                from: isOldest ? list.head : list.tail, arrivalLinks, forwards: isOldest)
        }
        guard settings.overflow == .dropLowest, let heavy = heaviest(key, wanted) else {
            return nil
        }
        return firstWithBytes(
            from: flows[heavy, key.row].waiting.tail, flowLinks, forwards: false)
    }

    /// The first slot from that one on, either way, that holds bytes.
    private func firstWithBytes(
        from start: Int32, _ links: SlotLinks, forwards: Bool
    ) -> Int32? {
        var slot = start
        while slot >= 0, slots[Int(slot)].bodyBytes == 0 {
            slot = forwards ? links.next(slot) : links.previous(slot)
        }
        return slot >= 0 ? slot : nil
    }
}
