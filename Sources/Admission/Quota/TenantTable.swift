// The tenants of a pool: one row for those who do not say who they are, one for each tenant that
// the policy names, and a bounded number that all others are hashed into. A row keeps its index
// across reloads, because permits and waiting requests point to it.

/// What a queue keeps of one tenant, or of those that share a row.
///
/// What every request looks at stands first and together: with thousands of tenants each of them has
/// to come from far away.
struct TenantRow: Sendable {
    /// Permits granted and not yet spent.
    var running = 0
    /// Units of the limit that these take.
    var seats = 0
    /// Requests that wait.
    var queued = 0
    /// What of these is in classes that get only what nobody else wants.
    var slack = SlackCounts()
    var settings: TenantSettings
    var counts = TenantCounts()
    /// What it asked for of late, and got.
    var demand = Demand()
    /// Whether the policy in force has this row.
    var isPresent = true
    /// The name that the policy gives it; empty for the rows without one.
    var name = ""

    init(name: String = "", settings: TenantSettings) {
        self.name = name
        self.settings = settings
    }

    /// Whether it has anything running or waiting.
    var isInUse: Bool { running > 0 || queued > 0 }
    /// Whether it wants anything at the moment that others could want too.
    var isActive: Bool { running > slack.running || queued > slack.queued }
    /// Units of the limit that it takes of what others could want too.
    var sharedSeats: Int { seats - slack.seats }
    /// Whether it has as many requests waiting as it may.
    var mayNotQueue: Bool { queued >= settings.maxQueued ?? .max }
    /// Whether it has as many requests in flight as it may.
    var isAtLimit: Bool { running >= settings.maxInFlight ?? .max }
}

/// What a tenant has in classes that get only what nobody else wants.
struct SlackCounts: Sendable {
    /// Permits granted and not yet spent.
    var running = 0
    /// Units of the limit that these take.
    var seats = 0
    /// Requests that wait.
    var queued = 0
}

/// The table of tenants.
struct TenantTable: Sendable {
    private(set) var rows: [TenantRow] = []
    /// The sum of the weights of the tenants that want something.
    private(set) var activeWeight = 0.0
    private var named = TenantIndex()
    private var hashed: [Int32] = []
    /// Who has taken each of these rows, or had.
    private var owners: [UInt64] = []
    private var usesTwoChoices = true
    /// Where the search for a vacant row goes on, during a reload.
    private var vacantFrom = 1

    init(_ settings: AdmissionSettings) {
        rows = [TenantRow(settings: settings.otherTenants)]
        reconfigure(settings)
    }

    /// Borrowed, not copied: a row is long.
    subscript(_ row: Int32) -> TenantRow { _read { yield rows[Int(row)] } }

    /// The row of a tenant; a name that the policy does not have any more is nobody's.
    ///
    /// A tenant that is hashed has two rows to choose from. It takes one that nobody wants anything
    /// in, or that it took before, and keeps to it: a tenant in two rows at once would get two
    /// shares. Only when others are in both does it share the first, which is where it is counted
    /// when it has a bound of its own.
    func row(of tenant: TenantID) -> Int32 {
        switch tenant {
        case .anonymous: 0
        case .named(let key): named.row(of: key) ?? 0
        case .hashed(let hash): hashed[choice(of: hash)]
        }
    }

    /// The same, and a row that nobody wants anything in becomes the tenant's.
    mutating func claim(_ tenant: TenantID) -> Int32 {
        guard case .hashed(let hash) = tenant else { return row(of: tenant) }
        let choice = choice(of: hash)
        if !rows[Int(hashed[choice])].isInUse { owners[choice] = hash }
        return hashed[choice]
    }

    private func choice(of hash: UInt64) -> Int {
        let first = Int(hash % UInt64(hashed.count))
        guard usesTwoChoices, owners[first] != hash else { return first }
        let second = Int((hash >> 32) % UInt64(hashed.count))
        if owners[second] == hash { return second }
        let isTaken = rows[Int(hashed[first])].isInUse && !rows[Int(hashed[second])].isInUse
        return isTaken ? second : first
    }

    /// Counts a permit of `seats` units for a row.
    mutating func start(_ row: Int32, seats: Int, isSlack: Bool, now: Instant) {
        if isSlack { return changeSlack(row, running: 1, seats: seats) }
        change(row) {
            $0.running += 1
            $0.seats += seats
            $0.demand.recordGrant(now: now)
        }
    }

    /// Counts a refusal for want of room.
    mutating func refuse(_ row: Int32, now: Instant) {
        rows[Int(row)].demand.recordRefusal(now: now)
        rows[Int(row)].counts.refused &+= 1
    }

    /// Changes what is kept of a row, but for what it has running and waiting.
    mutating func update<Result>(_ row: Int32, _ body: (inout TenantRow) -> Result) -> Result {
        body(&rows[Int(row)])
    }

    /// Takes back what `start` counted.
    mutating func end(_ row: Int32, seats: Int, isSlack: Bool) {
        if isSlack { return changeSlack(row, running: -1, seats: -seats) }
        change(row) {
            $0.running -= 1
            $0.seats -= seats
        }
    }

    /// Counts waiting requests, or takes them back.
    mutating func queue(_ row: Int32, by count: Int, isSlack: Bool) {
        if isSlack { return changeQueuedSlack(row, by: count) }
        change(row) { $0.queued += count }
    }

    /// What a row has running that gets only what nobody else wants makes it no more active, nor less.
    @inline(never)
    private mutating func changeSlack(_ row: Int32, running: Int, seats: Int) {
        rows[Int(row)].running += running
        rows[Int(row)].seats += seats
        rows[Int(row)].slack.running += running
        rows[Int(row)].slack.seats += seats
    }

    @inline(never)
    private mutating func changeQueuedSlack(_ row: Int32, by count: Int) {
        rows[Int(row)].queued += count
        rows[Int(row)].slack.queued += count
    }

    private mutating func change(_ row: Int32, _ body: (inout TenantRow) -> Void) {
        let wasActive = rows[Int(row)].isActive
        body(&rows[Int(row)])
        let isActive = rows[Int(row)].isActive
        guard isActive != wasActive else { return }
        let weight = rows[Int(row)].settings.weight
        activeWeight = max(0, activeWeight + (isActive ? weight : -weight))
    }

    /// Puts new settings in force; rows that are no longer in the policy drain.
    mutating func reconfigure(_ settings: AdmissionSettings) {
        var known: [String: Int32] = [:]
        vacantFrom = 1
        for index in rows.indices.dropFirst() {
            if !rows[index].name.isEmpty { known[rows[index].name] = Int32(index) }
            rows[index].isPresent = false
        }
        rows[0].settings = settings.otherTenants
        // What stays keeps its row, so nobody new may take it.
        for tenant in settings.tenants {
            if let row = known[tenant.name] { keep(row, tenant) }
        }
        let count = max(1, settings.queue.hashedFlows)
        hashed = Array(hashed.prefix(count))
        for row in hashed { keep(row, settings.otherTenants) }
        named = TenantIndex(
            settings.tenants.map { tenant in
                let row = known[tenant.name]
                let placed = row ?? place(TenantRow(name: tenant.name, settings: tenant))
                return (TenantKey(tenant.name), placed)
            })
        while hashed.count < count {
            hashed.append(place(TenantRow(settings: settings.otherTenants)))
        }
        owners = Array(owners.prefix(hashed.count))
        while owners.count < hashed.count { owners.append(0) }
        let others = settings.otherTenants
        usesTwoChoices = others.maxInFlight == nil && others.maxQueued == nil
        activeWeight = rows.reduce(0) { $0 + ($1.isActive ? $1.settings.weight : 0) }
    }

    /// Puts other terms in force in a row that stays.
    private mutating func keep(_ row: Int32, _ settings: TenantSettings) {
        rows[Int(row)].settings = settings
        rows[Int(row)].isPresent = true
    }

    /// Puts a new row where nobody is any more.
    private mutating func place(_ row: TenantRow) -> Int32 {
        vacantFrom = rows[vacantFrom...].firstIndex { !$0.isPresent && !$0.isInUse } ?? rows.count
        if vacantFrom < rows.count { rows[vacantFrom] = row } else { rows.append(row) }
        return Int32(vacantFrom)
    }
}
