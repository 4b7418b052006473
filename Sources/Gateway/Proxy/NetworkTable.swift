// Whose a request is by its client's address. Networks may lie in each other; the table has them cut
// into ranges that do not, so that a search finds the smallest one.

internal import Policy

/// Tenants by client network.
struct NetworkTable {
    /// Where ranges begin, in order; each ends where the next one begins.
    private var starts: [UInt128] = []
    /// The tenant of each range, an index into the policy's tenants; -1 for none.
    private var tenants: [Int32] = []

    /// The table of `networks`.
    init(_ networks: [TenantNetwork]) {
        // A network comes after those that it lies in.
        let ordered = networks.sorted { left, right in
            left.network.lowest != right.network.lowest
                ? left.network.lowest < right.network.lowest
                : left.network.prefixLength < right.network.prefixLength
        }
        var open: [TenantNetwork] = []
        for network in ordered {
            close(&open, before: network.network.lowest)
            append(network.network.lowest, Int32(network.tenant))
            open.append(network)
        }
        close(&open, before: nil)
    }

    /// Ends the networks in `open` that end before `address`, all for nil; what they lie in goes on.
    private mutating func close(_ open: inout [TenantNetwork], before address: UInt128?) {
        while let last = open.last, address.map({ last.network.highest < $0 }) ?? true {
            open.removeLast()
            guard last.network.highest < .max else { continue }
            append(last.network.highest + 1, open.last.map { Int32($0.tenant) } ?? -1)
        }
    }

    private mutating func append(_ start: UInt128, _ tenant: Int32) {
        if starts.last == start {
            tenants[tenants.count - 1] = tenant
        } else {
            starts.append(start)
            tenants.append(tenant)
        }
    }

    var isEmpty: Bool { starts.isEmpty }

    /// The index of the tenant whose smallest network has `address`; nil for nobody's.
    func tenant(of address: UInt128) -> Int? {
        var low = 0
        var high = starts.count
        while low < high {
            let middle = (low &+ high) / 2
            if starts[middle] <= address { low = middle &+ 1 } else { high = middle }
        }
        guard low > 0, tenants[low &- 1] >= 0 else { return nil }
        return Int(tenants[low &- 1])
    }
}
