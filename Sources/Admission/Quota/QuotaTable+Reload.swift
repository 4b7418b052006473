// Other quotas are put in force. What a tenant has used stays used, as a share: whoever had used half of a
// minute's worth has half of it left, however much that is now, and owes no more than one minute's worth. It
// is its own use that it takes along:
//
// - Who is named no longer keeps its row, on the terms of those without a name, until it owes nothing.
// - Who is named from now on has used what the row had that it shared before.
// - Where tenants without a name are hashed into another number of rows, each is still held to what is left
//   in the row that it had.
// - What is under way is in none of these shares. It is charged at its end, where its tenant is then.

extension QuotaTable {
    /// Puts other quotas in force; the share that was used of those before is used of the new ones too.
    package mutating func reconfigure(_ settings: QuotaSettings, hash: (String) -> UInt64) {
        generation &+= 1
        for index in rows.indices { rows[index].advance(to: clock) }
        let tenants = settings.tenants.filter(\.hasQuota)
        var before = (hashed: hashed.map { rows[Int($0)].settled }, names: nameHashes)
        var known: [String: Int32] = [:]
        for index in rows.indices.dropFirst() {
            let name = rows[index].name
            if !name.isEmpty { known[name] = Int32(index) }
            if !name.isEmpty, rows[index].isPresent { before.names.insert(hash(name)) }
            rows[index].isPresent = false
        }
        rows[0].reconfigure(settings.others, generation)
        hasDefault = settings.others.hasQuota
        // What stays keeps its row, so nobody new may take it.
        for tenant in tenants {
            if let row = known[tenant.name] { rows[Int(row)].reconfigure(tenant, generation) }
        }
        nameHashes = Set(settings.tenants.map { hash($0.name) })
        let leaving = leave(known, settings, hash)
        var vacantFrom = 1
        rehash(to: hasDefault ? max(1, settings.hashedRows) : 0, settings.others, &vacantFrom)
        let placed = tenants.map { tenant in
            (tenant.name, known[tenant.name] ?? place(tenant, &vacantFrom))
        }
        named = TenantIndex(placed.map { (TenantKey($0.0), $0.1) })
        namedByHash = TenantIndex(
            (placed + leaving).map { (TenantKey(rawValue: hash($0.0)), $0.1) })
        isEmpty = !hasDefault && tenants.isEmpty
        if !before.hashed.isEmpty {
            for (name, row) in placed where !before.names.contains(hash(name)) {
                enter(row, hash(name), before.hashed)
            }
        }
    }

    /// Tenants that are named no longer and keep a row: no more than so many.
    private static let mostLeaving = 4_096

    /// Has tenants that are named no longer keep their rows as long as they owe something.
    private mutating func leave(
        _ known: [String: Int32], _ settings: QuotaSettings, _ hash: (String) -> UInt64
    ) -> [(String, Int32)] {
        guard hasDefault else { return [] }
        var leaving: [(String, Int32)] = []
        for (name, row) in known.sorted(by: { $0.value < $1.value })
        where !rows[Int(row)].isPresent && !rows[Int(row)].isForgotten {
            if nameHashes.contains(hash(name)) || leaving.count == Self.mostLeaving { continue }
            rows[Int(row)].reconfigure(settings.others, generation)
            rows[Int(row)].isLeaving = true
            leaving.append((name, row))
        }
        return leaving
    }

    /// Has tenants without a name in `count` rows.
    private mutating func rehash(to count: Int, _ settings: TenantSettings, _ vacantFrom: inout Int)
    {
        if count == hashed.count {
            for row in hashed { rows[Int(row)].reconfigure(settings, generation) }
            return
        }
        let former = FormerRows(rows: hashed.map { rows[Int($0)].settled }, now: clock)
        formerRows.removeAll { $0.end <= clock }
        if formerRows.count == FormerRows.most { formerRows.removeFirst() }
        if count == 0 { formerRows = [] } else if former.end > clock { formerRows.append(former) }
        hashed = []
        while hashed.count < count { hashed.append(place(settings, &vacantFrom)) }
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

    /// Has a tenant that is named from now on take along what was used of the rows that it had.
    private mutating func enter(_ row: Int32, _ hash: UInt64, _ before: [Row]) {
        rows[Int(row)].advance(to: clock)
        rows[Int(row)].takeOver(before[Int(hash % UInt64(before.count))])
        for former in formerRows { rows[Int(row)].takeOver(former.row(of: hash, now: clock)) }
    }

    // MARK: Afterwards

    /// Holds a tenant without a name to what is left in the rows that it had.
    mutating func takeFormer(_ row: Int32, of tenant: TenantID) {
        formerRows.removeAll { $0.end <= clock }
        guard case .hashed(let hash) = tenant, rows[Int(row)].name.isEmpty else { return }
        for former in formerRows { rows[Int(row)].takeOver(former.row(of: hash, now: clock)) }
    }

    /// Settles what was charged under an earlier policy where its tenant is now.
    mutating func settleMoved(_ reservation: Reservation, _ charge: Charge) {
        let row = presentRow(of: reservation)
        if row == reservation.row, rows[Int(reservation.row)].counts(reservation) {
            return rows[Int(reservation.row)].settle(reservation, charge)
        }
        rows[Int(reservation.row)].giveBack(reservation)
        guard let row else { return }
        rows[Int(row)].advance(to: clock)
        takeFormer(row, of: reservation.tenant)
        rows[Int(row)].charge(reservation, charge)
    }

    /// The row that the tenant of a request has now; nil where it has no quota any more.
    private func presentRow(of reservation: Reservation) -> Int32? {
        switch reservation.tenant {
        // Who is named no longer keeps its row.
        case .named(let key): return named.row(of: key) ?? reservation.row
        case .hashed(let hash):
            if let row = namedByHash.row(of: TenantKey(rawValue: hash)) { return row }
            guard !hashed.isEmpty, !nameHashes.contains(hash) else { return nil }
            return hashed[Int(hash % UInt64(hashed.count))]
        case .anonymous: return reservation.row
        }
    }
}

/// What rows of tenants without a name held when their number changed.
struct FormerRows: Sendable {
    private let rows: [QuotaTable.Row]
    /// When nothing is used of them any more.
    let end: Instant
    /// Changes that are kept in mind at once.
    static let most = 4

    /// Rows that were filled up to `now`, without what was under way.
    init(rows: [QuotaTable.Row], now: Instant) {
        self.rows = rows
        let seconds = rows.reduce(0) { max($0, $1.secondsUntilFull) }
        end = now.advanced(byNanoseconds: Int64((seconds * 1e9).rounded(.up)))
    }

    /// The row that a tenant had, filled up to `now`.
    func row(of hash: UInt64, now: Instant) -> QuotaTable.Row {
        var row = rows[Int(hash % UInt64(rows.count))]
        row.advance(to: now)
        return row
    }
}
