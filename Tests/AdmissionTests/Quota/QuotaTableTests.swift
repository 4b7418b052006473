// The one table of quotas: several pools charge it, a reload keeps it, and its rows are bounded.

import Testing

@testable import Admission

@Suite struct QuotaTableTests {
    /// As pools hash names that they do not know.
    private func hash(_ name: String) -> UInt64 {
        name.utf8.reduce(7) { $0 &* 131 &+ UInt64($1) }
    }

    private func settings(
        _ quotas: [String: Int], others: Int? = nil, hashedRows: Int = 8
    ) -> QuotaSettings {
        var settings = QuotaSettings()
        settings.tenants = quotas.sorted { $0.key < $1.key }.map { name, requests in
            var tenant = TenantSettings(name: name)
            tenant.requestsPerMinute = requests
            return tenant
        }
        settings.others.requestsPerMinute = others
        settings.hashedRows = hashedRows
        return settings
    }

    private func payer(
        _ tenant: TenantID, sharesDefault: Bool = false, isEnforced: Bool = true
    ) -> Payer {
        var settings = AdmissionSettings()
        if sharesDefault { settings.otherTenants.requestsPerMinute = 1 }
        settings.mode = isEnforced ? .enforce : .observe
        return Payer(tenant, in: settings)
    }

    private func left(_ table: QuotaTable, _ payer: Payer) -> Int? {
        var table = table
        return table.rates(of: nil, or: payer, now: at(0))?.requests?.remaining
    }

    @Test func aTenantIsTheSameToAPoolThatDoesNotNameIt() {
        var table = QuotaTable(settings(["acme": 2]), hash: hash)
        let known = payer(.named("acme"))
        let unknown = payer(.hashed(hash("acme")))
        #expect(table.charge(nil, or: known, tokens: 0, now: at(0)).reservation.isHeld)
        #expect(table.charge(nil, or: unknown, tokens: 0, now: at(0)).reservation.isHeld)
        for last in [known, unknown] {
            let decision = table.charge(nil, or: last, tokens: 0, now: at(0))
            #expect(decision.shortfall?.reason == .tenantRequestRate)
        }
        // Others have no quota, here or there.
        let other = payer(.hashed(hash("globex")))
        #expect(table.charge(nil, or: other, tokens: 0, now: at(0)) == .free)
        #expect(table.charge(nil, or: payer(.anonymous), tokens: 0, now: at(0)) == .free)
    }

    @Test func whoPaysFirstGoesOnPaying() {
        var table = QuotaTable(settings(["acme": 1, "other": 5]), hash: hash)
        let first = payer(.named("acme"))
        let nobody = payer(.anonymous)
        #expect(table.charge(first, or: nobody, tokens: 0, now: at(0)).reservation.isHeld)
        let decision = table.charge(first, or: payer(.named("other")), tokens: 0, now: at(0))
        #expect(decision.shortfall?.isBinding == true)
        #expect(left(table, payer(.named("other"))) == 5)
        // Who counts only, binds nobody.
        let counted = payer(.named("acme"), isEnforced: false)
        #expect(
            table.charge(counted, or: nobody, tokens: 0, now: at(0)).shortfall?.isBinding == false)
        // Who has no quota leaves it to the next.
        let free = payer(.named("free"))
        #expect(
            table.charge(free, or: payer(.named("other")), tokens: 0, now: at(0)).reservation
                .isHeld)
        #expect(left(table, payer(.named("other"))) == 4)
    }

    @Test func tenantsWithoutANameShareWhatPoolsGiveThem() {
        var table = QuotaTable(settings([:], others: 1), hash: hash)
        let anonymous = payer(.anonymous, sharesDefault: true)
        #expect(table.charge(nil, or: anonymous, tokens: 0, now: at(0)).reservation.isHeld)
        #expect(table.charge(nil, or: anonymous, tokens: 0, now: at(0)).shortfall != nil)
        // A pool that gives them none charges none.
        #expect(table.charge(nil, or: payer(.anonymous), tokens: 0, now: at(0)) == .free)
        #expect(table.charge(nil, or: payer(.hashed(3)), tokens: 0, now: at(0)) == .free)
        let named = payer(.named("x"), sharesDefault: true)
        #expect(table.charge(nil, or: named, tokens: 0, now: at(0)) == .free)
    }

    @Test func aReloadKeepsBalancesAndOwners() {
        var table = QuotaTable(settings(["a": 10, "b": 10], others: 10), hash: hash)
        let tenants = [
            payer(.named("a")), payer(.named("b")), payer(.hashed(5), sharesDefault: true),
        ]
        var held: [Reservation] = []
        for (index, tenant) in tenants.enumerated() {
            for _ in 0...index {
                held.append(table.charge(nil, or: tenant, tokens: 0, now: at(0)).reservation)
            }
        }
        // One goes, and another comes while requests of the first are under way.
        table.reconfigure(settings(["b": 20, "c": 5], others: 10), hash: hash)
        #expect(left(table, tenants[0]) == nil)
        #expect(left(table, tenants[1]) == 18)
        #expect(left(table, payer(.named("c"))) == 5)
        #expect(left(table, tenants[2]) == 7)
        for reservation in held { table.settle(reservation, .nothing, now: at(0)) }
        #expect(left(table, tenants[1]) == 20)
        #expect(left(table, payer(.named("c"))) == 5)
        #expect(left(table, tenants[2]) == 10)
        table.reconfigure(settings([:]), hash: hash)
        #expect(table.isEmpty)
        #expect(table.charge(nil, or: tenants[1], tokens: 0, now: at(0)) == .free)
    }

    /// Naming a tenant, or naming it no more, fills no bucket.
    @Test(arguments: [true, false]) func whoIsNamedByAReloadTakesAlongWhatItHasUsed(isNamed: Bool) {
        let with = settings(["a": 20], others: 10)
        let without = settings([:], others: 10)
        var table = QuotaTable(isNamed ? without : with, hash: hash)
        func tenant(_ isNamed: Bool) -> Payer {
            payer(isNamed ? .named("a") : .hashed(hash("a")), sharesDefault: true)
        }
        for _ in 0..<4 {
            let reservation = table.charge(nil, or: tenant(!isNamed), tokens: 0, now: at(0))
                .reservation
            table.settle(reservation, .reserved, now: at(0))
        }
        table.reconfigure(isNamed ? with : without, hash: hash)
        #expect(left(table, tenant(isNamed)) == (isNamed ? 12 : 8))
        // Others have what they had.
        let other = payer(.hashed(hash("a") + 1), sharesDefault: true)
        #expect(left(table, other) == 10)
        // There and back again, nothing is charged twice.
        table.reconfigure(isNamed ? without : with, hash: hash)
        #expect(left(table, tenant(!isNamed)) == (isNamed ? 6 : 16))
        // What was used is forgotten with time, and not with a reload.
        table.reconfigure(isNamed ? with : without, hash: hash)
        let later = table.rates(of: nil, or: tenant(isNamed), now: at(6_000))
        #expect(later?.requests?.remaining == (isNamed ? 14 : 9))
    }

    /// Tokens and debts move like requests.
    @Test func debtsMoveWithTheirTenant() {
        func settings(_ names: [String], others: Bool = true) -> QuotaSettings {
            var settings = QuotaSettings()
            settings.hashedRows = 8
            if others { settings.others.tokensPerMinute = 600 }
            settings.tenants = names.map { name in
                var tenant = TenantSettings(name: name)
                tenant.tokensPerMinute = 600
                return tenant
            }
            return settings
        }
        var table = QuotaTable(settings(["a"]), hash: hash)
        let named = payer(.named("a"), sharesDefault: true)
        let hashed = payer(.hashed(hash("a")), sharesDefault: true)
        let reservation = table.charge(nil, or: named, tokens: 100, now: at(0)).reservation
        table.settle(reservation, .tokens(900), now: at(0))
        table.reconfigure(settings([]), hash: hash)
        let short = table.charge(nil, or: hashed, tokens: 1, now: at(0)).shortfall
        #expect(short?.reason == .tenantTokenRate && short?.waitSeconds == 30.1)
        // Where nobody else has a quota, it has none meanwhile, and has what is left of it afterwards.
        table.reconfigure(settings(["a"]), hash: hash)
        table.reconfigure(settings([], others: false), hash: hash)
        #expect(table.charge(nil, or: hashed, tokens: 1, now: at(0)) == .free)
        table.reconfigure(settings(["a"], others: false), hash: hash)
        let rates = table.rates(of: nil, or: named, now: at(40_000))
        #expect(rates?.tokens?.remaining == 100)
    }

    /// With another `hashed_flows`, tenants without a name are in other rows.
    @Test(arguments: [4, 16, 12, 5]) func anotherNumberOfRowsFillsNoBucket(count: Int) {
        for value in 0..<UInt64(40) {
            var table = QuotaTable(settings([:], others: 10, hashedRows: 8), hash: hash)
            let tenant = payer(.hashed(value), sharesDefault: true)
            for _ in 0..<3 {
                let reservation = table.charge(nil, or: tenant, tokens: 0, now: at(0)).reservation
                table.settle(reservation, .reserved, now: at(0))
            }
            table.reconfigure(settings([:], others: 10, hashedRows: count), hash: hash)
            #expect(left(table, tenant) == 7, "\(value)")
        }
    }

    /// Who is named anew gets a row, and none that tenants without a name have already.
    @Test func whoIsNamedByAReloadHasTermsOfItsOwn() {
        var settings = AdmissionSettings.fixed(10)
        settings.queue.hashedFlows = 4
        var table = TenantTable(settings)
        var tenant = TenantSettings(name: "a")
        tenant.weight = 5
        tenant.maxInFlight = 1
        settings.tenants = [tenant]
        table.reconfigure(settings)
        let row = table.row(of: .named("a"))
        #expect(table[row].settings == tenant)
        for hash in 0..<UInt64(64) { #expect(table.row(of: .hashed(hash << 32 | hash)) != row) }
    }

    @Test func reloadsDoNotGrowTheTable() {
        var table = QuotaTable(settings(["a": 1], others: 1, hashedRows: 4), hash: hash)
        for round in 0..<50 {
            table.reconfigure(
                settings(["t\(round)": 1, "u\(round)": 1], others: 1, hashedRows: 4), hash: hash)
        }
        // Those in force, and as many that were.
        #expect(table.rows.count <= 1 + 2 * (4 + 2))
    }

    /// Two pools, one of which takes what the other has no room for, and one tenant: with the clock at
    /// a standstill the bucket holds exactly what was not charged, whichever pool decides.
    @Test(arguments: [21, 22, 23, 24] as [UInt64])
    func nothingIsLostOrGainedBetweenTwoPools(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var bounds = settings(["a": 3_000])
        bounds.tenants[0].tokensPerMinute = 6_000_000
        var table = QuotaTable(bounds, hash: hash)
        var first = AdmissionSettings.fixed(2, queue: 2)
        first.tenants = bounds.tenants
        let pools = [
            PoolDriver(first, seed: seed), PoolDriver(.fixed(3, queue: 3), seed: seed + 1),
        ]
        var used = (requests: 0, tokens: 0)
        var reserved: [UInt64: Int] = [:]
        var refusals = 0
        func end(_ id: UInt64, in pool: PoolDriver, _ charge: Charge) {
            pool.complete(id, charge: charge, at: at(0), charging: &table)
            let tokens = reserved.removeValue(forKey: id) ?? 0
            switch charge {
            case .nothing: break
            case .reserved: used = (used.requests + 1, used.tokens + tokens)
            case .tokens(let real): used = (used.requests + 1, used.tokens + real)
            case .estimated(let guessed, let counted):
                used = (used.requests + 1, used.tokens + guessed + counted)
            }
        }
        for id in 0..<UInt64(5_000) {
            let tokens = random.next(below: 3_000)
            reserved[id] = tokens
            var payer: Payer?
            for pool in pools {
                // The second pool does not know who asks.
                let tenant: TenantID = payer == nil ? .named("a") : .anonymous
                let answer = pool.offer(
                    id, at: at(0), tenant: tenant, tokens: tokens, payer: payer, charging: &table)
                guard case .rejected(let reason) = answer else { break }
                if !reason.isOfPool {
                    refusals += 1
                    break
                }
                payer = Payer(.named("a"), in: first)
            }
            if random.next(below: 2) == 0 {
                let pool = pools[random.next(below: 2)]
                if let one = pool.permits.keys.min() {
                    let charges: [Charge] = [
                        .reserved, .nothing, .tokens(random.next(below: 4_000)),
                        .estimated(guessed: tokens, counted: 7),
                    ]
                    end(one, in: pool, charges[random.next(below: 4)])
                }
            }
            for pool in pools { pool.pollAll(at: at(0), charging: &table) }
        }
        for pool in pools {
            repeat {
                for id in pool.permits.keys { end(id, in: pool, .nothing) }
                pool.pollAll(at: at(0), charging: &table)
            } while !pool.permits.isEmpty
        }
        let rates = table.rates(of: nil, or: Payer(.named("a"), in: first), now: at(0))
        #expect(rates?.requests?.remaining == 3_000 - used.requests, "seed \(seed)")
        #expect(rates?.tokens?.remaining == max(0, 6_000_000 - used.tokens), "seed \(seed)")
        #expect(table.rows.allSatisfy { $0.held == 0 })
        #expect(used.requests > 500)
    }
}
