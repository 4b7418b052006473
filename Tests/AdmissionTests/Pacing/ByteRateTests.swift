// Rates of bytes on a virtual clock: what passes by one, what each of several streams gets, and what two rates come to.

import Testing

@testable import Admission

@Suite struct ByteRateTests {
    private static func at(_ milliseconds: Double) -> Instant {
        Instant(nanoseconds: Int64(milliseconds * 1e6))
    }

    /// A stream that takes what it is given at once, and asks again when it is told to.
    private struct Reader {
        let place: Int
        var next = Instant(nanoseconds: 0)
        var bytes = 0
    }

    /// Lets streams ask for as long as they are told to, each `late` nanoseconds after its time at most.
    private static func run(
        _ rate: inout ByteRate, _ readers: inout [Reader], until end: Instant,
        late: Int64 = 0, _ random: inout SplitMix64
    ) {
        while let index = readers.indices.min(by: { readers[$0].next < readers[$1].next }),
            readers[index].next < end
        {
            let now = readers[index].next
            switch rate.take(readers[index].place, now: now) {
            case .bytes(let count): readers[index].bytes += count
            case .wait(let until):
                #expect(until > now)
                let delay = late > 0 ? Int64(random.next() % UInt64(late)) : 0
                readers[index].next = until.advanced(byNanoseconds: delay)
            }
        }
    }

    @Test func aBurstAndThenTheRate() {
        var random = SplitMix64(seed: 1)
        var rate = ByteRate(perSecond: 4_000_000)
        var readers = [Reader(place: rate.open())]
        Self.run(&rate, &readers, until: Self.at(0.5), &random)
        #expect((396_000...400_000).contains(readers[0].bytes))
        Self.run(&rate, &readers, until: Self.at(10_000), &random)
        let most = 40_000_000 + ByteRate.burstBytes(4_000_000)
        #expect(readers[0].bytes <= most)
        #expect(readers[0].bytes > most - 200_000)
    }

    @Test func whatIsNotAskedForIsNotSavedUpBeyondABurst() {
        var random = SplitMix64(seed: 1)
        var rate = ByteRate(perSecond: 100_000)
        var readers = [Reader(place: rate.open())]
        readers[0].next = Self.at(60_000)
        Self.run(&rate, &readers, until: Self.at(60_001), &random)
        #expect(readers[0].bytes <= 64 << 10)
        #expect(readers[0].bytes > (64 << 10) - 4_096)
    }

    /// Streams come and go, are late and slow: no more passes than there is, and what there is passes.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func neverMoreAndHardlyLess(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let perSecond = 20_000 + Int(random.next() % 50_000_000)
        var rate = ByteRate(perSecond: perSecond)
        var readers: [Reader] = []
        var passed = 0
        var clock = Instant(nanoseconds: 0)
        for _ in 0..<50 {
            if random.next() % 3 == 0, readers.count > 1 {
                let left = readers.remove(at: Int(random.next() % UInt64(readers.count)))
                passed += left.bytes
                rate.close(left.place, unusedBytes: 0)
            }
            if readers.isEmpty || random.next() % 2 == 0 {
                readers.append(Reader(place: rate.open(), next: clock))
            }
            clock = clock.advanced(byNanoseconds: Int64(random.next() % 400_000_000))
            // Not later than what a burst bridges.
            Self.run(&rate, &readers, until: clock, late: 20_000_000, &random)
            let all = passed + readers.reduce(0) { $0 + $1.bytes }
            let came = Double(perSecond) * clock.seconds(since: Instant(nanoseconds: 0))
            let burst = ByteRate.burstBytes(perSecond)
            #expect(all <= Int(came) + burst, "seed \(seed)")
            // What streams have not fetched yet, of one step each, has not passed.
            let unfetched = (readers.count + 2) * ByteRate.stepBytes(perSecond)
            let least = 0.97 * came - Double(unfetched)
            #expect(Double(all) >= least, "seed \(seed)")
        }
        #expect(rate.streamCount == readers.count)
    }

    @Test(arguments: [2, 3, 17])
    func streamsShareEvenly(count: Int) {
        var random = SplitMix64(seed: 7)
        var rate = ByteRate(perSecond: 1_000_000)
        var readers = (0..<count).map { _ in Reader(place: rate.open()) }
        // One is late each time, and gets the same.
        Self.run(&rate, &readers, until: Self.at(1_000), &random)
        let before = readers.map(\.bytes)
        Self.run(&rate, &readers, until: Self.at(21_000), late: 8_000_000, &random)
        let got = zip(readers, before).map { $0.bytes - $1 }
        let fair = 20_000_000 / count
        for bytes in got {
            #expect(abs(bytes - fair) <= fair / 20 + ByteRate.stepBytes(1_000_000), "\(got)")
        }
    }

    @Test func whoLeavesTheRingHoldsNobodyUp() {
        var rate = ByteRate(perSecond: 1_000_000)
        let places = (0..<3).map { _ in rate.open() }
        while case .bytes = rate.take(places[0], now: Self.at(0)) {}
        guard case .wait = rate.take(places[1], now: Self.at(0)),
            case .wait(let until) = rate.take(places[2], now: Self.at(0))
        else {
            Issue.record("they had to wait")
            return
        }
        rate.close(places[0], unusedBytes: 0)
        rate.close(places[1], unusedBytes: 0)
        let given = rate.take(places[2], now: Self.at(10))
        #expect(given == .bytes(10_000))
        #expect(until > Self.at(20))
        #expect(rate.streamCount == 1)
        // Their places are used again.
        let again = Set([rate.open(), rate.open()])
        #expect(again == Set(places.prefix(2)))
    }

    @Test func anotherRateIsInForceAtOnce() {
        var random = SplitMix64(seed: 3)
        var rate = ByteRate(perSecond: 1_000_000)
        var readers = [Reader(place: rate.open())]
        Self.run(&rate, &readers, until: Self.at(1_000), &random)
        rate.reconfigure(perSecond: 2_000_000)
        let before = readers[0].bytes
        Self.run(&rate, &readers, until: Self.at(2_000), &random)
        #expect(abs(readers[0].bytes - before - 2_000_000) < 60_000)
        rate.reconfigure(perSecond: nil)
        for _ in 0..<2 {
            let given = rate.take(readers[0].place, now: Self.at(2_000))
            #expect(given == .bytes(64 << 10))
        }
        rate.close(readers[0].place, unusedBytes: 0)
        let isUnused = rate.isUnused(now: Self.at(2_000))
        #expect(isUnused)
    }
}

@Suite struct ByteRatesTests {
    private static func at(_ milliseconds: Double) -> Instant {
        Instant(nanoseconds: Int64(milliseconds * 1e6))
    }

    private static let acme = TenantID.named("acme")

    /// A pool with 4 MB a second, of which acme has one and others two each.
    private static func rates() -> ByteRates {
        var settings = ByteRates.Settings()
        settings.pool.down = 4_000_000
        settings.others.down = 2_000_000
        settings.named[TenantKey("acme")] = ByteRateSettings(down: 1_000_000)
        return ByteRates(settings)
    }

    /// What tenants' bodies get in ten seconds.
    private static func run(_ tenants: [TenantID]) -> [Int] {
        var rates = rates()
        var leases = tenants.map { rates.open(.down, of: $0, now: at(0)) }
        var next = tenants.map { _ in at(0) }
        var bytes = tenants.map { _ in 0 }
        while let index = next.indices.min(by: { next[$0] < next[$1] }), next[index] < at(10_000) {
            guard var lease = leases[index] else { return [] }
            if let until = rates.fetch(4_096, for: &lease, now: next[index]) {
                next[index] = until
            } else {
                let count = lease.bytes
                bytes[index] += count
                lease.use(count)
            }
            leases[index] = lease
        }
        for case let lease? in leases { rates.close(lease) }
        return bytes
    }

    @Test func aTenantHasItsRateBelowThePools() {
        let alone = Self.run([Self.acme])
        #expect((9_700_000...10_200_000).contains(alone[0]))
        let two = Self.run([Self.acme, Self.acme])
        #expect((9_700_000...10_200_000).contains(two[0] + two[1]))
        #expect(abs(two[0] - two[1]) < 500_000)
        // Others have what is left, and no more than the pool has.
        let all = Self.run([Self.acme, .hashed(1), .hashed(2), .hashed(3)])
        #expect((38_800_000...40_500_000).contains(all.reduce(0, +)), "\(all)")
        #expect((9_000_000...10_200_000).contains(all[0]), "\(all)")
    }

    @Test func whoHasNoRateHasNoLease() {
        var rates = ByteRates()
        let without = rates.open(.down, of: Self.acme, now: Self.at(0))
        #expect(without == nil)
        var settings = ByteRates.Settings()
        settings.named[TenantKey("acme")] = ByteRateSettings(up: 1_000)
        #expect(!settings.isEmpty)
        rates = ByteRates(settings)
        let down = rates.open(.down, of: Self.acme, now: Self.at(0))
        let nobodys = rates.open(.up, of: .anonymous, now: Self.at(0))
        let up = rates.open(.up, of: Self.acme, now: Self.at(0))
        #expect(down == nil && nobodys == nil && up != nil)
    }

    @Test func ratesOfTenantsAreForgottenOnceNothingIsUsedOfThem() {
        var rates = Self.rates()
        for tenant in 0..<1_000 {
            let now = Self.at(Double(tenant))
            let lease = rates.open(.down, of: .hashed(UInt64(tenant)), now: now)
            if var lease {
                _ = rates.fetch(4_096, for: &lease, now: now)
                lease.use(lease.bytes)
                rates.close(lease)
            }
        }
        #expect(rates.rowCount < 200)
    }

    @Test func namesFillNoMemory() {
        var rates = Self.rates()
        var leases: [ByteLease] = []
        for tenant in 0..<ByteRates.mostRows + 100 {
            if let lease = rates.open(.down, of: .hashed(UInt64(tenant)), now: Self.at(0)) {
                leases.append(lease)
            }
        }
        #expect(leases.count == ByteRates.mostRows + 100)
        #expect(rates.rowCount <= ByteRates.mostRows + 1)
        for lease in leases { rates.close(lease) }
    }

    @Test func bodiesUnderWayOutliveTheirRate() {
        var rates = Self.rates()
        guard var lease = rates.open(.down, of: Self.acme, now: Self.at(0)) else {
            Issue.record("it has a rate")
            return
        }
        while rates.fetch(4_096, for: &lease, now: Self.at(0)) == nil { lease.use(lease.bytes) }
        rates.reconfigure(ByteRates.Settings())
        let until = rates.fetch(4_096, for: &lease, now: Self.at(0))
        #expect(until == nil)
        rates.close(lease)
        let next = rates.open(.down, of: Self.acme, now: Self.at(0))
        #expect(next == nil)
    }
}

@Suite struct HeldBackTests {
    /// What a request took that a rate held back says nothing of its backend: no limit moves for it, up or down.
    @Test(arguments: [false, true])
    func itIsNoSample(isHeldBack: Bool) {
        var settings = AdmissionSettings()
        var limit = AIMDLimitSettings()
        limit.initial = 2
        settings.limit = .aimd(limit)
        var controller = AdmissionController(settings: settings, backends: ["a"], seed: 1)
        for round in 0..<10 as Range<Int64> {
            var permits: [PermitBox] = []
            for slot in 0..<2 as Range<UInt64> {
                let id = RequestID(rawValue: UInt64(round) * 2 + slot)
                let now = Instant(nanoseconds: round * 1_000_000_000)
                guard case .forward(let permit) = controller.offer(id, Ticket(), now: now) else {
                    Issue.record("there is room")
                    return
                }
                permits.append(PermitBox(permit))
            }
            for permit in permits {
                var work = ServedWork()
                work.isHeldBack = isHeldBack
                controller.complete(
                    permit.take(), .success, work,
                    now: Instant(nanoseconds: round * 1_000_000_000 + 500_000_000))
            }
        }
        let now = Instant(nanoseconds: 10_000_000_000)
        let allowed = controller.backend(BackendID(index: 0), now: now)?.allowed ?? 0
        #expect(isHeldBack ? allowed == 2 : allowed > 2)
    }
}
