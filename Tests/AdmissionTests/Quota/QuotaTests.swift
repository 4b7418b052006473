// Tenants' quotas in the controller: charged at admission, settled at the end, given back when a
// request was not served.

import Testing

@testable import Admission

@Suite struct QuotaTests {
    private func settings(
        requests: Int? = nil, tokens: Int? = nil, limit: Int = 1, queue: Int = 4
    ) -> AdmissionSettings {
        var settings = AdmissionSettings.fixed(limit, queue: queue)
        var tenant = TenantSettings(name: "a")
        tenant.requestsPerMinute = requests
        tenant.tokensPerMinute = tokens
        settings.tenants = [tenant, TenantSettings(name: "b")]
        return settings
    }

    private func tokens(_ pool: PoolDriver, _ milliseconds: Int64 = 0) -> Int? {
        pool.rates(.named("a"), at: at(milliseconds))?.tokens?.remaining
    }

    private func requests(_ pool: PoolDriver, _ milliseconds: Int64 = 0) -> Int? {
        pool.rates(.named("a"), at: at(milliseconds))?.requests?.remaining
    }

    @Test func whoHasUsedItsRequestsIsRefusedAndOthersAreNot() {
        let pool = PoolDriver(settings(requests: 60, limit: 100))
        for id in 0..<60 {
            #expect(pool.offer(UInt64(id), at: at(0), tenant: .named("a")) == .forwarded(0))
        }
        #expect(
            pool.offer(100, at: at(0), tenant: .named("a")) == .rejected(.tenantRequestRate))
        #expect(pool.lastRejection?.retryAfterMilliseconds ?? 0 >= 1_000)
        #expect(pool.lastRejection?.share == nil)
        #expect(pool.offer(101, at: at(0), tenant: .named("b")) == .forwarded(0))
        #expect(pool.rates(.named("b"), at: at(0)) == nil)
        #expect(pool.offer(102, at: at(1_001), tenant: .named("a")) == .forwarded(0))
        #expect(
            pool.offer(103, at: at(1_001), tenant: .named("a")) == .rejected(.tenantRequestRate))
    }

    @Test func tokensAreReservedAndSettled() {
        let pool = PoolDriver(settings(tokens: 1_000, limit: 10))
        #expect(pool.offer(1, at: at(0), tenant: .named("a"), tokens: 600) == .forwarded(0))
        #expect(tokens(pool) == 400)
        #expect(
            pool.offer(2, at: at(0), tenant: .named("a"), tokens: 600)
                == .rejected(.tenantTokenRate))
        #expect(tokens(pool) == 400)
        pool.complete(1, charge: .tokens(250), at: at(0))
        #expect(tokens(pool) == 750)
        #expect(pool.offer(3, at: at(0), tenant: .named("a"), tokens: 100) == .forwarded(0))
        pool.complete(3, charge: .tokens(1_350), at: at(0))
        // 600 are owed: they take 36 s to flow in.
        #expect(tokens(pool) == 0)
        #expect(
            pool.offer(4, at: at(35_900), tenant: .named("a"), tokens: 1)
                == .rejected(.tenantTokenRate))
        #expect(pool.offer(5, at: at(36_100), tenant: .named("a"), tokens: 1) == .forwarded(0))
        pool.complete(5, charge: .reserved, at: at(36_100))
    }

    @Test func whatIsNotServedIsGivenBack() {
        let pool = PoolDriver(settings(requests: 100, tokens: 10_000))
        func offer(_ id: UInt64, _ milliseconds: Int64 = 0) -> Answer {
            pool.offer(id, at: at(milliseconds), tenant: .named("a"), tokens: 100)
        }
        func expectUsed(_ count: Int, _ line: Int = #line) {
            #expect(requests(pool) == 100 - count, "line \(line)")
            #expect(tokens(pool) == 10_000 - 100 * count, "line \(line)")
        }
        #expect(offer(1) == .forwarded(0))
        for id in 2...5 { #expect(offer(UInt64(id)) == .parked) }
        expectUsed(5)
        // Refused at once.
        #expect(offer(6) == .rejected(.queueFull))
        expectUsed(5)
        // Cancelled while waiting.
        #expect(pool.cancel(5, at: at(0)))
        expectUsed(4)
        #expect(!pool.cancel(5, at: at(0)))
        expectUsed(4)
        // Made room for another tenant's.
        #expect(offer(7) == .parked)
        #expect(pool.offer(8, at: at(0), tenant: .named("b")) == .parked)
        #expect(pool.poll(at: at(0)) == .rejected(7, .displaced))
        expectUsed(4)
        // Cancelled before the answer.
        pool.complete(1, .failed(.request), charge: .nothing, at: at(0))
        expectUsed(3)
        // No backend could be connected to.
        #expect(pool.poll(at: at(0)) == .forwarded(2, 0))
        #expect(pool.retry(2, at: at(0)) == .rejected(.connectFailed))
        expectUsed(2)
        // Waited for too long.
        let late: Int64 = 2_001
        #expect(pool.pollAll(at: at(late)).count == 3)
        #expect(requests(pool, late) == 100)
        #expect(tokens(pool, late) == 10_000)
    }

    @Test func aRequestThatIsTriedElsewhereIsChargedOnce() {
        let pool = PoolDriver(settings(tokens: 10_000, limit: 2), backends: ["a", "b"])
        #expect(pool.offer(1, at: at(0), tenant: .named("a"), tokens: 100) != .parked)
        let answer = pool.retry(1, at: at(0))
        #expect(answer == .forwarded(0) || answer == .forwarded(1))
        #expect(tokens(pool) == 9_900)
        pool.complete(1, charge: .tokens(40), at: at(0))
        #expect(tokens(pool) == 9_960)
    }

    /// With the clock at a standstill the bucket holds exactly what was not charged, whatever
    /// becomes of requests.
    @Test(arguments: [11, 12, 13, 14] as [UInt64])
    func nothingIsLostOrGained(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let pool = PoolDriver(
            settings(requests: 1_000_000, tokens: 1_000_000_000, limit: 3), seed: seed)
        var tokensOf: [UInt64: Int] = [:]
        var waiting: Set<UInt64> = []
        var charged = (requests: 0, tokens: 0)
        for id in 0..<UInt64(4_000) {
            let tokens = random.next(below: 5_000)
            tokensOf[id] = tokens
            let tenant: TenantID = random.next(below: 5) == 0 ? .named("b") : .named("a")
            if tenant == .named("b") { tokensOf[id] = nil }
            if pool.offer(id, at: at(0), tenant: tenant, tokens: tokens) == .parked {
                waiting.insert(id)
            }
            if random.next(below: 4) == 0, let one = waiting.first {
                waiting.remove(one)
                _ = pool.cancel(one, at: at(0))
            }
            if random.next(below: 2) == 0, let one = pool.permits.keys.first {
                let real = random.next(below: 9_000)
                let charges: [Charge] = [.reserved, .nothing, .tokens(real)]
                let charge = charges[random.next(below: 3)]
                pool.complete(one, charge: charge, at: at(0))
                if let reserved = tokensOf[one], charge != .nothing {
                    charged.requests += 1
                    charged.tokens += charge == .reserved ? reserved : real
                }
            }
            for decision in pool.pollAll(at: at(0)) {
                switch decision {
                case .forwarded(let id, _), .rejected(let id, _): waiting.remove(id)
                }
            }
        }
        for id in pool.permits.keys { pool.complete(id, charge: .nothing, at: at(0)) }
        while !pool.pollAll(at: at(0)).isEmpty {
            for id in pool.permits.keys { pool.complete(id, charge: .nothing, at: at(0)) }
        }
        #expect(requests(pool) == 1_000_000 - charged.requests, "seed \(seed)")
        #expect(tokens(pool) == 1_000_000_000 - charged.tokens, "seed \(seed)")
        #expect(charged.requests > 500)
    }

    @Test func aReloadKeepsWhatWasUsed() {
        let pool = PoolDriver(settings(tokens: 1_000, limit: 10))
        #expect(pool.offer(1, at: at(0), tenant: .named("a"), tokens: 300) == .forwarded(0))
        pool.reconfigure(settings(tokens: 2_000, limit: 10), at: at(0))
        #expect(tokens(pool) == 1_700)
        pool.complete(1, charge: .nothing, at: at(0))
        #expect(tokens(pool) == 2_000)
    }

    @Test func observingChargesWhatItWouldHaveStarted() {
        var settings = settings(requests: 2, limit: 10)
        settings.mode = .observe
        let pool = PoolDriver(settings)
        for id in 0..<3 {
            #expect(pool.offer(UInt64(id), at: at(0), tenant: .named("a")) == .forwarded(0))
        }
        #expect(pool.withheld[1] == Reason.none)
        #expect(pool.withheld[2] == .tenantRequestRate)
        #expect(requests(pool) == 0)
        pool.complete(2, charge: .nothing, at: at(0))
        #expect(requests(pool) == 0)
        pool.complete(1, charge: .nothing, at: at(0))
        #expect(requests(pool) == 1)
    }

    @Test func tenantsWithoutANameHaveOneEach() {
        var settings = AdmissionSettings.fixed(100)
        settings.otherTenants.requestsPerMinute = 1
        let pool = PoolDriver(settings)
        for tenant in 0..<8 {
            #expect(
                pool.offer(UInt64(tenant), at: at(0), tenant: .hashed(UInt64(tenant)))
                    == .forwarded(0))
        }
        #expect(pool.offer(20, at: at(0), tenant: .hashed(3)) == .rejected(.tenantRequestRate))
        #expect(pool.offer(21, at: at(0)) == .forwarded(0))
    }
}
