// Other quotas are put in force. What has been used stays used, whosever row it is counted in now: a tenant
// that a reload names, or names no more, does not have its bucket full again.

extension QuotaTable {
    /// Puts other quotas in force; what has been used of those that stay is used of the new ones too.
    ///
    /// What was charged before, and is settled later, is settled where it was charged.
    package mutating func reconfigure(_ settings: QuotaSettings, hash: (String) -> UInt64) {
        for index in rows.indices { rows[index].advance(to: clock) }
        let former = Former(
            named: rows.filter { $0.isPresent && !$0.name.isEmpty },
            hashed: hashed.map { rows[Int($0)] })
        let tenants = settings.tenants.filter(\.hasQuota)
        var known: [String: Int32] = [:]
        for index in rows.indices.dropFirst() {
            if !rows[index].name.isEmpty { known[rows[index].name] = Int32(index) }
            rows[index].isPresent = false
        }
        rows[0].reconfigure(settings.others)
        hasDefault = settings.others.hasQuota
        // What stays keeps its row, so nobody new may take it.
        for tenant in tenants {
            if let row = known[tenant.name] { rows[Int(row)].reconfigure(tenant) }
        }
        let count = hasDefault ? max(1, settings.hashedRows) : 0
        hashed = Array(hashed.prefix(count))
        for row in hashed { rows[Int(row)].reconfigure(settings.others) }
        var vacantFrom = 1
        let placed = tenants.map { tenant in
            (tenant.name, known[tenant.name] ?? place(tenant, &vacantFrom))
        }
        named = TenantIndex(placed.map { (TenantKey($0.0), $0.1) })
        namedByHash = TenantIndex(placed.map { (TenantKey(rawValue: hash($0.0)), $0.1) })
        while hashed.count < count { hashed.append(place(settings.others, &vacantFrom)) }
        isEmpty = !hasDefault && tenants.isEmpty
        spreadHashed(former)
        moveNamed(former, placed, hash)
    }

    /// What rows held before a reload.
    private struct Former {
        /// Of tenants that the policy named.
        let named: [Row]
        /// Of those that it did not name.
        let hashed: [Row]
    }

    /// Puts a new row where nobody is any more.
    private mutating func place(_ settings: TenantSettings, _ vacantFrom: inout Int) -> Int32 {
        vacantFrom = rows[vacantFrom...].firstIndex { !$0.isPresent && $0.held == 0 } ?? rows.count
        if vacantFrom < rows.count {
            rows[vacantFrom] = Row(settings)
        } else {
            rows.append(Row(settings))
        }
        return Int32(vacantFrom)
    }

    /// Has tenants that are named from now on, or no longer, take along what they have used.
    private mutating func moveNamed(
        _ former: Former, _ placed: [(name: String, row: Int32)], _ hash: (String) -> UInt64
    ) {
        let before = Set(former.named.map(\.name))
        let after = Set(placed.map(\.name))
        if !former.hashed.isEmpty {
            for (name, row) in placed where !before.contains(name) {
                let index = Int(hash(name) % UInt64(former.hashed.count))
                rows[Int(row)].takeOver(former.hashed[index])
            }
        }
        guard !hashed.isEmpty else { return }
        for row in former.named where !after.contains(row.name) {
            let index = Int(hash(row.name) % UInt64(hashed.count))
            rows[Int(hashed[index])].takeOver(row)
        }
    }

    /// Has tenants without a name that are in another row, because there are more or fewer, take along what
    /// was used in the former one.
    ///
    /// Whose row was which is not known. The remainders of a hash by both counts agree by their greatest
    /// common divisor, so each row takes over from all whose tenants may come to it.
    private mutating func spreadHashed(_ former: Former) {
        guard !former.hashed.isEmpty, !hashed.isEmpty, former.hashed.count != hashed.count else {
            return
        }
        var (divisor, rest) = (former.hashed.count, hashed.count)
        while rest != 0 { (divisor, rest) = (rest, divisor % rest) }
        var used = Array(former.hashed.prefix(divisor))
        for index in former.hashed.indices.dropFirst(divisor) {
            used[index % divisor].takeOver(former.hashed[index])
        }
        for index in hashed.indices { rows[Int(hashed[index])].takeOver(used[index % divisor]) }
    }
}
