// The rates of one pool: its own, and those of its tenants in it. A body has to have bytes of both, its tenant's first:
// who waits for that takes nothing of the pool's.
//
// A tenant's rate is there while bodies of it are under way and until what they have used has come in again, so that
// nothing is gained by coming anew. Beyond `mostRows` of them tenants share one: nobody can fill memory with names.

/// The rates of a pool and its tenants.
package struct ByteRates: Sendable {
    /// What they are.
    package struct Settings: Equatable, Sendable {
        /// All bodies' together.
        package var pool = ByteRateSettings()
        /// Those of each tenant that is not named.
        package var others = ByteRateSettings()
        /// Those of tenants that are.
        package var named: [TenantKey: ByteRateSettings] = [:]

        /// No rates.
        package init() {}

        /// Whether nobody has any.
        package var isEmpty: Bool {
            pool.isEmpty && others.isEmpty && named.values.allSatisfy(\.isEmpty)
        }

        fileprivate func perSecond(_ tenant: TenantID, _ direction: ByteDirection) -> Int? {
            if case .named(let key) = tenant, let own = named[key] { return own[direction] }
            return others[direction]
        }
    }

    /// Whose rate a row is.
    struct TenantRow: Hashable, Sendable {
        var tenant: TenantID
        var direction: ByteDirection
    }

    private var settings: Settings
    private var pool: [ByteRate?]
    private var tenants: [TenantRow: ByteRate] = [:]
    private var sweepsAbove = ByteRates.leastSwept
    private var nextSweepAt = Instant(nanoseconds: .min / 2)

    private static let leastSwept = 64
    private static let sweepNanoseconds: Int64 = 100_000_000
    /// Rates of tenants at once.
    static let mostRows = 16_384
    /// Whose the others' are.
    private static let crowd = TenantID.hashed(0x6372_6f77_64)

    /// Rates of which nothing has been used.
    package init(_ settings: Settings = Settings()) {
        self.settings = settings
        pool = ByteDirection.allCases.map { settings.pool[$0].map { ByteRate(perSecond: $0) } }
    }

    /// Puts others in force; bodies that had no rate when they began have none to their end.
    package mutating func reconfigure(_ settings: Settings) {
        self.settings = settings
        for direction in ByteDirection.allCases {
            let index = Int(direction.rawValue)
            let perSecond = settings.pool[direction]
            if pool[index] == nil {
                pool[index] = perSecond.map { ByteRate(perSecond: $0) }
            } else {
                pool[index]?.reconfigure(perSecond: perSecond)
            }
        }
        for row in tenants.keys {
            tenants[row]?.reconfigure(
                perSecond: settings.perSecond(row.tenant, row.direction))
        }
    }

    /// Rates of tenants that are kept.
    var rowCount: Int { tenants.count }

    // MARK: Bodies

    /// A body that is to pass for `tenant`; nil where it may as fast as it can.
    package mutating func open(
        _ direction: ByteDirection, of tenant: TenantID, now: Instant
    ) -> ByteLease? {
        let perSecond = settings.perSecond(tenant, direction)
        let ofPool = settings.pool[direction] != nil
        guard ofPool || perSecond != nil else { return nil }
        var lease = ByteLease(
            direction: direction, tenant: row(tenant, direction, perSecond, now))
        if ofPool, let place = pool[Int(direction.rawValue)]?.open() {
            lease.ofPool = ByteLease.Share(place: place)
        }
        if perSecond != nil, let place = tenants[lease.tenant]?.open() {
            lease.ofTenant = ByteLease.Share(place: place)
        }
        return lease
    }

    private mutating func row(
        _ tenant: TenantID, _ direction: ByteDirection, _ perSecond: Int?, _ now: Instant
    ) -> TenantRow {
        var row = TenantRow(tenant: tenant, direction: direction)
        guard let perSecond, tenants[row] == nil else { return row }
        if tenants.count >= sweepsAbove, now >= nextSweepAt { sweep(now) }
        // Those that the policy names are few, and have their own.
        if case .named(let key) = tenant, settings.named[key] != nil {
            tenants[row] = ByteRate(perSecond: perSecond)
            return row
        }
        if tenants.count >= ByteRates.mostRows { row.tenant = ByteRates.crowd }
        if tenants[row] == nil {
            tenants[row] = ByteRate(perSecond: settings.others[direction] ?? perSecond)
        }
        return row
    }

    private mutating func sweep(_ now: Instant) {
        for row in Array(tenants.keys) where tenants[row]?.isUnused(now: now) == true {
            tenants[row] = nil
        }
        sweepsAbove = min(ByteRates.mostRows, max(ByteRates.leastSwept, 2 * tenants.count))
        // It may have been in vain.
        nextSweepAt = now.advanced(byNanoseconds: ByteRates.sweepNanoseconds)
    }

    /// Fetches bytes until `lease` has `least`, from 1; nil where it has them, else when to ask again.
    package mutating func fetch(
        _ least: Int, for lease: inout ByteLease, now: Instant
    ) -> Instant? {
        while let share = lease.ofTenant, share.bytes < least {
            guard let answer = tenants[lease.tenant]?.take(share.place, now: now) else { break }
            guard case .bytes(let count) = answer else { return until(answer) }
            lease.ofTenant?.bytes += count
        }
        while let share = lease.ofPool, share.bytes < least {
            let index = Int(lease.direction.rawValue)
            guard let answer = pool[index]?.take(share.place, now: now) else { break }
            guard case .bytes(let count) = answer else { return until(answer) }
            lease.ofPool?.bytes += count
        }
        return nil
    }

    private func until(_ answer: ByteRate.Answer) -> Instant? {
        if case .wait(let until) = answer { until } else { nil }
    }

    /// The body has ended; what was fetched and not used goes back.
    package mutating func close(_ lease: ByteLease) {
        if let share = lease.ofTenant {
            tenants[lease.tenant]?.close(share.place, unusedBytes: share.bytes)
        }
        if let share = lease.ofPool {
            pool[Int(lease.direction.rawValue)]?.close(share.place, unusedBytes: share.bytes)
        }
    }
}
