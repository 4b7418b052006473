// Where a request belongs, and how long it would wait there.

/// What a tenant may have in flight while others want something too.
package struct TenantShare: Equatable, Sendable {
    /// Requests that it may have in flight at once, at least 1.
    package var limit: Int
    /// How many of them it may start now, from 0.
    package var remaining: Int

    /// A share of `limit` requests, `remaining` of them free.
    package init(limit: Int, remaining: Int) {
        self.limit = limit
        self.remaining = remaining
    }
}

extension FairQueue {
    /// Where a request belongs: in the class that it claims, as far as its tenant may.
    mutating func flowKey(of ticket: Ticket) -> FlowKey {
        let tenant = tenants.claim(ticket.tenant)
        let highest = tenants[tenant].settings.highestClass
        let rank = min(max(ticket.priorityClass, highest, 0), rankCount - 1)
        return FlowKey(tenant: tenant, row: ranks[rank], rank: rank)
    }

    /// Where a permit's or a waiting request's rows are now.
    func flowKey(tenant: Int32, row: Int) -> FlowKey {
        FlowKey(tenant: tenant, row: row, rank: classes[row].rank)
    }

    /// Expected cost that is served before a request of that cost would be, itself included.
    ///
    /// Higher classes come first.
    @inline(__always) func costUntilServed(_ key: FlowKey, cost: Double) -> Double {
        var ahead = costAhead
        for rank in 0..<key.rank { ahead += classes[ranks[rank]].cost }
        return ahead + costInClass(key, cost: cost)
    }

    /// Expected cost of its own class that is served before a request of that cost would be, itself
    /// included.
    ///
    /// It is served no later than everything that waits there, and no later than its own flow gets
    /// to it at its share of the class.
    @inline(__always) func costInClass(_ key: FlowKey, cost: Double) -> Double {
        let own = (flows[key.tenant, key.row].cost + cost) / shareOfClass(key)
        return min(classes[key.row].cost + cost, own)
    }

    /// What part of its class a flow is served that has something waiting, by its weight among the others that
    /// have.
    @inline(__always) func shareOfClass(_ key: FlowKey) -> Double {
        let weight = tenants[key.tenant].settings.weight
        let isCounted = flows[key.tenant, key.row].count > 0
        return weight / (classes[key.row].weight + (isCounted ? 0 : weight))
    }

    /// What classes above that rank are granted, in units of cost a second.
    mutating func rateAbove(_ rank: Int, now: Instant) -> Double {
        var rate = 0.0
        for higher in 0..<rank { rate += classes[ranks[higher]].grants.perSecond(now: now) }
        return rate
    }

    // MARK: Shares

    /// What a tenant may have in flight of a sum of limits, by its weight among those that want
    /// something.
    @inline(__always) func share(_ tenant: Int32, limit: Int) -> TenantShare {
        let weight = tenants[tenant].settings.weight
        let others = tenants.activeWeight - (tenants[tenant].isActive ? weight : 0)
        let fair = Double(limit) * weight / (weight + others)
        let most = max(1, min(Int(fair), tenants[tenant].settings.maxInFlight ?? .max))
        return TenantShare(limit: most, remaining: max(0, most - tenants[tenant].sharedSeats))
    }

    /// Whether a tenant has more in flight than its share while others want something.
    @inline(__always) func isOverShare(_ tenant: Int32, limit: Int) -> Bool {
        let weight = tenants[tenant].settings.weight
        let isAlone = tenants.activeWeight <= weight * (1 + 1e-9)
        return !isAlone && tenants[tenant].sharedSeats > share(tenant, limit: limit).limit
    }

    // MARK: Reloads

    /// Puts new settings in force; what waits keeps its tenant and class by their names.
    mutating func reconfigure(_ settings: AdmissionSettings) {
        self.settings = settings.queue
        tenants.reconfigure(settings)
        reconfigureClasses(settings.classes)
        flows.grow(tenants: tenants.rows.count, classes: classes.count)
        for row in classes.indices {
            classes[row].heap.removeAll()
            classes[row].weight = 0
            for tenant in tenants.rows.indices {
                flows[Int32(tenant), row].heapIndex = -1
                if flows[Int32(tenant), row].count > 0 {
                    classes[row].weight += tenants.rows[tenant].settings.weight
                    activate(Int32(tenant), row)
                } else if !tenants.rows[tenant].isInUse {
                    // The row may have been another tenant's.
                    flows[Int32(tenant), row].finish = 0
                }
            }
        }
    }

    mutating func reconfigureClasses(_ settings: [PriorityClassSettings]) {
        precondition(!settings.isEmpty, "a pool has at least one priority class")
        for row in classes.indices { classes[row].isPresent = false }
        ranks.removeAll(keepingCapacity: true)
        for settings in settings { ranks.append(placeClass(settings)) }
        rankCount = ranks.count
        for row in classes.indices where !classes[row].isPresent {
            if classes[row].count > 0 || classes[row].running > 0 { ranks.append(row) }
        }
        for (rank, row) in ranks.enumerated() { classes[row].rank = rank }
        hasSlack = ranks.contains { classes[$0].settings.isSlack }
    }

    /// The row of a class: the one of that name, or one that nobody uses any more, or a new one.
    private mutating func placeClass(_ settings: PriorityClassSettings) -> Int {
        let row =
            classes.firstIndex { !$0.isPresent && $0.settings.name == settings.name }
            ?? classes.firstIndex { !$0.isPresent && $0.count == 0 && $0.running == 0 }
            ?? classes.count
        if row == classes.count {
            classes.append(PriorityClass(settings))
        } else {
            classes[row].settings = settings
            classes[row].isPresent = true
        }
        return row
    }
}
