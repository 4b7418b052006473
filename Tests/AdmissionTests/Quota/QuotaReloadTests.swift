// What a reload makes of quotas that have been used: everybody has the share left that it had, nobody pays
// for others, and what is under way is charged at its end.

import Testing

@testable import Admission

@Suite struct QuotaReloadTests {
    /// As pools hash names that they do not know.
    private func hash(_ name: String) -> UInt64 {
        name.utf8.reduce(7) { $0 &* 131 &+ UInt64($1) }
    }

    /// Requests and a hundred times as many tokens; nil for a tenant that has no quota.
    private func settings(
        _ quotas: [String: Int?] = [:], others: Int? = nil, hashedRows: Int = 256
    ) -> QuotaSettings {
        func terms(_ name: String, _ requests: Int?) -> TenantSettings {
            var tenant = TenantSettings(name: name)
            tenant.requestsPerMinute = requests
            tenant.tokensPerMinute = requests.map { 100 * $0 }
            return tenant
        }
        var settings = QuotaSettings()
        settings.tenants = quotas.sorted { $0.key < $1.key }.map { terms($0.key, $0.value) }
        settings.others = terms("", others)
        settings.hashedRows = hashedRows
        return settings
    }

    private func payer(_ tenant: TenantID) -> Payer {
        var settings = AdmissionSettings()
        settings.otherTenants.requestsPerMinute = 1
        return Payer(tenant, in: settings)
    }

    private func left(
        _ table: QuotaTable, _ tenant: TenantID, at milliseconds: Int64 = 0
    ) -> TenantRates? {
        var table = table
        return table.rates(of: nil, or: payer(tenant), now: at(milliseconds))
    }

    private func use(
        _ table: inout QuotaTable, _ tenant: TenantID, _ count: Int, _ tokens: Int = 0
    ) {
        for _ in 0..<count {
            let reservation = table.charge(nil, or: payer(tenant), tokens: tokens, now: at(0))
                .reservation
            #expect(reservation.isHeld)
            table.settle(reservation, .reserved, now: at(0))
        }
    }

    /// A guess that nobody corrects costs a minute's worth, not days.
    @Test(arguments: [
        Charge.reserved, .estimated(guessed: 1 << 40, counted: 0), .nothing,
        .estimated(guessed: 1 << 40, counted: 50),
    ])
    func aGuessShutsNobodyOut(charge: Charge) {
        var table = QuotaTable(settings(others: 60), hash: hash)
        for _ in 0..<3 {
            let decision = table.charge(nil, or: payer(.anonymous), tokens: 1 << 40, now: at(0))
            table.settle(decision.reservation, charge, now: at(0))
        }
        let wait = left(table, .anonymous)?.tokens?.secondsUntilFull ?? .infinity
        #expect(wait <= 121)
    }

    @Test(arguments: [255, 257, 128, 512, 1])
    func anotherNumberOfRowsIsNobodyElsesLoss(count: Int) {
        var table = QuotaTable(settings(others: 10), hash: hash)
        use(&table, .hashed(5), 10)
        table.reconfigure(settings(others: 10, hashedRows: count), hash: hash)
        // Those who share no row with it have what they had, whoever asks first.
        for value in 0..<UInt64(250) where value != 5 {
            #expect(left(table, .hashed(value))?.requests?.remaining == 10, "\(value)")
        }
        #expect(left(table, .hashed(5))?.requests?.remaining == 0)
        // The share that was used stays so in further reloads, on other terms, and is forgotten with time.
        table.reconfigure(settings(others: 20, hashedRows: 100), hash: hash)
        #expect(left(table, .hashed(5))?.requests?.remaining == 0)
        #expect(left(table, .hashed(6))?.requests?.remaining == 20)
        #expect(left(table, .hashed(5), at: 30_000)?.requests?.remaining == 10)
        #expect(left(table, .hashed(5), at: 60_000)?.requests?.remaining == 20)
    }

    @Test func whoIsNamedNoLongerOwesNoMoreThanItsShare() {
        var table = QuotaTable(settings(["big": 6_000], others: 10), hash: hash)
        use(&table, .named("big"), 60)
        table.reconfigure(settings(others: 10), hash: hash)
        #expect(left(table, .hashed(hash("big")))?.requests?.remaining == 9)
        use(&table, .hashed(hash("big")), 9)
        // Others who would share its row do not pay for it.
        let stranger = TenantID.hashed(hash("big") &+ 256)
        #expect(hash("big") % 256 == (hash("big") &+ 256) % 256)
        #expect(left(table, stranger)?.requests?.remaining == 10)
        // Where tenants without a name have no quota in a pool, it has none there.
        let free = Payer(.hashed(hash("big")), in: AdmissionSettings())
        #expect(table.charge(nil, or: free, tokens: 0, now: at(0)) == .free)
        // Once it owes nothing it is one of them.
        _ = table.rates(of: nil, or: payer(.anonymous), now: at(60_000))
        table.reconfigure(settings(others: 10), hash: hash)
        #expect(table.row(of: payer(.hashed(hash("big")))) == table.row(of: payer(stranger)))
    }

    @Test(arguments: [true, false]) func aSmallerQuotaIsOwedAtMostOnce(isRunning: Bool) {
        var table = QuotaTable(settings(["big": 6_000]), hash: hash)
        var running: [Reservation] = []
        for _ in 0..<50 {
            let reservation = table.charge(
                nil, or: payer(.named("big")), tokens: 10_000, now: at(0)
            ).reservation
            if isRunning { running.append(reservation) }
            if !isRunning { table.settle(reservation, .tokens(100_000), now: at(0)) }
            if !isRunning && !reservation.isHeld { break }
        }
        table.reconfigure(settings(["big": 10]), hash: hash)
        for reservation in running { table.settle(reservation, .tokens(50_000), now: at(0)) }
        let rates = left(table, .named("big"))
        #expect(rates?.requests?.secondsUntilFull ?? .infinity <= 120)
        #expect(rates?.tokens?.secondsUntilFull ?? .infinity <= 120)
        #expect(rates?.tokens?.remaining == 0)
        #expect(table.rows.allSatisfy { $0.held == 0 })
        // A larger one has the same share used.
        table.reconfigure(settings(["big": 1_000]), hash: hash)
        #expect(left(table, .named("big"))?.tokens?.remaining == 0)
    }

    @Test func aTenantThatHadNoQuotaPaysForNobody() {
        var table = QuotaTable(settings(["acme": nil], others: 10, hashedRows: 1), hash: hash)
        use(&table, .hashed(hash("bob")), 10)
        table.reconfigure(settings(["acme": 10], others: 10, hashedRows: 1), hash: hash)
        #expect(left(table, .named("acme"))?.requests?.remaining == 10)
        #expect(left(table, .hashed(hash("bob")))?.requests?.remaining == 0)
    }

    /// What is under way at a reload is charged at its end, where its tenant is then, and nowhere else.
    @Test(
        arguments: ["named", "more rows", "fewer rows"],
        [Charge.tokens(200), .nothing, .tokens(900)])
    func whatIsUnderWayIsChargedWhereItsTenantIs(change: String, charge: Charge) {
        var table = QuotaTable(settings(others: 10), hash: hash)
        let acme = TenantID.hashed(hash("acme"))
        let reservation = table.charge(nil, or: payer(acme), tokens: 1 << 30, now: at(0))
            .reservation
        #expect(left(table, acme)?.tokens?.remaining == 0)
        let isNamed = change == "named"
        let rows = change == "more rows" ? 257 : change == "fewer rows" ? 255 : 256
        table.reconfigure(
            settings(isNamed ? ["acme": 10] : [:], others: 10, hashedRows: rows), hash: hash)
        #expect(left(table, acme)?.tokens?.remaining == 1_000)
        // Where rows stay, it is not known which of a row's tenants has something under way.
        for value in 0..<UInt64(600) where !isNamed || value % 256 != hash("acme") % 256 {
            #expect(left(table, .hashed(value))?.tokens?.remaining == 1_000)
        }
        table.settle(reservation, charge, now: at(0))
        #expect(left(table, acme)?.tokens?.remaining == 1_000 - (charge.tokens ?? 0))
        #expect(left(table, acme)?.requests?.remaining == (charge == .nothing ? 10 : 9))
        for value in 0..<UInt64(600) where value % UInt64(rows) != hash("acme") % UInt64(rows) {
            #expect(left(table, .hashed(value))?.tokens?.remaining == 1_000)
        }
        if isNamed {
            let stranger = TenantID.hashed(hash("acme") &+ 256)
            #expect(left(table, stranger)?.tokens?.remaining == 1_000)
        }
        #expect(table.rows.allSatisfy { $0.held == 0 })
    }

    /// What is under way of a tenant that has no quota any more is charged to nobody.
    @Test func whatIsUnderWayOfWhoHasNoQuotaIsGivenBack() {
        var table = QuotaTable(settings(others: 10), hash: hash)
        let acme = TenantID.hashed(hash("acme"))
        let reservation = table.charge(nil, or: payer(acme), tokens: 500, now: at(0)).reservation
        table.reconfigure(settings(["acme": nil], others: 10), hash: hash)
        table.settle(reservation, .tokens(900), now: at(0))
        let stranger = TenantID.hashed(hash("acme") &+ 256)
        #expect(left(table, stranger)?.tokens?.remaining == 1_000)
        #expect(left(table, stranger)?.requests?.remaining == 10)
    }
}
